"""Events reach a real receiver, signed, as often as it takes, and no oftener than it should."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.db import DatabaseError, connection, transaction

from cardhour_billing import checkup
from cardhour_billing.config import load_config
from cardhour_billing.models import Customer, Event, EventDelivery
from cardhour_billing.outgoing import WebhookSettings
from cardhour_billing.sending.events import (
    FIRST_WAIT_MS,
    GIVE_UP_MS,
    WAIT_MAX_MS,
    raise_event,
    tell_due,
    tell_now,
    told,
)
from cardhour_contract.errors import Refuse
from cardhour_contract.settings import Secret
from tests.billing.books import ACME, ISSUER, apply, clock_at
from tests.billing.conftest import Store
from tests.billing.in_process import Desk
from tests.billing.receiver import Receiver, receiving

AT = "2026-02-10T00:00:00Z"
SECRET = "not-a-real-secret"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as running:
        yield running


@pytest.fixture
def event(store: Store) -> Event:
    apply(store.home, ISSUER + ACME)
    acme = Customer.objects.get(key="acme")
    return raise_event(acme, "credit USD", "credit.low", {"available": "12.00", "currency": "USD"}, clock_at(AT))


def settings(receiver: Receiver, timeout_s: int = 180) -> WebhookSettings:
    return WebhookSettings(url=receiver.url, secret=Secret(SECRET), timeout_s=timeout_s)


def test_an_event_is_told_once_and_signed(event: Event, receiver: Receiver) -> None:
    clock = clock_at(AT)
    (heard,) = tell_due(settings(receiver), clock)
    assert (heard.state, tell_due(settings(receiver), clock)) == ("delivered", [])
    ((headers, body),) = receiver.heard
    assert json.loads(body) == {
        "type": "credit.low",
        "timestamp": AT,
        "data": {
            "customer": "acme", "subject": "credit USD", "sequence": 1, "available": "12.00", "currency": "USD",
        },
    }  # fmt: skip
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    expected = base64.b64encode(hmac.new(SECRET.encode(), signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{expected}"
    assert headers["webhook-timestamp"] == str(clock.now_ms() // 1000)


def test_a_receiver_that_fails_is_told_again_after_ever_longer_waits(event: Event, receiver: Receiver) -> None:
    receiver.answers = [500, 302, 410]
    clock = clock_at(AT)
    waited = []
    for _ in range(4):
        (each,) = tell_due(settings(receiver), clock)
        if each.next_at_ms is not None and not each.delivered:
            waited.append(each.next_at_ms - clock.now_ms())
            assert tell_due(settings(receiver), clock) == []
            clock.sleep_ms(waited[-1])
    assert waited == [FIRST_WAIT_MS, 2 * FIRST_WAIT_MS, 4 * FIRST_WAIT_MS]
    assert list(EventDelivery.objects.order_by("attempt").values_list("attempt", "status", "outcome")) == [
        (1, 500, "the receiver answered 500"),
        (2, 302, "the receiver answered 302"),
        (3, 410, "the receiver answered 410"),
        (4, 204, "delivered"),
    ]
    assert len({headers["webhook-id"] for headers, _ in receiver.heard}) == 1


def test_an_event_that_nobody_hears_is_given_up_and_can_be_told_by_hand(event: Event, receiver: Receiver) -> None:
    closed = WebhookSettings(url="http://127.0.0.1:1/", secret=Secret(SECRET))
    clock, tries = clock_at(AT), 0
    while (state := told([event], clock.now_ms())[0]).next_at_ms is not None:
        clock.sleep_ms(max(0, state.next_at_ms - clock.now_ms()))
        tries += len(tell_due(closed, clock))
    assert (state.state, state.outcome) == ("given up", "no answer: NewConnectionError")
    assert GIVE_UP_MS // WAIT_MAX_MS < tries < 25
    assert tell_due(settings(receiver), clock) == []
    assert tell_now(event, settings(receiver), clock).state == "delivered"


def test_a_receiver_that_hangs_is_left_after_its_time(event: Event, receiver: Receiver) -> None:
    receiver.hang.set()
    (each,) = tell_due(settings(receiver, timeout_s=1), clock_at(AT))
    assert (each.delivered, each.outcome) == (False, "no answer within 1 s")


def test_without_a_webhook_events_wait(event: Event) -> None:
    assert tell_due(WebhookSettings(), clock_at(AT)) == []
    assert told([event], clock_at(AT).now_ms())[0].state == "waiting"


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE billing_event SET kind = 'other'",
        "DELETE FROM billing_event",
        "UPDATE billing_eventdelivery SET delivered = NOT delivered",
        "DELETE FROM billing_eventdelivery",
    ],
)
def test_the_database_refuses_to_change_an_event(event: Event, receiver: Receiver, statement: str) -> None:
    tell_due(settings(receiver), clock_at(AT))
    with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)


@pytest.mark.parametrize(
    ("url", "secret", "problem"),
    [
        ("ftp://hooks.example.com", "x", "not an address such as"),
        ("https://hooks.example.com", "", "openssl rand -hex 32 makes one"),
        ("https://hooks.example.com", "whsec_???", "is not base64"),
    ],
)
def test_a_webhook_that_cannot_work_is_refused_when_settings_are_read(
    tmp_path: Path, url: str, secret: str, problem: str
) -> None:
    with pytest.raises(Refuse, match=problem):
        load_config({
            "CARDHOUR_HOME": str(tmp_path), "CARDHOUR_WEBHOOK_URL": url, "CARDHOUR_WEBHOOK_SECRET": secret,
        })  # fmt: skip


def test_the_doctor_looks_at_mail_and_webhook(tmp_path: Path, receiver: Receiver) -> None:
    environ = {
        "CARDHOUR_HOME": str(tmp_path), "CARDHOUR_MAIL_HOST": "127.0.0.1", "CARDHOUR_MAIL_PORT": "1",
        "CARDHOUR_MAIL_SENDER": "b@example.com", "CARDHOUR_WEBHOOK_URL": receiver.url,
        "CARDHOUR_WEBHOOK_SECRET": SECRET,
    }  # fmt: skip
    config = load_config(environ)
    assert [(found.check, found.state) for found in (checkup._mail(config), checkup._webhook(config))] == [
        ("mail", "wrong"), ("webhook", "ok"),
    ]  # fmt: skip
    assert "hidden" not in checkup._webhook(config).what


def test_events_at_the_command_line(
    store: Store, event: Event, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = Desk(store, monkeypatch)
    (row,) = desk.rows("events", "list", "--undelivered")
    assert (row["kind"], row["state"], row["detail"]["available"]) == ("credit.low", "given up", "12.00")
    assert "[webhook]" in desk.refusal("events", "retry")
    monkeypatch.setenv("CARDHOUR_WEBHOOK_URL", receiver.url)
    monkeypatch.setenv("CARDHOUR_WEBHOOK_SECRET", SECRET)
    assert "there is no event 9" in desk.refusal("events", "retry", "9")
    receiver.answers = [503]
    assert "1 events were not heard" in desk.refusal("events", "retry")
    assert [row["state"] for row in desk.rows("events", "retry")] == ["delivered"]
    assert desk.rows("events", "list", "--undelivered") == []
