"""Which usage a lease covers, so that its customer pays nothing for it; and usage on leased cards that is another's.

Owns the rule: a named lease takes all of its cards' usage; a pool lease of N cards takes, of its customer's usage of
its model, N card-quarters in each quarter hour, cards in the order of their UUIDs. What no lease takes is rated. Does
not own rating (``rating``) nor what a lease costs (``lease``). Plain Python.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from msgspec import Struct

from cardhour_billing.leases.lease import LeaseRow
from cardhour_billing.rating.binding import Bindings
from cardhour_billing.rating.rated import UsageSum
from cardhour_contract.moment import QUARTER_US


class Place(NamedTuple):
    """What a sum of usage is known by: whose, where, and the segment it lies in."""

    owner: str
    cluster: str
    node: str
    card: str
    model: str
    segment_start_ms: int


class Usage(Struct, frozen=True, kw_only=True):
    """A sum of usage, or what leases left of it."""

    owner: str
    cluster: str
    node: str
    card: str
    model: str
    segment_start_ms: int
    billable_us: int


class Covered(NamedTuple):
    """Usage that a lease takes: a whole sum, or part of it."""

    customer: str
    lease: str
    """The lease's key."""
    usage: UsageSum
    """The whole sum."""
    covered_us: int


class Intrusion(NamedTuple):
    """Usage on a leased card that is not its lessee's: billed to nobody."""

    lease: LeaseRow
    customer: str
    """Whose usage it is."""
    owner: str
    card: str
    node: str
    first_at_ms: int
    quantity_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Cover:
    """Usage under leases. ``rest`` is what is left to rate, in the order in which it came."""

    rest: tuple[UsageSum, ...]
    covered: tuple[Covered, ...] = ()
    intrusions: tuple[Intrusion, ...] = ()

    def by_customer(self) -> dict[str, tuple[Covered, ...]]:
        """What leases took, of each customer that has some."""
        found: dict[str, list[Covered]] = {}
        for each in self.covered:
            found.setdefault(each.customer, []).append(each)
        return {customer: tuple(taken) for customer, taken in found.items()}


class Leases:
    """Leases, indexed so that finding one does not depend on how many there are."""

    def __init__(self, rows: Iterable[LeaseRow] = ()) -> None:
        self.rows = tuple(rows)
        self._cards: dict[str, list[LeaseRow]] = {}
        self._nodes: dict[str, list[LeaseRow]] = {}
        self._pools: dict[tuple[str, str], list[LeaseRow]] = {}
        self._customers: dict[str, list[LeaseRow]] = {}
        for row in self.rows:
            self._customers.setdefault(row.customer, []).append(row)
            for card in row.cards:
                self._cards.setdefault(card, []).append(row)
            for node in row.nodes:
                self._nodes.setdefault(node, []).append(row)
            if not row.named:
                self._pools.setdefault((row.customer, row.model), []).append(row)

    @property
    def pooled_models(self) -> frozenset[str]:
        return frozenset(model for _, model in self._pools)

    def named_at(self, card: str, node: str, at_ms: int) -> LeaseRow | None:
        """The named lease that owns a card then: one that names the card beats one that names its node."""
        found: list[LeaseRow] = [*self._cards.get(card, ()), *self._nodes.get(node, ())]
        return next((row for row in found if row.holds_at(at_ms)), None)

    def pools(self, customer: str, model: str) -> Sequence[LeaseRow]:
        """Pool leases of a customer for a model, whenever they hold."""
        return self._pools.get((customer, model), ())

    def of(self, customer: str, from_ms: int, to_ms: int) -> tuple[LeaseRow, ...]:
        """A customer's leases that hold at some time in ``[from_ms, to_ms)``."""
        return tuple(row for row in self._customers.get(customer, ()) if row.within(from_ms, to_ms))

    def cuts_ms(self) -> set[int]:
        """Instants at which a lease begins or ends."""
        ends = {row.to_ms for row in self.rows if row.to_ms is not None}
        return ends | {row.from_ms for row in self.rows}


@dataclass(slots=True, kw_only=True)
class _Sorting:
    """Usage while it is being sorted."""

    rest: list[UsageSum] = field(default_factory=list)
    covered: list[Covered] = field(default_factory=list)
    intrusions: dict[tuple[int, str, str, str, str], tuple[LeaseRow, int, int]] = field(default_factory=dict)
    pooled: dict[Place, str] = field(default_factory=dict)
    """The customer of each sum that a pool may take a part of."""


Quarters = Callable[[set[str], set[str]], Iterable[UsageSum]]
"""Usage quarter hour by quarter hour, of these models and these owners."""


def cover(
    usage: Iterable[UsageSum], quarters: Quarters, bindings: Bindings, leases: Leases, cuts_ms: Sequence[int]
) -> Cover:
    """Usage under all leases. Quarter hours are asked for only where a pool may take of them."""
    if not leases.rows:
        return Cover(rest=tuple(usage))
    named, pooled = cover_named(usage, bindings, leases)
    if not pooled:
        return named
    asked = quarters({place.model for place in pooled}, {place.owner for place in pooled})
    return cover_pools(named, pooled, asked, leases, cuts_ms)


def cover_named(usage: Iterable[UsageSum], bindings: Bindings, leases: Leases) -> tuple[Cover, Mapping[Place, str]]:
    """Usage cut where bindings and leases change, without what named leases take; and what pools may take, by place.

    On a leased card, what is bound to nobody is its lessee's: the card is.
    """
    sorting = _Sorting()
    for row in usage:
        if row.billable_us:
            _sort(sorting, row, bindings, leases)
    intrusions = tuple(
        Intrusion(lease, customer, owner, card, node, first_ms, us)
        for (_, customer, owner, card, node), (lease, first_ms, us) in sorted(
            sorting.intrusions.items(), key=lambda item: item[0]
        )
    )
    named = Cover(rest=tuple(sorting.rest), covered=tuple(sorting.covered), intrusions=intrusions)
    return named, sorting.pooled


def _sort(sorting: _Sorting, row: UsageSum, bindings: Bindings, leases: Leases) -> None:
    at_ms = row.segment_start_ms
    binding = bindings.find(row.owner, row.cluster, row.node, row.card, at_ms)
    customer = binding.customer if binding else ""
    lease = leases.named_at(row.card, row.node, at_ms)
    if lease is None:
        sorting.rest.append(row)
        if leases.pools(customer, row.model):
            sorting.pooled[place_of(row)] = customer
    elif customer in ("", lease.customer):
        sorting.covered.append(Covered(lease.customer, lease.key, row, row.billable_us))
    else:
        key = (lease.id, customer, row.owner, row.card, row.node)
        _, first_ms, us = sorting.intrusions.get(key, (lease, at_ms, 0))
        sorting.intrusions[key] = lease, min(first_ms, at_ms), us + row.billable_us


def cover_pools(
    named: Cover, pooled: Mapping[Place, str], quarters: Iterable[UsageSum], leases: Leases, cuts_ms: Sequence[int]
) -> Cover:
    """``named`` with what pool leases take as well.

    pooled: customers by place, of the sums that a pool may take of.
    quarters: at least the usage of those sums, quarter hour by quarter hour. ``cuts_ms``: where the sums were cut.
    """
    by_quarter: dict[tuple[str, str, int], list[tuple[Place, int]]] = {}
    for row in quarters:
        place = place_of(row)._replace(segment_start_ms=segment_of(row.segment_start_ms, cuts_ms))
        if place in pooled:
            by_quarter.setdefault((pooled[place], row.model, row.segment_start_ms), []).append((place, row.billable_us))
    taken: dict[tuple[Place, str], int] = {}
    for (customer, model, at_ms), found in by_quarter.items():
        _take(taken, [row for row in leases.pools(customer, model) if row.holds_at(at_ms)], found)
    left: dict[Place, int] = {}
    for (place, _), us in taken.items():
        left[place] = left.get(place, 0) + us
    sums = {place_of(row): row for row in named.rest if place_of(row) in left}
    covered = [Covered(pooled[place], key, sums[place], us) for (place, key), us in sorted(taken.items())]
    rest = [uncovered(row, left.get(place_of(row), 0)) for row in named.rest]
    return Cover(
        rest=tuple(row for row in rest if row.billable_us),
        covered=(*named.covered, *covered),
        intrusions=named.intrusions,
    )


def _take(taken: dict[tuple[Place, str], int], pools: Sequence[LeaseRow], found: list[tuple[Place, int]]) -> None:
    """Let the pools of one customer take what they may of one quarter hour."""
    room = {row.key: row.count * QUARTER_US for row in sorted(pools, key=lambda row: (row.from_ms, row.key))}
    for place, us in sorted(found, key=lambda each: (each[0].card, each[0])):
        left_us = us
        for key in room:
            part_us = min(left_us, room[key])
            if part_us:
                taken[place, key] = taken.get((place, key), 0) + part_us
                room[key] -= part_us
                left_us -= part_us


def uncovered(row: UsageSum, covered_us: int) -> UsageSum:
    """What is left of a sum of which so much is taken away."""
    if not covered_us:
        return row
    return Usage(**place_of(row)._asdict(), billable_us=row.billable_us - covered_us)


def place_of(row: UsageSum) -> Place:
    """What a sum is known by."""
    return Place(row.owner, row.cluster, row.node, row.card, row.model, row.segment_start_ms)


def segment_of(at_ms: int, cuts_ms: Sequence[int]) -> int:
    """The last cut (ascending) at or before an instant."""
    return cuts_ms[bisect_right(cuts_ms, at_ms) - 1]


def bindings_of(covered: Iterable[Covered], bindings: Bindings) -> frozenset[int]:
    """The ids of the bindings that assigned covered usage."""
    places = (place_of(each.usage) for each in covered)
    found = (
        bindings.find(place.owner, place.cluster, place.node, place.card, place.segment_start_ms) for place in places
    )
    return frozenset(row.id for row in found if row)
