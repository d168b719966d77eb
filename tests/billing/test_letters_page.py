"""Dead letters in the portal: by reason, what a replay would do before it is done, and what became of each letter."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from msgspec import structs

from cardhour_billing.audit.log import audit
from cardhour_billing.models import AuditLog
from cardhour_billing.portal.letters import worth
from cardhour_billing.usage.letter_replay import ACTION, START_MS
from cardhour_contract.clock import SystemClock, VirtualClock
from cardhour_contract.moment import HOUR_MS
from cardhour_ingest.loop import drain
from cardhour_ingest.warehouse.client import Warehouse
from cardhour_ingest.warehouse.letters import find_letters
from cardhour_ingest.warehouse.rollup import roll_up
from cardhour_ingest.warehouse.usage import usage
from tests.billing.books import ACME, ISSUER, PRICE, apply
from tests.billing.conftest import Store
from tests.billing.portal_client import at_home, over, staff
from tests.billing.test_fleet_page import ON_ONE
from tests.ingest.reports import AT_MS
from tests.ingest.skewed import Delivered, minute

pytestmark = ON_ONE
MINUTES = 3


@pytest.fixture
def dead(store: Store, warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch) -> Warehouse:
    """Three minutes of a node whose clock was an hour ahead, and a message whose body is no report."""
    at_home(store.home, monkeypatch)
    pages = ("cardhour_billing.portal.views.records", "cardhour_billing.portal.views.letters")
    over(warehouse, monkeypatch, *pages, "cardhour_billing.usage.letter_replay")
    apply(store.home, ISSUER + ACME + PRICE.replace('"T4"', '"H100"'))
    assert drain(Delivered([minute(60, 0)]), warehouse).dead_letters == 0  # so that the card and its model are known
    roll_up(warehouse)
    broken = structs.replace(minute(9, 0), body=b"{}")
    assert drain(Delivered([*(minute(at, HOUR_MS) for at in range(MINUTES)), broken]), warehouse).dead_letters == 4
    return warehouse


def send(client: Client, **fields: object) -> Any:
    return client.post("/dead-letters/replay/", fields)


def finish() -> None:
    for thread in threading.enumerate():
        if thread.name == "letters-replay":
            thread.join(timeout=60)


def test_letters_stand_by_reason_and_one_says_what_it_holds(dead: Warehouse) -> None:
    client = staff("viewer")
    with CaptureQueriesContext(connection) as asked:
        page = client.get("/records/dead-letters/")
    assert len(asked) <= 8
    assert [(each.reason, each.count) for each in page.context["summary"]] == [("clock_skew", 3), ("bad_payload", 1)]
    assert "clock was wrong" in page.content.decode()
    assert "/dead-letters/replay/" not in page.content.decode()  # a viewer is offered nothing that is refused
    narrowed = client.get("/records/dead-letters/?reason=bad_payload").context["rows"]
    assert len(narrowed) == 1
    letter = find_letters(dead, reason="clock_skew")[0].letter
    one = client.get(f"/records/dead-letters/{letter:016x}/").content.decode()
    assert "ce_source" in one
    assert "started_at_ms" in one  # the body, in words


def test_each_letter_says_what_it_is_worth_or_why_nobody_can_say(
    dead: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half a minute of one card each; the price of a card-hour is 1.616532."""
    client = staff("viewer")
    worths = [row.cells[4:7] for row in client.get("/records/dead-letters/?sort=reason").context["rows"]]
    assert [tuple(cell.text for cell in row) for row in worths] == [("", "", "")] + 3 * [("0.0083", "0.01", "USD")]
    assert worths[0][1].small == "no usage can be read in it"
    letter = find_letters(dead, reason="clock_skew")[0].letter
    one = client.get(f"/records/dead-letters/{letter:016x}/").content.decode()
    assert "0.01 USD" in one
    assert "clock off by +1:00:00.000" in one
    lines = client.get("/records/dead-letters/?format=csv&sort=reason").getvalue().decode().splitlines()
    assert [line.split(",")[4:7] for line in lines] == [["card_hours", "worth", "currency"], ["", "", ""]] + 3 * [
        ["0.0083", "0.01", "USD"]
    ]
    monkeypatch.setattr(worth, "current_prices", list)
    assert client.get("/records/dead-letters/?reason=clock_skew").context["rows"][0].cells[5].small == (
        "no list price of H100"
    )


def test_a_replay_says_what_it_would_do_and_does_it_once(dead: Warehouse) -> None:
    client = staff("billing")
    page = send(client, reason="clock_skew")
    found = page.context["found"]
    assert (len(found.letters), found.tried, found.accepted, found.fails) == (3, 3, 3, ())
    assert [(each.offset, each.count) for each in found.offsets] == [("+1:00:00.000", 3)]
    assert found.estimate.worth
    assert usage(dead, AT_MS - HOUR_MS, AT_MS + HOUR_MS) == []
    assert not AuditLog.objects.filter(action=ACTION).exists()  # looking is no deed

    run = send(client, reason="clock_skew", shown=found.digest).headers["Location"]
    finish()
    done = client.get(run)
    assert (done.context["run"].accepted, done.context["run"].rejected, done.context["run"].ended) == (3, (), True)
    assert [each.replayed for each in find_letters(dead, reason="clock_skew")] == [True] * MINUTES
    entry = AuditLog.objects.get(action=ACTION)
    assert (entry.who, entry.subject, len(entry.detail["letters"])) == ("the.billing", "clock_skew", 3)
    again = send(client, reason="clock_skew", shown=found.digest)
    assert again.headers["Location"] == "/records/dead-letters/"
    assert AuditLog.objects.filter(action=ACTION).count() == 1


def test_what_cannot_be_read_stays_and_says_why(dead: Warehouse) -> None:
    client = staff("billing")
    letters = [f"{each.letter:016x}" for each in find_letters(dead)]
    found = send(client, letter=letters).context["found"]
    assert (found.tried, found.accepted) == (4, 3)
    assert [(each.reason, each.count) for each in found.fails] == [("bad_payload", 1)]
    run = send(client, letter=letters, shown=found.digest).headers["Location"]
    finish()
    done = client.get(run)
    assert done.context["run"].accepted == 3
    assert [each["reason"] for each in done.context["stays"]] == ["bad_payload"]
    panel = client.get(run, headers={"HX-Request": "true"})
    assert panel.headers["HX-Refresh"] == "true"


def test_what_was_not_shown_is_not_replayed(dead: Warehouse) -> None:
    client = staff("billing")
    digest = send(client, reason="clock_skew").context["found"].digest
    drain(Delivered([minute(MINUTES, HOUR_MS)]), dead)
    changed = send(client, reason="clock_skew", shown=digest)
    assert changed.status_code == 409
    assert "Other letters wait than those you were shown" in changed.content.decode()
    assert not AuditLog.objects.filter(action=ACTION).exists()


def test_nothing_ticked_and_what_is_no_letter_are_sentences(dead: Warehouse) -> None:
    client = staff("billing")
    assert send(client).headers["Location"] == "/records/dead-letters/"
    for name, said in (("seven", "16 hexadecimal digits"), ("00000000000000ff", "there is no dead letter")):
        refused = send(client, letter=name)
        assert refused.status_code == 422
        assert said in refused.content.decode()


def test_a_replay_whose_process_died_is_known_by_the_lock_that_nobody_holds(dead: Warehouse) -> None:
    letters = [f"{each.letter:016x}" for each in find_letters(dead)]
    earlier = VirtualClock(SystemClock().now_ms() - 2 * START_MS)
    position = audit(earlier, "lin", ACTION, "x", {"letters": letters})
    run = staff("viewer").get(f"/dead-letters/replays/{position}/").context["run"]
    assert (run.stopped, run.done, run.count) == (True, 0, 4)
