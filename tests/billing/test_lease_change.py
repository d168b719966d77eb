"""Extending a lease and ending it early: the money is shown before anything is recorded."""

from __future__ import annotations

import pytest

from cardhour_billing.effects.lease_change import LeaseChange, extension, find_lease, history, record, termination
from cardhour_billing.models import AuditLog, Lease
from cardhour_contract.errors import Refuse
from cardhour_contract.moment import parse_rfc3339
from tests.billing.books import apply, clock_at
from tests.billing.conftest import Store
from tests.billing.memory_ledger import MemoryLedger
from tests.billing.test_lease_charges import ADVANCE, BOOKS, LEASE, TO_16, bill, figures

MID_OCTOBER = parse_rfc3339("2026-10-16T00:00:00+08:00")
CLOCK = clock_at("2026-10-10T00:00:00Z")


@pytest.fixture
def ledger(store: Store) -> MemoryLedger:
    apply(store.home, BOOKS)
    return MemoryLedger()


def shown(change: LeaseChange) -> list[tuple[str, ...]]:
    return [
        tuple(str(each) for each in (row.before, row.after, row.difference, row.billed, row.to_bill))
        for row in change.periods
    ]


def test_an_early_end_of_what_was_paid_ahead_shows_what_comes_back(store: Store, ledger: MemoryLedger) -> None:
    apply(store.home, LEASE + ADVANCE + "to = 2026-12-01T00:00:00+08:00\n")
    bill(ledger, "2026-09")
    change = termination("acme-1", MID_OCTOBER)
    assert shown(change) == [
        ("133400.00", "64548.39", "-68851.61", "133400.00", "-68851.61"),
        ("133400.00", "0.00", "-133400.00", "0.00", "0.00"),
    ]
    record(change, clock=CLOCK, who="tests", action="lease.terminate")
    assert figures(bill(ledger, "2026-10", issue=False)) == [
        ("lease:acme-1:2026-10-01", "-0.516129", "server-month", "-68851.61")
    ]
    assert Lease.objects.count() == 2
    assert AuditLog.objects.get(action="lease.terminate").subject == "acme-1"


def test_an_early_end_of_a_lease_without_an_end(store: Store, ledger: MemoryLedger) -> None:
    apply(store.home, LEASE)
    assert shown(termination("acme-1", MID_OCTOBER))[0] == ("133400.00", "64548.39", "-68851.61", "0.00", "64548.39")


def test_what_is_non_refundable_shows_that_nothing_comes_back(store: Store, ledger: MemoryLedger) -> None:
    apply(store.home, LEASE + ADVANCE + "non_refundable = true\nto = 2026-11-01T00:00:00+08:00\n")
    bill(ledger, "2026-09")
    assert shown(termination("acme-1", MID_OCTOBER)) == []


def test_an_extension_by_months_and_to_a_day(store: Store, ledger: MemoryLedger) -> None:
    apply(store.home, LEASE + TO_16)
    by_month = extension("acme-1", months=1)
    assert by_month.after.to_ms == parse_rfc3339("2026-11-16T00:00:00+08:00")
    assert shown(by_month) == [
        ("64548.39", "133400.00", "68851.61", "0.00", "133400.00"),
        ("0.00", "66700.00", "66700.00", "0.00", "66700.00"),
    ]
    record(by_month, clock=CLOCK, who="tests", action="lease.extend")
    assert [version.row.to_ms for version in history(find_lease("acme-1"))] == [
        parse_rfc3339("2026-11-16T00:00:00+08:00"), MID_OCTOBER,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("at", "says"),
    [
        ("2026-09-01T00:00:00+08:00", "begins at"),
        ("2026-10-20T00:00:00+08:00", "ends at 2026-10-15T16:00:00Z already"),
        ("2026-10-10T00:07:00+08:00", "off a quarter hour"),
    ],
)
def test_an_end_that_makes_no_sense_is_refused(store: Store, ledger: MemoryLedger, at: str, says: str) -> None:
    apply(store.home, LEASE + TO_16)
    with pytest.raises(Refuse, match=says):
        termination("acme-1", parse_rfc3339(at))


def test_an_extension_into_another_lease_of_the_same_cards_is_refused(store: Store, ledger: MemoryLedger) -> None:
    apply(store.home, LEASE + TO_16 + LEASE.replace("acme-1", "acme-2").replace("10-01", "10-20"))
    with pytest.raises(Refuse, match="n8 is in lease"):
        extension("acme-1", months=1)
    with pytest.raises(Refuse, match="has no end"):
        extension("acme-2", months=1)
    with pytest.raises(Refuse, match="there are acme-1, acme-2"):
        find_lease("acme-3")


def test_what_was_changed_meanwhile_is_not_overwritten(store: Store, ledger: MemoryLedger) -> None:
    apply(store.home, LEASE + TO_16)
    first, second = extension("acme-1", months=1), extension("acme-1", months=2)
    record(first, clock=CLOCK, who="tests", action="lease.extend")
    with pytest.raises(Refuse, match="meanwhile"):
        record(second, clock=CLOCK, who="tests", action="lease.extend")
    assert Lease.objects.count() == 2
