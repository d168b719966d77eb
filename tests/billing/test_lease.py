"""What a lease costs, when it is due, and which usage it covers: plain rules, by hand and by property."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from cardhour_billing.leases.cover import Cover, Leases, cover_named, cover_pools
from cardhour_billing.leases.lease import LeaseRow, overlaps
from cardhour_billing.rating.binding import BindingRow, Bindings
from cardhour_contract.moment import CARD_HOUR_US, DAY_MS, QUARTER_MS, QUARTER_US, format_rfc3339, parse_rfc3339
from tests.billing.memory_ledger import MemoryLedger

START_MS = parse_rfc3339("2026-10-01T00:00:00Z")
END_MS = parse_rfc3339("2026-11-01T00:00:00Z")
SERVER = LeaseRow(
    id=1, key="acme-1", customer="acme", model="A100", nodes=("n1",), count=8, per="server-month", currency="CNY",
    nano=133_400 * 10**9, from_ms=START_MS,
)  # fmt: skip
POOL = structs.replace(SERVER, id=2, key="acme-pool", nodes=(), count=2, per="card-month")


def lease(of: LeaseRow = SERVER, **changes: Any) -> LeaseRow:
    return structs.replace(of, **changes)


def price(row: LeaseRow, from_: str, to: str) -> list[str]:
    """What a lease costs between two days, period by period."""
    from_ms, to_ms = parse_rfc3339(f"{from_}T00:00:00Z"), parse_rfc3339(f"{to}T00:00:00Z")
    costs = []
    for period in row.periods(from_ms, to_ms, "UTC"):
        span = row.within(max(period.start_ms, from_ms), min(period.end_ms, to_ms))
        costs.append(str(row.price_of(period, *span)) if span else "")
    return costs


def test_a_server_by_the_month_and_by_the_half() -> None:
    assert price(SERVER, "2026-10-01", "2026-12-01") == ["133400.00", "133400.00"]
    assert price(lease(to_ms=START_MS + 15 * DAY_MS), "2026-10-01", "2026-11-01") == ["64548.39"]


def test_cards_by_the_month_and_by_the_hour() -> None:
    """Two cards at 2 000 a month; eight at 2.50 an hour for the 744 hours of October."""
    assert price(lease(POOL, nano=2_000 * 10**9), "2026-10-01", "2026-11-01") == ["4000.00"]
    assert price(lease(per="card-hour", nano=2_500_000_000), "2026-10-01", "2026-11-01") == ["14880.00"]


def test_an_anniversary_lease_is_paid_from_its_day_to_its_day() -> None:
    mid = lease(cycle="anniversary", from_ms=parse_rfc3339("2026-10-15T00:00:00Z"))
    (october, november) = mid.periods(END_MS - DAY_MS, END_MS + 20 * DAY_MS, "UTC")
    assert [format_rfc3339(each.start_ms)[:10] for each in (october, november)] == ["2026-10-15", "2026-11-15"]
    assert mid.due_ms(october) == october.end_ms
    assert lease(mid, billing="advance").due_ms(october) == october.start_ms


def test_faulted_time_gives_back_its_part_of_the_price() -> None:
    """Eight cards for 744 hours are 5 952 card-hours of 133 400: one faulted card-day is 24 of them, 537.90."""
    (october,) = SERVER.periods(START_MS, END_MS, "UTC")
    full = lease(sla_ppm=1_000_000)
    assert str(full.sla_credit(october, 24 * CARD_HOUR_US)) == "537.90"
    assert str(lease(sla_ppm=500_000).sla_credit(october, 24 * CARD_HOUR_US)) == "268.95"
    assert SERVER.sla_credit(october, 24 * CARD_HOUR_US).amount == 0
    assert str(lease(sla_ppm=10_000_000).sla_credit(october, 5_952 * CARD_HOUR_US)) == "133400.00"


def test_two_leases_of_one_card_at_one_time_are_found() -> None:
    one = lease(nodes=(), cards=("GPU-1", "GPU-2"), to_ms=END_MS)
    later = lease(one, id=2, from_ms=END_MS, to_ms=None)
    both = lease(one, id=3, cards=("GPU-2",), from_ms=END_MS - QUARTER_MS, to_ms=None)
    assert list(overlaps([one, later])) == []
    assert [(a.id, b.id, card) for a, b, card in overlaps([one, later, both])] == [(1, 3, "GPU-2"), (2, 3, "GPU-2")]


BINDINGS = Bindings(
    BindingRow(id=number, customer=customer, owner=f"k8s:{customer}", from_ms=START_MS)
    for number, customer in enumerate(("acme", "beta"), start=1)
)


def cover(ledger: MemoryLedger, *rows: LeaseRow) -> Cover:
    leases = Leases(rows)
    cuts = sorted({START_MS, *(at_ms for at_ms in leases.cuts_ms() if START_MS <= at_ms < END_MS)})
    named, pooled = cover_named(ledger.billable(START_MS, END_MS, cuts), BINDINGS, leases)
    owners = {place.owner for place in pooled}
    quarters = ledger.billable_quarters(START_MS, END_MS, models=leases.pooled_models, owners=owners)
    return cover_pools(named, pooled, quarters, leases, cuts)


def held(of: Cover) -> dict[tuple[str, str], int]:
    """What is left to rate, by owner and card, in quarter hours."""
    sums: dict[tuple[str, str], int] = {}
    for row in of.rest:
        sums[row.owner, row.card] = sums.get((row.owner, row.card), 0) + row.billable_us // QUARTER_US
    return sums


def test_a_named_lease_takes_its_cards_whole_and_only_while_it_holds() -> None:
    ledger = MemoryLedger()
    ledger.hold("k8s:acme", "A100", "2026-10-10T00:00:00Z", "2026-10-10T02:00:00Z", card="GPU-1", node="n1")
    ledger.hold("unknown:gone", "A100", "2026-10-10T02:00:00Z", "2026-10-10T03:00:00Z", card="GPU-1", node="n1")
    ledger.hold("k8s:acme", "A100", "2026-10-10T00:00:00Z", "2026-10-10T01:00:00Z", card="GPU-9", node="n2")
    found = cover(ledger, lease(to_ms=parse_rfc3339("2026-10-10T01:00:00Z")))
    assert held(found) == {("k8s:acme", "GPU-1"): 4, ("unknown:gone", "GPU-1"): 4, ("k8s:acme", "GPU-9"): 4}
    found = cover(ledger, SERVER)
    assert held(found) == {("k8s:acme", "GPU-9"): 4}
    assert {(each.lease, each.usage.owner) for each in found.covered} == {
        ("acme-1", "k8s:acme"), ("acme-1", "unknown:gone"),
    }  # fmt: skip


def test_a_card_that_is_named_belongs_to_that_lease_and_not_to_its_nodes() -> None:
    ledger = MemoryLedger()
    ledger.hold("k8s:beta", "A100", "2026-10-10T00:00:00Z", "2026-10-10T01:00:00Z", card="GPU-1", node="n1")
    own = lease(id=2, key="beta-1", customer="beta", nodes=(), cards=("GPU-1",))
    assert [each.lease for each in cover(ledger, SERVER, own).covered] == ["beta-1"]


def test_anothers_usage_on_a_leased_card_is_nobodys_and_is_named() -> None:
    ledger = MemoryLedger()
    ledger.hold("k8s:beta", "A100", "2026-10-10T00:00:00Z", "2026-10-10T01:00:00Z", card="GPU-1", node="n1")
    ledger.hold("k8s:beta", "A100", "2026-10-12T00:00:00Z", "2026-10-12T01:00:00Z", card="GPU-1", node="n1")
    found = cover(ledger, SERVER)
    assert (found.rest, found.covered) == ((), ())
    (intrusion,) = found.intrusions
    assert (intrusion.lease.key, intrusion.customer, intrusion.owner, intrusion.card, intrusion.node) == (
        "acme-1", "beta", "k8s:beta", "GPU-1", "n1",
    )  # fmt: skip
    assert (intrusion.first_at_ms, intrusion.quantity_us) == (START_MS, 2 * CARD_HOUR_US)


def test_a_pool_of_two_takes_two_cards_in_the_order_of_their_names_and_leaves_the_third() -> None:
    """For an hour three cards are held, then for an hour one: the pool takes 2 + 1, and one card-hour is left."""
    ledger = MemoryLedger()
    for card, to in (("GPU-3", "01:00"), ("GPU-1", "01:00"), ("GPU-2", "02:00")):
        ledger.hold("k8s:acme", "A100", "2026-10-10T00:00:00Z", f"2026-10-10T{to}:00Z", card=card)
    ledger.hold("k8s:beta", "A100", "2026-10-10T00:00:00Z", "2026-10-10T01:00:00Z", card="GPU-0")
    ledger.hold("k8s:acme", "H100", "2026-10-10T00:00:00Z", "2026-10-10T01:00:00Z", card="GPU-H")
    found = cover(ledger, POOL)
    assert held(found) == {("k8s:acme", "GPU-3"): 4, ("k8s:beta", "GPU-0"): 4, ("k8s:acme", "GPU-H"): 4}
    assert {each.usage.card: each.covered_us for each in found.covered} == {
        "GPU-1": CARD_HOUR_US, "GPU-2": 2 * CARD_HOUR_US,
    }  # fmt: skip


def test_what_is_not_used_in_one_quarter_is_not_there_in_the_next() -> None:
    """Four cards in one quarter, none in the next: a pool of two still takes two of the four."""
    ledger = MemoryLedger()
    for number in range(4):
        ledger.hold("k8s:acme", "A100", "2026-10-10T00:00:00Z", "2026-10-10T00:15:00Z", card=f"GPU-{number}")
    assert held(cover(ledger, POOL)) == {("k8s:acme", "GPU-2"): 1, ("k8s:acme", "GPU-3"): 1}


def test_two_pools_take_together_and_each_says_what_it_took() -> None:
    ledger = MemoryLedger()
    for number in range(4):
        ledger.hold("k8s:acme", "A100", "2026-10-10T00:00:00Z", "2026-10-10T00:15:00Z", card=f"GPU-{number}")
    second = lease(POOL, id=3, key="burst", count=1, from_ms=START_MS + DAY_MS)
    found = cover(ledger, POOL, second)
    assert [(each.lease, each.usage.card) for each in found.covered] == [
        ("acme-pool", "GPU-0"), ("acme-pool", "GPU-1"), ("burst", "GPU-2"),
    ]  # fmt: skip


def test_usage_on_a_named_card_does_not_draw_on_the_pool() -> None:
    ledger = MemoryLedger()
    for number in range(4):
        node = "n1" if number < 2 else "n2"
        ledger.hold("k8s:acme", "A100", "2026-10-10T00:00:00Z", "2026-10-10T01:00:00Z", card=f"GPU-{number}", node=node)
    assert held(cover(ledger, SERVER, POOL)) == {}


@given(
    st.lists(
        st.tuples(st.sampled_from(["acme", "beta"]), st.integers(0, 3), st.integers(0, 20), st.integers(1, 9)),
        max_size=12,
    ),
    st.integers(1, 3),
    st.integers(0, 24),
)
def test_nothing_is_lost_and_a_pool_never_takes_more_than_it_has(
    holds: list[tuple[str, int, int, int]], size: int, ends: int
) -> None:
    """Covered and left sum to what was held, card by card; in no quarter does the pool take more than its cards."""
    ledger = MemoryLedger()
    for number, (customer, node, at, length) in enumerate(holds):
        from_ms = START_MS + at * QUARTER_MS // 2
        span = format_rfc3339(from_ms), format_rfc3339(from_ms + length * QUARTER_MS // 3)
        ledger.hold(f"k8s:{customer}", "A100", *span, card=f"GPU-{number}", node=f"n{node}")
    pool = lease(POOL, count=size, to_ms=START_MS + (ends + 1) * QUARTER_MS)
    found = cover(ledger, SERVER, pool)
    whole = sum(row.billable_us for row in ledger.billable(START_MS, END_MS, ()))
    covered = sum(each.covered_us for each in found.covered)
    intruded = sum(each.quantity_us for each in found.intrusions)
    assert sum(row.billable_us for row in found.rest) + covered + intruded == whole
    assert all(0 < each.covered_us <= each.usage.billable_us for each in found.covered)
    by_pool = sum(each.covered_us for each in found.covered if each.lease == pool.key)
    quarters: dict[int, int] = {}
    for row in ledger.billable_quarters(START_MS, END_MS, models=["A100"], owners=["k8s:acme"]):
        if row.node != "n1" and pool.holds_at(row.segment_start_ms):
            quarters[row.segment_start_ms] = quarters.get(row.segment_start_ms, 0) + row.billable_us
    assert by_pool == sum(min(us, size * QUARTER_US) for us in quarters.values())
