"""Which binding decides, and what makes a line: by table and by property."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from cardhour_billing.money import total
from cardhour_billing.month import billing_period, parse_month
from cardhour_billing.rating.binding import BindingRow, Bindings, overlaps
from cardhour_billing.rating.cuts import cuts_ms
from cardhour_billing.rating.price import PriceRow, Prices
from cardhour_billing.rating.rate import Terms, rate
from cardhour_contract.moment import QUARTER_MS, parse_rfc3339
from cardhour_ingest.warehouse.usage import BillableUsage
from tests.billing.memory_ledger import MemoryLedger

JANUARY = billing_period(parse_month("2026-01"), "UTC")
START_MS = JANUARY.start_ms


def binding(
    id: int, owner: str, customer: str, *, cluster: str = "", node: str = "", card: str = "", from_ms: int = START_MS,
    to_ms: int | None = None,
) -> BindingRow:  # fmt: skip
    return BindingRow(
        id=id, owner=owner, customer=customer, cluster=cluster, node=node, card=card, from_ms=from_ms, to_ms=to_ms
    )


def owner_of(rows: list[BindingRow], owner: str, cluster: str, node: str, card: str, at_ms: int = START_MS) -> str:
    found = Bindings(rows).find(owner, cluster, node, card, at_ms)
    return found.customer if found else ""


def test_card_beats_node_beats_cluster_beats_everywhere() -> None:
    rows = [
        binding(1, "k8s:a", "everywhere"),
        binding(2, "k8s:a", "cluster", cluster="c1"),
        binding(3, "*", "node", node="n1"),
        binding(4, "*", "card", card="GPU-1"),
    ]
    assert owner_of(rows, "k8s:a", "c1", "n1", "GPU-1") == "card"
    assert owner_of(rows, "k8s:a", "c1", "n1", "GPU-2") == "node"
    assert owner_of(rows, "k8s:a", "c1", "n2", "GPU-2") == "cluster"
    assert owner_of(rows, "k8s:a", "c2", "n2", "GPU-2") == "everywhere"
    assert owner_of(rows, "k8s:b", "c2", "n2", "GPU-2") == ""


def test_an_exact_owner_beats_a_prefix_and_a_longer_prefix_a_shorter() -> None:
    rows = [binding(1, "k8s:*", "short"), binding(2, "k8s:lab-*", "long"), binding(3, "k8s:lab-7", "exact")]
    assert [owner_of(rows, owner, "", "", "") for owner in ("k8s:lab-7", "k8s:lab-8", "k8s:x", "slurm:x")] == [
        "exact", "long", "short", "",
    ]  # fmt: skip


def test_a_more_specific_binding_that_has_ended_gives_way() -> None:
    rows = [binding(1, "k8s:a", "always"), binding(2, "k8s:a", "once", node="n1", to_ms=START_MS + QUARTER_MS)]
    assert owner_of(rows, "k8s:a", "", "n1", "", START_MS) == "once"
    assert owner_of(rows, "k8s:a", "", "n1", "", START_MS + QUARTER_MS) == "always"


def test_bindings_that_name_two_places_hold_only_where_both_agree() -> None:
    rows = [binding(1, "k8s:a", "both", cluster="c1", node="n1")]
    assert owner_of(rows, "k8s:a", "c1", "n1", "") == "both"
    assert owner_of(rows, "k8s:a", "c2", "n1", "") == ""


def test_what_counts_as_an_overlap() -> None:
    same_node = [binding(1, "k8s:a", "x", node="n1"), binding(2, "k8s:a", "y", node="n1", cluster="c1")]
    assert len(list(overlaps(same_node))) == 1
    apart = [
        binding(1, "k8s:a", "x", node="n1", cluster="c1"),
        binding(2, "k8s:a", "y", node="n1", cluster="c2"),
        binding(3, "k8s:a", "z"),
        binding(4, "k8s:*", "w"),
        binding(5, "k8s:a", "v", node="n2", to_ms=START_MS + QUARTER_MS),
        binding(6, "k8s:a", "u", node="n2", from_ms=START_MS + QUARTER_MS),
    ]
    assert list(overlaps(apart)) == []


@st.composite
def ledgers(draw: st.DrawFn) -> MemoryLedger:
    """Cards held by three owners at odd times of January and beyond."""
    ledger = MemoryLedger()
    for card in range(draw(st.integers(1, 6))):
        at_ms = START_MS - draw(st.integers(0, 10**8))
        for _ in range(draw(st.integers(1, 6))):
            length_ms = draw(st.integers(1, 5 * 10**8))
            owner = draw(st.sampled_from(["k8s:a", "k8s:b", "k8s:c"]))
            model = f"M{card % 2}"
            ledger.held.append((owner, "c1", "n1", f"GPU-{card}", model, at_ms, at_ms + length_ms))
            at_ms += length_ms + draw(st.integers(0, 10**8))
    return ledger


@given(ledgers(), st.lists(st.integers(0, 2975), max_size=4, unique=True), st.integers(0, 10**12))
def test_every_microsecond_is_billed_once_or_reported(ledger: MemoryLedger, changes: list[int], nano: int) -> None:
    """Nothing is dropped and nothing counted twice, wherever prices change; days and cards sum to their line."""
    ends = [*sorted(START_MS + quarter * QUARTER_MS for quarter in changes), None]
    starts = [START_MS - 10**9, *(end for end in ends if end is not None)]
    prices = Prices(
        PriceRow(id=at, model="M0", currency="CNY", nano=nano + at, from_ms=start, to_ms=end)
        for at, (start, end) in enumerate(zip(starts, ends, strict=True))
    )
    bindings = Bindings([binding(1, "k8s:a", "acme"), binding(2, "k8s:b", "beta")])
    cuts = cuts_ms(JANUARY, bindings, prices)
    terms = {name: Terms(customer=name, currency="CNY") for name in ("acme", "beta")}
    usage = list(ledger.billable(JANUARY.start_ms, JANUARY.end_ms, cuts))
    rating = rate(usage, period=JANUARY, bindings=bindings, prices=prices, terms=terms, list_currency="CNY")
    lines = [line for each in rating.lines.values() for line in each]
    billed = sum(line.quantity_us for line in lines)
    reported = sum(each.quantity_us for each in rating.unpriced) + sum(each.quantity_us for each in rating.unassigned)
    assert billed + reported == sum(row.billable_us for row in usage)
    for line in lines:
        assert line.amount == line.price.unit_price.charge(line.quantity_us)
        for shares in (line.days, line.cards):
            assert sum(share.quantity_us for share in shares.values()) == line.quantity_us
            assert total((share.amount for share in shares.values()), "CNY") == line.amount
        assert all(line.price.holds_at(claim.segment_start_ms) for claim in line.claims)


def test_the_order_in_which_usage_arrives_changes_nothing() -> None:
    ledger = MemoryLedger()
    ledger.hold("k8s:a", "M0", "2026-01-05T00:00:00Z", "2026-01-07T00:00:01Z")
    ledger.hold("k8s:a", "M0", "2026-01-05T00:00:00Z", "2026-01-05T00:20:00Z", card="GPU-1", node="n2")
    prices = Prices([PriceRow(id=1, model="M0", currency="CNY", nano=22_840_000_000, from_ms=START_MS)])
    bindings = Bindings([binding(1, "k8s:*", "acme")])
    usage = list(ledger.billable(JANUARY.start_ms, JANUARY.end_ms, cuts_ms(JANUARY, bindings, prices)))
    terms = {"acme": Terms(customer="acme", currency="CNY")}
    one, other = (
        rate(rows, period=JANUARY, bindings=bindings, prices=prices, terms=terms, list_currency="CNY").lines["acme"][0]
        for rows in (usage, usage[::-1])
    )
    assert (one.amount, one.days, one.cards) == (other.amount, other.days, other.cards)


def test_usage_that_bills_nothing_needs_no_price() -> None:
    row = BillableUsage(
        owner="system:mps", cluster="", node="n1", card="GPU-0", model="M9",
        segment_start_ms=parse_rfc3339("2026-01-05T00:00:00Z"), held_us=10, billable_us=0,
    )  # fmt: skip
    rating = rate([row], period=JANUARY, bindings=Bindings([]), prices=Prices([]), terms={}, list_currency="CNY")
    assert (rating.unpriced, rating.unassigned) == ((), ())
