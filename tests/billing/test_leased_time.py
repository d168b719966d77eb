"""``leased_us``: a named lease takes its card's time whole, and the terms of every card add up to its time."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from cardhour_billing.leases.cover import Leases
from cardhour_billing.leases.leased_time import leased_times
from cardhour_contract.moment import CARD_HOUR_US, HOUR_MS, QUARTER_MS
from cardhour_ingest.warehouse.balance import CardTime
from tests.billing.memory_ledger import MemoryLedger
from tests.billing.test_lease import END_MS, POOL, SERVER, START_MS, lease

if TYPE_CHECKING:
    from cardhour_billing.leases.lease import LeaseRow


def times(ledger: MemoryLedger, *rows: LeaseRow) -> dict[str, CardTime]:
    def card_times(from_ms: int, to_ms: int) -> Iterable[CardTime]:
        return ledger.card_times(from_ms, to_ms, END_MS)

    return {each.card: each for each in leased_times(card_times, Leases(rows), START_MS, START_MS + 24 * HOUR_MS)}


def hours(time: CardTime) -> dict[str, int]:
    terms = structs.asdict(time)
    return {name: us // CARD_HOUR_US for name, us in terms.items() if name.endswith("_us") and us}


def fleet() -> MemoryLedger:
    """Ten hours of use and two of fault on one card, three of use on another."""
    ledger = MemoryLedger()
    ledger.hold("k8s:acme", "A100", "2026-10-01T00:00:00Z", "2026-10-01T10:00:00Z", card="GPU-1", node="n1")
    ledger.fault("GPU-1", "A100", "2026-10-01T12:00:00Z", "2026-10-01T14:00:00Z", node="n1")
    ledger.hold("k8s:acme", "A100", "2026-10-01T00:00:00Z", "2026-10-01T03:00:00Z", card="GPU-2", node="n2")
    return ledger


def test_all_but_faulted_time_of_a_leased_card_is_leased() -> None:
    found = times(fleet(), SERVER)
    assert hours(found["GPU-1"]) == {"span_us": 24, "leased_us": 22, "faulted_us": 2}
    assert hours(found["GPU-2"]) == {"span_us": 24, "billable_us": 3, "idle_us": 21}


def test_only_while_the_lease_holds() -> None:
    found = times(fleet(), lease(to_ms=START_MS + 8 * HOUR_MS))
    assert hours(found["GPU-1"]) == {
        "span_us": 24, "billable_us": 2, "leased_us": 8, "idle_us": 12, "faulted_us": 2,
    }  # fmt: skip


def test_what_a_pool_covers_stays_billable() -> None:
    found = times(fleet(), POOL)
    assert hours(found["GPU-1"]) == {"span_us": 24, "billable_us": 10, "idle_us": 12, "faulted_us": 2}


@given(
    st.lists(st.tuples(st.integers(0, 96), st.integers(1, 96), st.sampled_from(["n1", "n2"])), max_size=4),
)
def test_the_terms_add_up_whatever_is_leased_when(spans: list[tuple[int, int, str]]) -> None:
    rows = [
        lease(
            id=number, nodes=(node,), from_ms=START_MS + at * QUARTER_MS,
            to_ms=START_MS + (at + length) * QUARTER_MS,
        )
        for number, (at, length, node) in enumerate(spans)
    ]  # fmt: skip
    found = times(fleet(), *rows)
    assert all(time.terms_us == time.span_us == 24 * CARD_HOUR_US for time in found.values())
    assert found["GPU-1"].faulted_us == 2 * CARD_HOUR_US
