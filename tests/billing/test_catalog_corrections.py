"""A price, discount or commitment that was billed by and was wrong: refused, unless said to be a correction."""

from __future__ import annotations

from fractions import Fraction

import pytest

from cardhour_billing.answers.verification import verify
from cardhour_billing.catalog.applying import apply_catalog
from cardhour_billing.catalog.file import read_catalog
from cardhour_billing.catalog.plan import plan
from cardhour_billing.frozen.document import decode
from cardhour_billing.models import Price
from cardhour_contract.errors import Refuse
from tests.billing.books import ACME, ISSUER, PRICE, apply, clock_at, close, issued, on_sqlite
from tests.billing.conftest import Store
from tests.billing.golden import assert_golden
from tests.billing.memory_ledger import MemoryLedger

__all__ = ["on_sqlite"]

SINCE = "from = 2026-01-01T00:00:00Z\n"
CONTRACT = f'[[contract]]\nid = "acme-2026"\ncustomer = "acme"\ndiscount = "10"\n{SINCE}'
COMMITMENT = (
    f'[[commitment]]\nid = "base"\ncontract = "acme-2026"\nterm = "month"\ncard_hours = "12"\ntrue_up = "5"\n{SINCE}'
)
AT_TEN = PRICE.replace("1.616532", "10")
MONTHS = {"01": "2026-02-10T00:00:00Z", "02": "2026-03-10T00:00:00Z", "03": "2026-04-10T00:00:00Z"}


@pytest.fixture
def ledger(store: Store) -> MemoryLedger:
    """Acme held a T4 for ten hours in each of three months; January is billed, with two hours too few."""
    apply(store.home, ISSUER + ACME + CONTRACT + COMMITMENT + AT_TEN)
    ledger = MemoryLedger()
    for month in MONTHS:
        ledger.hold("k8s:acme", "T4", f"2026-{month}-05T00:00:00Z", f"2026-{month}-05T10:00:00Z")
    assert bill(ledger, "01") == [("usage", "90.00"), ("commitment", "10.00")]
    return ledger


def bill(ledger: MemoryLedger, month: str) -> list[tuple[str, str]]:
    (closed,) = close(ledger, f"2026-{month}", MONTHS[month], issue=True).invoices
    assert not closed.findings
    return [(line.kind, line.amount) for line in closed.document.lines]


def correct(store: Store, text: str) -> None:
    """``cardhour catalog apply --correct --yes``."""
    path = store.home / "correction.toml"
    path.write_text(text, encoding="utf-8")
    file = read_catalog(path)
    shown = plan(file, correct=True)
    apply_catalog(file, shown, clock=clock_at("2026-02-20T00:00:00Z"), who="tests", correct=True)


@pytest.mark.parametrize(
    ("wrong", "right"), [("10", "9"), ("12", "15"), ("5", "4")], ids=["discount", "card-hours", "true-up"]
)
def test_what_was_billed_by_is_not_changed_by_mistake(
    store: Store, ledger: MemoryLedger, wrong: str, right: str
) -> None:
    with pytest.raises(Refuse, match=r"EC-2026-0001.*; if it was wrong, cardhour catalog apply --correct corrects it"):
        apply(store.home, (CONTRACT + COMMITMENT).replace(f'"{wrong}"', f'"{right}"'))


def test_a_corrected_price_is_settled_with_the_next_document_once(store: Store, ledger: MemoryLedger) -> None:
    correct(store, AT_TEN.replace('"10"', '"8"'))
    newest = Price.objects.latest("pk")
    assert (newest.supersedes is not None, newest.unit_nano) == (True, 8_000_000_000)
    assert bill(ledger, "02") == [("usage", "72.00"), ("commitment", "10.00"), ("adjustment", "-18.00")]
    assert_golden(decode(bytes(issued()[1].frozen)), "adjustment_price")
    assert bill(ledger, "03") == [("usage", "72.00"), ("commitment", "10.00")]
    # What was issued stays what it is, and can be verified under the price of then.
    assert [invoice.total for invoice in issued()] == [10_000, 6_400, 8_200]
    for invoice in issued():
        figures = [check for check in verify(invoice, ledger) if "files" not in check.what]
        assert [check.findings for check in figures if not check.agrees] == []


def test_a_corrected_discount_and_commitment_are_settled_likewise(store: Store, ledger: MemoryLedger) -> None:
    correct(store, CONTRACT.replace('"10"', '"20"') + COMMITMENT.replace('"12"', '"11"'))
    assert bill(ledger, "02") == [
        ("usage", "80.00"), ("commitment", "5.00"), ("adjustment", "-10.00"), ("adjustment", "-5.00"),
    ]  # fmt: skip


@pytest.mark.parametrize("prices", [("8",), ("8", "11.11"), ("0", "10"), ("9.995", "3.33")])
def test_original_and_adjustments_are_the_month_rated_whole(
    store: Store, ledger: MemoryLedger, prices: tuple[str, ...]
) -> None:
    """However often a price is corrected, what was billed of all months is what they come to at the last one."""
    for price, month in zip(prices, ("02", "03"), strict=False):
        correct(store, AT_TEN.replace('"10"', f'"{price}"'))
        bill(ledger, month)
    billed = sum(invoice.total for invoice in issued())
    a_month = Fraction(prices[-1]) * 9 * 100 // 1  # ten hours less ten percent, in whole cents
    assert billed == len(issued()) * (a_month + 1_000)
