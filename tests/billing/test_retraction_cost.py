"""What a retraction would cost: each customer's month before and after, and what belongs to nobody apart."""

from __future__ import annotations

import pytest

from cardhour_billing.effects.retraction_cost import Costs, CustomerCost, UnassignedCost, costs
from cardhour_billing.money import Money
from cardhour_contract.moment import CARD_HOUR_US, QUARTER_MS, QUARTER_US, parse_rfc3339
from cardhour_ingest.warehouse.retraction import Effect
from tests.billing.books import ACME, ISSUER, PRICE, apply, close, issued
from tests.billing.conftest import Store
from tests.billing.memory_ledger import MemoryLedger

DEARER = """
[[price]]
model = "T4"
per = "card-hour"
amount = "3"
from = 2026-01-20T00:00:00Z
"""


def usd(minor: int) -> Money:
    return Money(amount=minor, currency="USD")


def gone(at: str, quarters: int, owner: str = "k8s:acme") -> list[Effect]:
    """Quarter hours from ``at`` on that would not be billable any more."""
    first = parse_rfc3339(at) // QUARTER_MS
    return [
        Effect(
            quarter=first + step, owner=owner, cluster="c1", node="n1", card="GPU-0", model="T4",
            before_us=QUARTER_US, after_us=0,
        )
        for step in range(quarters)
    ]  # fmt: skip


@pytest.fixture
def ledger(store: Store) -> MemoryLedger:
    """Acme held a T4 for ten hours on 5 January and for one at the end of the month; a stranger for two."""
    apply(store.home, ISSUER + ACME + PRICE.replace("[[price]]", "[[price]]\nto = 2026-01-20T00:00:00Z") + DEARER)
    ledger = MemoryLedger()
    ledger.hold("k8s:acme", "T4", "2026-01-05T00:00:00Z", "2026-01-05T10:00:00Z")
    ledger.hold("k8s:acme", "T4", "2026-01-31T23:00:00Z", "2026-02-01T00:00:00Z")
    ledger.hold("k8s:stranger", "T4", "2026-01-25T00:00:00Z", "2026-01-25T02:00:00Z")
    return ledger


def test_each_quarter_is_taken_at_the_price_of_its_time(ledger: MemoryLedger) -> None:
    """Ten hours at 1.616532 and one at 3: an hour of each goes."""
    effects = gone("2026-01-05T09:00:00Z", 4) + gone("2026-01-31T23:00:00Z", 4)
    assert costs(ledger, effects) == Costs(
        customers=[
            CustomerCost(
                customer="acme", month="2026-01", before_us=11 * CARD_HOUR_US, after_us=9 * CARD_HOUR_US,
                before=usd(1617 + 300), after=usd(1455),
            )
        ],
        unassigned=[],
    )  # fmt: skip


def test_an_issued_month_is_named_and_stays(ledger: MemoryLedger) -> None:
    close(ledger, "2026-01", "2026-02-10T00:00:00Z", issue=True)
    (changed,) = costs(ledger, gone("2026-01-05T00:00:00Z", 40)).customers
    (invoice,) = issued()
    assert changed.number == invoice.number
    assert (changed.before, changed.after) == (usd(1917), usd(300))
    assert invoice.total == 1917


def test_a_customer_whose_line_goes_whole_is_left_with_nothing(ledger: MemoryLedger) -> None:
    effects = gone("2026-01-05T00:00:00Z", 40) + gone("2026-01-31T23:00:00Z", 4)
    (changed,) = costs(ledger, effects).customers
    assert (changed.after_us, changed.after) == (0, usd(0))


def test_what_belongs_to_nobody_is_shown_apart_at_list_price(ledger: MemoryLedger) -> None:
    found = costs(ledger, gone("2026-01-25T00:00:00Z", 8, owner="k8s:stranger"))
    assert found == Costs(
        customers=[],
        unassigned=[
            UnassignedCost(
                owner="k8s:stranger", model="T4", month="2026-01", before_us=2 * CARD_HOUR_US, after_us=0,
                before=usd(600), after=None,
            )
        ],
    )  # fmt: skip


def test_who_gains_what_another_loses_pays_for_it(ledger: MemoryLedger) -> None:
    """Acme had half of a card that it now has to itself."""
    first = parse_rfc3339("2026-01-25T10:00:00Z") // QUARTER_MS
    gains = Effect(
        quarter=first, owner="k8s:acme", cluster="c1", node="n1", card="GPU-7", model="T4", before_us=0,
        after_us=QUARTER_US,
    )  # fmt: skip
    (changed,) = costs(ledger, [gains]).customers
    assert changed.after_us - changed.before_us == QUARTER_US
    assert (changed.before, changed.after) == (usd(1917), usd(1992))
