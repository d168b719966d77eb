"""Reminders leave by mail, each level once, with their invoices, and stand on record."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

import pytest

from cardhour_billing.dunning.due import due_messages
from cardhour_billing.dunning.mail import reminder_letter, send_reminder
from cardhour_billing.models import Reminder
from cardhour_billing.outgoing import MailSettings
from cardhour_contract.errors import Refuse
from tests.billing.books import ACME, ISSUER, PRICE, apply, clock_at, close
from tests.billing.conftest import Store
from tests.billing.in_process import Desk
from tests.billing.mail_server import PATIENCE_S, Post, post_office
from tests.billing.memory_ledger import MemoryLedger

LEVELS = (7, 21, 35)
FIRST, SECOND = date(2026, 3, 20), date(2026, 4, 5)
CLOCK = clock_at("2026-03-20T08:00:00Z")


@pytest.fixture
def office() -> Iterator[tuple[Post, MailSettings]]:
    with post_office() as (post, port):
        yield (
            post,
            MailSettings(
                host="127.0.0.1", port=port, tls="none", sender="Billing <b@example.com>", timeout_s=PATIENCE_S
            ),
        )


@pytest.fixture
def overdue(store: Store) -> Store:
    """EC-2026-0001 was due on 12 March."""
    apply(store.home, ISSUER + ACME.replace('"Acme Ltd"', '"Acme Ltd"\nemail = "ap@acme.example"') + PRICE)
    ledger = MemoryLedger()
    ledger.hold("k8s:acme", "T4", "2026-01-05T00:00:00Z", "2026-01-05T10:00:00Z")
    close(ledger, "2026-01", "2026-02-10T00:00:00Z", issue=True, files=True)
    return store


def states(day: date, settings: MailSettings) -> list[str]:
    return [
        send_reminder(message, settings, day=day, clock=CLOCK, who="tests").state
        for message in due_messages(day, LEVELS)
    ]


def test_each_level_is_mailed_once_with_its_invoice(overdue: Store, office: tuple[Post, MailSettings]) -> None:
    post, settings = office
    assert [states(day, settings) for day in (FIRST, FIRST, SECOND)] == [["sent"], [], ["sent"]]
    assert list(Reminder.objects.values_list("level", "sent_to")) == [(1, "ap@acme.example"), (2, "ap@acme.example")]
    recipients, message = post.received[0]
    assert recipients == ["ap@acme.example"]
    assert [each.get_filename() for each in message.iter_attachments()] == ["EC-2026-0001.pdf"]


def test_a_reminder_that_was_refused_is_due_still(overdue: Store, office: tuple[Post, MailSettings]) -> None:
    post, settings = office
    post.answer = "554 5.7.1 no"
    assert states(FIRST, settings) == ["refused"]
    assert not Reminder.objects.exists()
    post.answer = "250 2.0.0 kept"
    assert states(FIRST, settings) == ["sent"]


def test_a_crash_after_the_mail_left_sends_it_no_second_time(
    overdue: Store, office: tuple[Post, MailSettings], monkeypatch: pytest.MonkeyPatch
) -> None:
    post, settings = office
    with monkeypatch.context() as patched:
        patched.setattr("cardhour_billing.dunning.mail.record_sent", crash)
        with pytest.raises(ZeroDivisionError):
            states(FIRST, settings)
    assert states(FIRST, settings) == ["sent"]
    assert (len(post.received), Reminder.objects.count()) == (1, 1)


def crash(*_: object, **__: object) -> None:
    raise ZeroDivisionError


def test_a_customer_without_an_address_is_named(overdue: Store) -> None:
    apply(overdue.home, ACME)
    (message,) = due_messages(FIRST, LEVELS)
    with pytest.raises(Refuse, match="customer 'acme' has no email"):
        reminder_letter(message)


def test_reminders_at_the_command_line(
    overdue: Store, office: tuple[Post, MailSettings], monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the clock of today the invoice is long overdue, so only the highest level is reminded of."""
    post, settings = office
    desk = Desk(overdue, monkeypatch)
    assert "[mail]" in desk.refusal("dunning", "send")
    for name, value in (
        ("HOST", "127.0.0.1"),
        ("PORT", str(settings.port)),
        ("TLS", "none"),
        ("SENDER", "b@a.example"),
    ):
        monkeypatch.setenv(f"CARDHOUR_MAIL_{name}", value)
    assert [row["state"] for row in desk.rows("dunning", "send", "--dry-run")] == ["to send"]
    assert [(row["level"], row["state"]) for row in desk.rows("dunning", "send", "--yes")] == [(3, "sent")]
    assert desk.rows("dunning", "send", "--yes") == []
    assert len(post.received) == 1
