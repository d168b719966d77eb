"""Leases whose invoice was credited or voided: what is billed of them follows, and is billed once."""

from __future__ import annotations

import pytest

from cardhour_billing.credit_line import CreditLine
from cardhour_billing.crediting import draft_credit, issue_credit, void
from cardhour_billing.models import Invoice
from cardhour_billing.money import Money
from tests.billing.books import apply, clock_at, issue
from tests.billing.conftest import Store
from tests.billing.memory_ledger import MemoryLedger
from tests.billing.test_lease_charges import BOOKS, LEASE, TO_16

CLOCK = clock_at("2026-11-20T00:00:00Z")
LEASED = "lease:acme-1:2026-10-01"


@pytest.fixture
def invoice(store: Store) -> Invoice:
    """64 548.39 for half of October."""
    apply(store.home, BOOKS + LEASE + TO_16)
    closed("2026-10", "2026-11-05")
    return Invoice.objects.get()


def closed(month: str, day: str) -> list[tuple[str, str]]:
    """Source and amount of the lines of a month that is issued."""
    found = issue(MemoryLedger(), month, f"{day}T00:00:00Z", zone="Asia/Shanghai")
    return [(line.source, line.amount) for each in found for line in each.document.lines]


def credit(invoice: Invoice, reason: str) -> None:
    line = CreditLine(position=1, amount=Money(amount=54_839, currency="CNY"))
    issue_credit(draft_credit(invoice, [line], reason, clock=CLOCK, who="tests"), clock=CLOCK, who="tests")


def test_a_gift_leaves_a_lease_as_it_was_billed(invoice: Invoice) -> None:
    credit(invoice, "goodwill")
    assert closed("2026-11", "2026-12-05") == []


def test_a_correction_of_a_lease_that_stands_is_billed_again_once(invoice: Invoice) -> None:
    credit(invoice, "correction")
    assert closed("2026-11", "2026-12-05") == [(LEASED, "548.39")]
    assert closed("2026-12", "2027-01-05") == []


def test_a_lease_of_a_void_invoice_is_billed_again_once(invoice: Invoice) -> None:
    void(invoice, clock=CLOCK, who="tests")
    assert closed("2026-11", "2026-12-05") == [(LEASED, "64548.39")]
    assert closed("2026-12", "2027-01-05") == []
