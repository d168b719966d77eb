"""Late usage under prices and promises that depend on the whole month: tiers, commitments. Golden documents."""

from __future__ import annotations

from tests.billing.books import ACME, ISSUER, apply, close, issued, on_sqlite
from tests.billing.conftest import Store
from tests.billing.golden import assert_golden
from tests.billing.memory_ledger import MemoryLedger
from tests.billing.test_adjusting import IN_APRIL, IN_FEBRUARY, IN_MARCH, PER_HOUR, adjusted, bill, hours

__all__ = ["on_sqlite"]

VOLUME = """
[[price]]
model = "T4"
per = "card-hour"
scheme = "volume"
tiers = [{ to = "1000", amount = "10" }, { amount = "8" }]
from = 2026-01-01T00:00:00Z
"""
CONTRACT = '[[contract]]\nid = "acme-1"\ncustomer = "acme"\nfrom = 2026-01-01T00:00:00Z\n'


def commitment(term: str, card_hours: int) -> str:
    """Hours of T4 at 10.00 each, missing ones too."""
    return (
        f'[[commitment]]\nid = "base"\ncontract = "acme-1"\nterm = "{term}"\nfrom = 2026-01-01T00:00:00Z\n'
        f'card_hours = "{card_hours}"\nmodels = ["T4"]\ntrue_up = "10"\n'
    )


def test_late_usage_that_reaches_a_cheaper_volume_tier_costs_less_than_nothing(store: Store) -> None:
    """990 h at 10, then 20 h late at 8 for all: 8 080 less 9 900."""
    apply(store.home, ISSUER + ACME + VOLUME)
    ledger = MemoryLedger()
    ledger.hold("k8s:acme", "T4", "2026-01-01T00:00:00Z", "2026-01-21T15:00:00Z", card="GPU-0")  # 495 h
    ledger.hold("k8s:acme", "T4", "2026-01-01T00:00:00Z", "2026-01-21T15:00:00Z", card="GPU-1")
    close(ledger, "2026-01", IN_FEBRUARY, issue=True)
    assert issued()[0].total == 990_000
    hours(ledger, "2026-01-25", 20, card="GPU-2")
    document = bill(ledger, "2026-02", IN_MARCH)
    assert adjusted(document) == [("adjustment 2026-01", "-1", "-1820.00")]
    assert document.lines[0].description == (
        "T4: correction 更正 2026-01, EC-2026-0001: 990.0000 → 1010.0000 card-hours 卡时, 9900.00 → 8080.00 USD"
    )
    assert (document.kind, document.total) == ("credit-note", "-1820.00")
    assert_golden(document, "adjustment_volume")


def test_late_usage_under_a_commitment_that_is_not_met_costs_nothing(store: Store) -> None:
    apply(store.home, ISSUER + ACME + PER_HOUR + CONTRACT + commitment("month", 100))
    ledger = MemoryLedger()
    hours(ledger, "2026-01-05", 10)
    hours(ledger, "2026-02-05", 20)
    close(ledger, "2026-01", IN_FEBRUARY, issue=True)
    assert issued()[0].total == 100_000
    hours(ledger, "2026-01-20", 5)
    document = bill(ledger, "2026-02", IN_MARCH)
    corrections = [line for line in document.lines if line.kind == "adjustment"]
    assert sorted(line.amount for line in corrections) == ["-50.00", "50.00"]
    assert document.total == "1000.00"
    assert_golden(document, "adjustment_commitment")


def test_late_usage_of_an_earlier_month_of_a_commitments_term_is_given_back_with_its_shortfall(store: Store) -> None:
    apply(store.home, ISSUER + ACME + PER_HOUR + CONTRACT + commitment("quarter", 100))
    ledger = MemoryLedger()
    for month in ("01", "02", "03", "04", "05"):
        hours(ledger, f"2026-{month}-05", 10)
    close(ledger, "2026-01", IN_FEBRUARY, issue=True)
    bill(ledger, "2026-02", IN_MARCH)
    assert bill(ledger, "2026-03", IN_APRIL).total == "800.00"  # ten hours used, seventy missing
    hours(ledger, "2026-01-20", 5)
    late = adjusted(bill(ledger, "2026-04", "2026-05-10T00:00:00Z"))
    after = adjusted(bill(ledger, "2026-05", "2026-06-10T00:00:00Z"))
    found = [amount for kind, _, amount in (*late, *after) if kind.startswith("adjustment")]
    assert sorted(found) == ["-50.00", "50.00"]
