"""What bears on one card: its rows with the owners that late answers gave, and its faults as intervals.

Owns which facts a card's page may look at, and where a quarter has to be cut. Does not own what they add up to.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise

from cardhour_contract.identity import workload_key
from cardhour_contract.interval import Interval
from cardhour_contract.moment import DAY_MS
from cardhour_contract.record import Basis
from tests.ledger.facts import Attribution, Card, CardRow, Facts, FaultRow, Retraction, UsageRow
from tests.ledger.instant import is_unknown
from tests.ledger.places import Stay, basis_at, home_at, stays

FAULT_CAP_MS = DAY_MS
"""A fault that no healthy scan confirms as over ends by itself after a day."""


@dataclass(frozen=True, slots=True)
class Sight:
    """What bears on one card: its rows after attribution, its faults as intervals."""

    card: Card
    usage: tuple[UsageRow, ...]
    card_rows: tuple[CardRow, ...]
    faulted: tuple[Interval, ...]
    retractions: tuple[Retraction, ...]
    stays: tuple[Stay, ...]
    """Where it was at home; none where only one node ever listed it."""

    def at(self, segment: Interval) -> Sight:
        """What covers all of ``segment``, was told by the card's home, and has not been taken back there."""
        back = [each for each in self.retractions if each.covers(*segment)]
        home = home_at(self.stays, segment.start_ms)
        there = self.within(segment)

        def counts(row: UsageRow | CardRow) -> bool:
            return home in (None, row.node) and not any(each.names(row) for each in back)

        return replace(
            there,
            usage=tuple(row for row in there.usage if counts(row)),
            card_rows=tuple(row for row in there.card_rows if counts(row)),
        )

    def within(self, window: Interval) -> Sight:
        return replace(
            self,
            usage=tuple(row for row in self.usage if meets(row.start_ms, row.end_ms, window)),
            card_rows=tuple(row for row in self.card_rows if meets(row.start_ms, row.end_ms, window)),
            faulted=tuple(each for each in self.faulted if meets(each.start_ms, each.end_ms, window)),
        )

    @property
    def held(self) -> tuple[UsageRow, ...]:
        """The rows that count on this card's basis."""
        return tuple(row for row in self.usage if row.basis in (self.card.basis, Basis.IMPORTED))

    def segments(self, window: Interval) -> Iterator[Interval]:
        """The parts of ``window`` in which nothing starts or ends."""
        ends = {window.start_ms, window.end_ms}
        rows: tuple[UsageRow | CardRow | Interval, ...] = (*self.usage, *self.card_rows, *self.faulted)
        for row in rows:
            ends.update(at_ms for at_ms in (row.start_ms, row.end_ms) if window.start_ms < at_ms < window.end_ms)
        ends.update(each.from_ms for each in self.stays if window.start_ms < each.from_ms < window.end_ms)
        for each in self.retractions:
            ends.update(at_ms for at_ms in (each.from_ms, each.to_ms) if window.start_ms < at_ms < window.end_ms)
        yield from (Interval(a, b) for a, b in pairwise(sorted(ends)))


def sight_of(facts: Facts, name: str, hour_ms: int) -> Sight:
    """All that bears on the card ``name``, at any time, with the basis that it has in an hour."""
    card = next(each for each in facts.cards if each.card == name)
    card = replace(card, basis=basis_at(facts, card, hour_ms))
    best: dict[int, Attribution] = {}
    for each in facts.attributions:
        if _retracted(facts, each, each.at_ms):
            continue
        if each.process not in best or _recency(each) > _recency(best[each.process]):
            best[each.process] = each
    closed: defaultdict[tuple[str, int], list[FaultRow]] = defaultdict(list)
    for fault in facts.faults:
        if fault.card in (card.card, card.parent) and not _retracted(facts, fault, fault.opened_at_ms):
            closed[fault.card, fault.opened_at_ms].append(fault)
    return Sight(
        card=card,
        usage=tuple(_attributed(row, best) for row in facts.usage if row.card == name),
        card_rows=tuple(row for row in facts.card_rows if row.card == name),
        faulted=tuple(_fault_interval(opened_at_ms, told) for (_, opened_at_ms), told in closed.items()),
        retractions=facts.retractions,
        stays=stays(facts, name),
    )


def _retracted(facts: Facts, told: FaultRow | Attribution, at_ms: int) -> bool:
    """Whether what was told of an instant was taken back."""
    return any(each.names(told) and each.covers(at_ms, at_ms + 1) for each in facts.retractions)


def _recency(attribution: Attribution) -> tuple[int, str, int, int]:
    """The latest answer wins; of several at one time, the greatest by content, a workload being its key."""
    claim = attribution.claim
    return attribution.at_ms, claim.owner, workload_key(claim.owner, claim.workload), claim.share


def _attributed(row: UsageRow, best: Mapping[int, Attribution]) -> UsageRow:
    if is_unknown(row.claim.owner) and row.process in best:
        return replace(row, claim=best[row.process].claim, reported_owner=row.claim.owner)
    return row


def _fault_interval(opened_at_ms: int, told: Iterable[FaultRow]) -> Interval:
    closed_at_ms = [each.closed_at_ms for each in told if each.closed_at_ms is not None]
    return Interval(opened_at_ms, min([*closed_at_ms, opened_at_ms + FAULT_CAP_MS]))


def meets(start_ms: int, end_ms: int, window: Interval) -> bool:
    """Whether an interval has time in common with ``window``; an empty one has none."""
    return max(start_ms, window.start_ms) < min(end_ms, window.end_ms)
