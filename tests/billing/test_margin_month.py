"""A month's margin out of ledger and books: hours that add up, revenue of the month, cost of the cards there were."""

from __future__ import annotations

import pytest

from cardhour_billing.margin.margin import Margin
from cardhour_billing.margin.month import MonthMargin, month_margin
from cardhour_billing.margin.rows import figures
from cardhour_billing.month import parse_month
from cardhour_contract.errors import Refuse
from cardhour_contract.moment import CARD_HOUR_US
from tests.billing.books import ACME, PRICE, apply, clock_at
from tests.billing.conftest import Store
from tests.billing.memory_ledger import MemoryLedger
from tests.billing.test_lease_charges import ADVANCE, BOOKS, LEASE

COST = """
[[cost]]
model = "A100"
cards_per_server = 8
purchase = "1600000"
depreciation_months = 24
hosting = "10000"
power = "4000"
from = 2026-01-01T00:00:00+08:00
"""
A100 = PRICE.replace("T4", "A100").replace("1.616532", "22.42")
POOL = """
[[lease]]
id = "pool"
customer = "acme"
model = "A100"
count = 1
per = "card-month"
amount = "15000"
from = 2026-10-01T00:00:00+08:00
"""


def margin(ledger: MemoryLedger, month: str = "2026-10", at: str = "2026-11-10T00:00:00Z") -> MonthMargin:
    return month_margin(parse_month(month), ledger, clock_at(at))


def of(found: MonthMargin, model: str = "A100") -> Margin:
    return next(each for each in found.margins if each.name == model)


def hours(row: Margin) -> dict[str, int]:
    named = {name: getattr(row.hours, name) // CARD_HOUR_US for name in row.hours.__struct_fields__}
    return {name.removesuffix("_us"): count for name, count in named.items() if count}


def rented(days: str = "2026-10-02T00:00:00+08:00") -> MemoryLedger:
    """Two cards from the first of October, local time, until ``days``; another's use of one for a day."""
    ledger = MemoryLedger()
    for card in ("GPU-1", "GPU-2"):
        ledger.hold("k8s:acme", "A100", "2026-10-01T00:00:00+08:00", days, card=card)
    ledger.hold("k8s:nobody", "A100", "2026-10-05T00:00:00+08:00", "2026-10-06T00:00:00+08:00", card="GPU-1")
    ledger.fault("GPU-2", "A100", "2026-10-08T00:00:00+08:00", "2026-10-08T12:00:00+08:00")
    return ledger


def test_a_leased_server_that_nobody_watches(store: Store) -> None:
    """Golden: eight A100 for 1.6 million, leased for 133 400 a month, in advance: October earns its rent."""
    apply(store.home, BOOKS + LEASE + ADVANCE + COST)
    row = of(margin(MemoryLedger()))
    assert hours(row) == {"leased": 8 * 744}
    assert figures(row, None) == {
        "capacity_us": 8 * 744 * CARD_HOUR_US, "sold_us": 0, "leased_us": 8 * 744 * CARD_HOUR_US, "unsold_us": 0,
        "idle_us": 0, "faulted_us": 0, "unobserved_us": 0, "rounding_us": 0, "utilisation_percent": "100.00",
        "currency": "CNY", "revenue": "133400.00", "rent": "133400.00", "revenue_per_card_hour": "22.4126",
        "depreciation": "66666.67", "hosting": "10000.00", "power": "4000.00", "cost": "80666.67",
        "gross_margin": "52733.33", "gross_margin_percent": "39.53", "break_even_percent": "60.47",
    }  # fmt: skip


def test_usage_is_told_apart_by_who_pays_it_and_adds_up_to_the_cards_time(store: Store) -> None:
    apply(store.home, BOOKS + A100 + COST)
    row = of(margin(rented()))
    assert hours(row) == {"sold": 48, "unsold": 24, "idle": 2 * 744 - 48 - 24 - 12, "faulted": 12}
    assert row.hours.capacity_us == 2 * 744 * CARD_HOUR_US
    assert (str(row.revenue), figures(row, None)["cost"]) == ("1076.16", "20166.67")


def test_what_a_pool_covers_counts_as_leased_and_its_rent_as_revenue(store: Store) -> None:
    apply(store.home, BOOKS + A100 + POOL)
    row = of(margin(rented()))
    assert {name: hours(row)[name] for name in ("sold", "leased", "unsold")} == {"sold": 24, "leased": 24, "unsold": 24}
    assert (str(row.revenue), str(row.rent)) == ("15538.08", "15000.00")
    assert row.expense is None


def test_credit_for_faulted_time_is_no_revenue(store: Store) -> None:
    named = LEASE.replace('nodes = ["n8"]\ncount = 8', 'cards = ["GPU-1", "GPU-2"]').replace(
        'per = "server-month"', 'per = "card-month"\nsla_credit = "100"'
    )
    apply(store.home, BOOKS + named.replace("133400", "14880"))
    row = of(margin(rented()))
    assert hours(row) == {"leased": 2 * 744 - 12, "faulted": 12}
    assert str(row.revenue) == "29520.00"  # 2 × 14 880, of which one card-hour is 20


def test_a_month_in_progress_is_counted_until_now(store: Store) -> None:
    """On the evening of the tenth of October: ten of 31 days of rent and of cost."""
    apply(store.home, BOOKS + LEASE + COST)
    found = margin(MemoryLedger(), at="2026-10-10T15:30:00Z")
    row = of(found)
    assert (found.ended, hours(row), str(row.revenue)) == (False, {"leased": 8 * 240}, "43032.26")
    assert figures(row, None)["gross_margin_percent"] == "39.53"
    with pytest.raises(Refuse, match="has not begun"):
        margin(MemoryLedger(), month="2027-01", at="2026-10-10T15:30:00Z")


def test_revenue_in_another_currency_is_named_and_in_no_figure(store: Store) -> None:
    euro = ACME.replace('"acme"', '"euro"').replace('name = "Acme Ltd"', 'name = "Euro"\ncurrency = "EUR"')
    listed = A100.replace("22.42", "3") + 'currency = "EUR"\n'
    apply(store.home, BOOKS + euro.replace("k8s:acme", "k8s:euro") + listed)
    ledger = MemoryLedger()
    ledger.hold("k8s:euro", "A100", "2026-10-01T00:00:00+08:00", "2026-10-01T10:00:00+08:00", card="GPU-1")
    found = margin(ledger)
    assert {currency: str(amount) for currency, amount in found.other_currencies.items()} == {"EUR": "30.00"}
    assert (hours(of(found))["sold"], str(of(found).revenue)) == (10, "0.00")


def test_without_books_there_is_nothing_to_reckon(store: Store) -> None:
    with pytest.raises(Refuse, match="catalog apply"):
        margin(MemoryLedger())
