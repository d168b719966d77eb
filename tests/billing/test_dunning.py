"""What is owed since when, and reminding of it: each level once, in the customer's language."""

from __future__ import annotations

from datetime import date

import pytest
from django.db import DatabaseError, connection, transaction

from cardhour_billing.dunning.due import due_messages, due_reminders, record_sent
from cardhour_billing.invoices.crediting import void
from cardhour_billing.models import Customer, Invoice, Reminder
from cardhour_billing.money import Money
from cardhour_billing.receivables.ageing import aged, bucket
from cardhour_billing.receivables.allocating import Part, allocate
from cardhour_billing.receivables.payments import Receipt, record
from cardhour_contract.errors import Refuse
from tests.billing.books import ACME, ISSUER, PRICE, apply, clock_at, issue
from tests.billing.conftest import Store
from tests.billing.in_process import Desk
from tests.billing.memory_ledger import MemoryLedger

LEVELS = (7, 21, 35)
CLOCK = clock_at("2026-04-01T00:00:00Z")


@pytest.fixture
def owed(store: Store) -> None:
    """January (100.00) is due on 10 March and February (50.00) on 9 April; 北方 owes 30.00 since 10 March."""
    north = ACME.replace("acme", "north").replace('"Acme Ltd"', '"北方智算"\nlanguage = "zh-Hans"')
    apply(store.home, ISSUER + ACME + north + PRICE.replace("1.616532", "10"))
    ledger = MemoryLedger()
    ledger.hold("k8s:acme", "T4", "2026-01-05T00:00:00Z", "2026-01-05T10:00:00Z")
    ledger.hold("k8s:acme", "T4", "2026-02-05T00:00:00Z", "2026-02-05T05:00:00Z")
    ledger.hold("k8s:north", "T4", "2026-01-05T00:00:00Z", "2026-01-05T03:00:00Z", card="GPU-9")
    issue(ledger, "2026-01", "2026-02-08T00:00:00Z")
    issue(ledger, "2026-02", "2026-03-10T00:00:00Z")


def receive(minor: int, *parts: tuple[str, int]) -> None:
    acme = Customer.objects.get(key="acme")
    none = Money(amount=0, currency="USD")
    receipt = Receipt(
        customer=acme, amount=Money(amount=minor, currency="USD"), day=date(2026, 3, 20), reference="wire", fee=none,
        write_off=none,
    )  # fmt: skip
    payment = record(receipt, write_off_max=0, clock=CLOCK, who="tests")
    wanted = [
        Part(invoice=Invoice.objects.get(number=number), amount=Money(amount=amount, currency="USD"))
        for number, amount in parts
    ]
    allocate(payment, wanted, clock=CLOCK, who="tests")


def levels(day: date) -> list[tuple[str, int]]:
    return [(str(each.invoice.number), each.level) for each in due_reminders(day, LEVELS)]


def test_what_is_owed_stands_in_the_bucket_of_its_age(owed: None) -> None:
    receive(4_000, ("EC-2026-0001", 3_000))
    (acme, north) = aged(date(2026, 4, 10))
    assert {name: str(amount) for name, amount in acme.buckets.items()} == {
        "not_due": "0.00", "0-30": "50.00", "31-60": "70.00", "61-90": "0.00", "over_90": "0.00",
    }  # fmt: skip
    assert (acme.customer, str(acme.owed), str(acme.unused)) == ("acme", "120.00", "10.00")
    assert (north.customer, str(north.owed)) == ("north", "30.00")
    assert str(aged(date(2026, 3, 1), "acme")[0].buckets["not_due"]) == "120.00"


@pytest.mark.parametrize(
    ("days", "name"),
    [(0, "not_due"), (1, "0-30"), (30, "0-30"), (31, "31-60"), (60, "31-60"), (61, "61-90"), (90, "61-90"),
     (91, "over_90")],
)  # fmt: skip
def test_buckets_end_where_they_say(days: int, name: str) -> None:
    assert bucket(days) == name


def test_a_void_invoice_is_owed_by_nobody(owed: None) -> None:
    void(Invoice.objects.get(number="EC-2026-0001"), clock=CLOCK, who="tests")
    assert str(aged(date(2026, 4, 10), "acme")[0].owed) == "50.00"
    assert levels(date(2026, 4, 30)) == [("EC-2026-0003", 2), ("EC-2026-0002", 3)]


def test_a_level_is_due_on_its_day_and_only_the_highest_is_sent(owed: None) -> None:
    assert levels(date(2026, 3, 16)) == []
    assert levels(date(2026, 3, 17)) == [("EC-2026-0001", 1), ("EC-2026-0002", 1)]
    assert levels(date(2026, 4, 14)) == [("EC-2026-0001", 3), ("EC-2026-0002", 3)]


def test_each_level_is_reminded_of_once(owed: None) -> None:
    day = date(2026, 3, 17)
    messages = list(due_messages(day, LEVELS))
    for message in messages:
        record_sent(message, sent_to="billing@example.com", day=day, clock=CLOCK, who="tests")
    assert levels(date(2026, 3, 30)) == []
    assert levels(date(2026, 3, 31)) == [("EC-2026-0001", 2), ("EC-2026-0002", 2)]
    with pytest.raises(Refuse, match="at level 1 already"):
        record_sent(messages[0], sent_to="x", day=day, clock=CLOCK, who="tests")
    for statement in ("DELETE FROM billing_reminder", "UPDATE billing_reminder SET level = 2"):
        with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement)


def test_what_is_paid_is_not_reminded_of_and_what_is_part_paid_names_the_rest(owed: None) -> None:
    receive(4_000, ("EC-2026-0001", 4_000))
    (message, _) = due_messages(date(2026, 4, 20), LEVELS)
    assert (message.customer.key, message.level, message.subject) == (
        "acme", 3, "Final reminder from Example Compute",
    )  # fmt: skip
    assert "EC-2026-0001, due 10 March 2026 (41 days ago): 60.00 USD" in message.text
    assert "EC-2026-0003, due 9 April 2026 (11 days ago): 50.00 USD" in message.text
    assert "Together 110.00 USD." in message.text


def test_a_customer_is_written_to_in_its_language(owed: None) -> None:
    (message,) = due_messages(date(2026, 3, 17), LEVELS, "north")
    assert message.subject == "Example Compute：付款提醒"
    assert "EC-2026-0002，到期日 2026 年 3 月 10 日（逾期 7 天）：30.00 USD" in message.text
    assert message.text.startswith("北方智算：")


def test_reminders_at_the_command_line(owed: None, desk: Desk) -> None:
    assert {row["invoice"] for row in desk.rows("dunning", "due")} == {
        "EC-2026-0001", "EC-2026-0002", "EC-2026-0003",
    }  # fmt: skip
    assert "合计 30.00 USD" in desk.text("dunning", "text", "--customer", "north")
    assert "Final reminder" in desk.text("dunning", "record", "acme", "--to", "by phone", "--yes")
    assert [(row["invoice"], row["sent_to"]) for row in desk.rows("dunning", "sent")] == [
        ("EC-2026-0001", "by phone"), ("EC-2026-0003", "by phone"),
    ]  # fmt: skip
    assert "no reminder is due for 'acme'" in desk.refusal("dunning", "record", "acme", "--to", "x", "--yes")
    assert Reminder.objects.count() == 2
    assert [row["owed"] for row in desk.rows("ageing")] == ["150.00", "30.00"]
