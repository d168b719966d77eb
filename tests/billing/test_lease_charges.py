"""Leases and add-ons on documents: first bills, extensions, early ends, faults, corrections, each to the cent."""

from __future__ import annotations

import pytest

from cardhour_billing.answers.verification import verify
from cardhour_billing.frozen.document import DocumentLine
from cardhour_billing.models import Invoice, Lease
from tests.billing.books import ACME, ISSUER, PRICE, apply, close, issued, on_sqlite
from tests.billing.conftest import Store
from tests.billing.memory_ledger import MemoryLedger

__all__ = ["on_sqlite"]

BOOKS = (ISSUER + ACME + PRICE).replace("USD", "CNY").replace('"UTC"', '"Asia/Shanghai"')
LEASE = """
[[lease]]
id = "acme-1"
customer = "acme"
model = "A100"
nodes = ["n8"]
count = 8
per = "server-month"
amount = "133400"
from = 2026-10-01T00:00:00+08:00
"""
TO_16 = "to = 2026-10-16T00:00:00+08:00\n"
ADVANCE = 'billed = "advance"\n'
AFTER = {
    "2026-09": "2026-10-05", "2026-10": "2026-11-05", "2026-11": "2026-12-05", "2026-12": "2027-01-05",
    "2027-01": "2027-02-05", "2027-02": "2027-03-05",
}  # fmt: skip


@pytest.fixture
def ledger(store: Store) -> MemoryLedger:
    apply(store.home, BOOKS)
    return MemoryLedger()


def bill(ledger: MemoryLedger, month: str, *, issue: bool = True) -> list[DocumentLine]:
    """The lines of Acme's document for a month; what is issued must verify."""
    report = close(ledger, month, f"{AFTER[month]}T00:00:00Z", issue=issue, files=True)
    for invoice in issued() if issue else []:
        assert [check for check in verify(invoice, ledger) if not check.agrees] == []
    return [line for each in report.invoices for line in each.document.lines]


def figures(lines: list[DocumentLine]) -> list[tuple[str, str, str, str]]:
    return [(line.source, line.printed_quantity, line.unit, line.amount) for line in lines]


def test_the_first_half_of_october_in_arrears(store: Store, ledger: MemoryLedger) -> None:
    apply(store.home, LEASE + TO_16)
    assert bill(ledger, "2026-09") == []
    (line,) = bill(ledger, "2026-10")
    assert figures([line]) == [("lease:acme-1:2026-10-01", "0.483871", "server-month", "64548.39")]
    assert (line.kind, line.model, line.first_day, line.last_day) == ("lease", "A100", "2026-10-01", "2026-10-15")
    assert (line.unit_price, line.quantity_us) == ("133400.00", 0)
    assert bill(ledger, "2026-11") == []


def test_in_advance_a_period_stands_on_the_document_that_goes_out_when_it_begins(
    store: Store, ledger: MemoryLedger
) -> None:
    apply(store.home, LEASE + ADVANCE)
    assert figures(bill(ledger, "2026-09")) == [("lease:acme-1:2026-10-01", "1", "server-month", "133400.00")]
    assert figures(bill(ledger, "2026-10")) == [("lease:acme-1:2026-11-01", "1", "server-month", "133400.00")]


def test_ending_early_gives_back_the_days_that_were_paid_ahead(store: Store, ledger: MemoryLedger) -> None:
    """October was paid; the lease ends after the 15th: the other sixteen days come back, and November is not due."""
    apply(store.home, LEASE + ADVANCE)
    bill(ledger, "2026-09")
    apply(store.home, LEASE + ADVANCE + TO_16)
    (line,) = bill(ledger, "2026-10", issue=False)
    assert figures([line]) == [("lease:acme-1:2026-10-01", "-0.516129", "server-month", "-68851.61")]
    assert (line.first_day, line.last_day) == ("2026-10-16", "2026-10-31")


def test_ending_early_after_the_next_month_was_paid_gives_back_both(store: Store, ledger: MemoryLedger) -> None:
    apply(store.home, LEASE + ADVANCE)
    bill(ledger, "2026-09")
    bill(ledger, "2026-10")
    apply(store.home, LEASE + ADVANCE + TO_16)
    assert figures(bill(ledger, "2026-11", issue=False)) == [
        ("lease:acme-1:2026-10-01", "-0.516129", "server-month", "-68851.61"),
        ("lease:acme-1:2026-11-01", "-1", "server-month", "-133400.00"),
    ]


def test_what_is_non_refundable_is_not_given_back_but_no_new_month_is_due(store: Store, ledger: MemoryLedger) -> None:
    kept = LEASE + ADVANCE + "non_refundable = true\n"
    apply(store.home, kept)
    bill(ledger, "2026-09")
    apply(store.home, kept + TO_16)
    assert bill(ledger, "2026-10") == []


def test_an_extension_bills_the_rest_of_the_month_once(store: Store, ledger: MemoryLedger) -> None:
    """October ended on the 15th and was billed so; then the lease goes on to the end of November."""
    apply(store.home, LEASE + TO_16)
    bill(ledger, "2026-10")
    apply(store.home, LEASE + "to = 2026-12-01T00:00:00+08:00\n")
    assert figures(bill(ledger, "2026-11")) == [
        ("lease:acme-1:2026-10-01", "0.516129", "server-month", "68851.61"),
        ("lease:acme-1:2026-11-01", "1", "server-month", "133400.00"),
    ]
    assert bill(ledger, "2026-12") == []
    assert sum(invoice.total for invoice in issued()) == 2 * 13_340_000


def test_a_lease_that_was_recorded_late_is_caught_up(store: Store, ledger: MemoryLedger) -> None:
    ledger.hold("k8s:acme", "T4", "2026-10-02T00:00:00Z", "2026-10-02T01:00:00Z")
    bill(ledger, "2026-10")
    apply(store.home, LEASE)
    assert figures(bill(ledger, "2026-11")) == [
        ("lease:acme-1:2026-10-01", "1", "server-month", "133400.00"),
        ("lease:acme-1:2026-11-01", "1", "server-month", "133400.00"),
    ]


def test_a_month_that_is_still_a_draft_bills_its_own_lease(store: Store, ledger: MemoryLedger) -> None:
    apply(store.home, LEASE)
    bill(ledger, "2026-10", issue=False)
    assert [line.source for line in bill(ledger, "2026-11", issue=False)] == ["lease:acme-1:2026-11-01"]


def test_a_price_that_was_corrected_is_settled_in_one_line(store: Store, ledger: MemoryLedger) -> None:
    """An overlapping correction: the month was billed at 133 400 and should have been 123 400."""
    apply(store.home, LEASE)
    bill(ledger, "2026-10")
    apply(store.home, LEASE.replace("133400", "123400"))
    first, second = bill(ledger, "2026-11")
    assert (first.source, first.printed_quantity, first.unit, first.unit_price, first.amount) == (
        "lease:acme-1:2026-10-01", "-1", "item", "10000.00", "-10000.00",
    )  # fmt: skip
    assert second.amount == "123400.00"
    assert bill(ledger, "2026-12")[0].amount == "123400.00"
    assert sum(invoice.total for invoice in issued()) == 3 * 12_340_000


def test_anniversary_months_are_billed_whole_on_their_day(store: Store, ledger: MemoryLedger) -> None:
    mid = LEASE.replace("10-01", "10-15") + 'period = "anniversary"\n'
    apply(store.home, mid)
    assert bill(ledger, "2026-10") == []
    (line,) = bill(ledger, "2026-11")
    assert figures([line]) == [("lease:acme-1:2026-10-15", "1", "server-month", "133400.00")]
    assert (line.first_day, line.last_day) == ("2026-10-15", "2026-11-14")


def test_faulted_time_comes_back_with_the_document_after_it(store: Store, ledger: MemoryLedger) -> None:
    """One of eight cards lay still for a day of October: 24 of 5 952 card-hours of 133 400."""
    apply(store.home, LEASE + ADVANCE + 'sla_credit = "100"\n')
    ledger.fault("GPU-3", "A100", "2026-10-09T16:00:00Z", "2026-10-10T16:00:00Z", node="n8")
    ledger.fault("GPU-9", "A100", "2026-10-09T16:00:00Z", "2026-10-10T16:00:00Z", node="n9")
    bill(ledger, "2026-09")
    rent, credit = bill(ledger, "2026-10")
    assert rent.source == "lease:acme-1:2026-11-01"
    assert (credit.source, credit.kind, credit.amount) == ("sla:acme-1:2026-10-01", "lease", "-537.90")
    assert "24.00 faulted card-hours" in credit.description


def test_a_fault_that_became_known_late_is_credited_with_the_next_month(store: Store, ledger: MemoryLedger) -> None:
    apply(store.home, LEASE + 'sla_credit = "100"\n')
    bill(ledger, "2026-10")
    ledger.fault("GPU-3", "A100", "2026-10-09T16:00:00Z", "2026-10-10T16:00:00Z", node="n8")
    assert [line.source for line in bill(ledger, "2026-11")] == ["lease:acme-1:2026-11-01", "sla:acme-1:2026-10-01"]
    assert [line.source for line in bill(ledger, "2026-12")] == ["lease:acme-1:2026-12-01"]


def test_a_fault_that_became_known_three_months_late_is_credited_and_one_of_four_is_not(
    store: Store, ledger: MemoryLedger
) -> None:
    """A day of one of eight cards: of September, which is four months before January, and of October, three before."""
    apply(store.home, LEASE.replace("2026-10-01", "2026-09-01") + 'sla_credit = "100"\n')
    for month in ("2026-09", "2026-10", "2026-11", "2026-12"):
        bill(ledger, month)
    ledger.fault("GPU-3", "A100", "2026-09-09T16:00:00Z", "2026-09-10T16:00:00Z", node="n8")
    ledger.fault("GPU-3", "A100", "2026-10-09T16:00:00Z", "2026-10-10T16:00:00Z", node="n8")
    assert [(line.source, line.amount) for line in bill(ledger, "2027-01")] == [
        ("lease:acme-1:2027-01-01", "133400.00"),
        ("sla:acme-1:2026-10-01", "-537.90"),
    ]
    assert [line.source for line in bill(ledger, "2027-02")] == ["lease:acme-1:2027-02-01"]


def test_usage_and_leases_and_add_ons_stand_on_one_document(store: Store, ledger: MemoryLedger) -> None:
    apply(store.home, LEASE + STORAGE + SETUP)
    ledger.hold("k8s:acme", "T4", "2026-10-02T00:00:00Z", "2026-10-02T10:00:00Z")
    lines = bill(ledger, "2026-10")
    assert [(line.kind, line.source, line.printed_quantity, line.unit, line.amount) for line in lines] == [
        ("usage", "", "10.0000", "card-hour", "16.17"),
        ("lease", "lease:acme-1:2026-10-01", "1", "server-month", "133400.00"),
        ("add-on", "add-on:acme-disk:2026-10-01", "12.09677", "month", "4838.71"),
        ("add-on", "add-on:acme-setup:2026-10-01", "1", "item", "800.00"),
    ]
    assert issued()[0].total == 13_340_000 + 483_871 + 80_000 + 1_617


STORAGE = """
[[add-on]]
id = "acme-disk"
customer = "acme"
name = "Block storage 块存储"
unit = "TB"
quantity = "12.5"
per = "month"
amount = "400"
from = 2026-10-02T00:00:00+08:00
"""
SETUP = """
[[add-on]]
id = "acme-setup"
customer = "acme"
name = "Installation 安装"
per = "once"
amount = "800"
from = 2026-10-01T00:00:00+08:00
"""


def test_what_is_paid_once_is_billed_once(store: Store, ledger: MemoryLedger) -> None:
    apply(store.home, SETUP)
    assert bill(ledger, "2026-09") == []
    assert len(bill(ledger, "2026-10")) == 1
    assert bill(ledger, "2026-11") == []


def test_a_lease_under_tax_and_one_that_no_rule_covers(store: Store, ledger: MemoryLedger) -> None:
    tax = '\n[[tax]]\ncategory = "standard"\nrate = "6"\nmodel = "A100"\nfrom = 2026-01-01T00:00:00+08:00\n'
    apply(store.home, LEASE + tax)
    (line,) = bill(ledger, "2026-10")
    assert (line.tax_category, issued()[0].tax) == ("standard 6", 800_400)
    apply(store.home, SETUP.replace("10-01", "11-01"))
    report = close(ledger, "2026-11", "2026-12-05T00:00:00Z", issue=True, files=True)
    assert "no tax rule covers 'Installation 安装'" in str(report.invoices[0].findings[0])


def test_two_closes_of_one_draft_give_equal_documents(store: Store, ledger: MemoryLedger) -> None:
    apply(store.home, LEASE + STORAGE)
    assert bill(ledger, "2026-10", issue=False) == bill(ledger, "2026-10", issue=False)
    assert Invoice.objects.count() == 1
    assert Lease.objects.count() == 1
