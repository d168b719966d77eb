"""How leased cards were used, day by day: idle time is what its lessee pays for and does not use.

Owns the days of each card of a named lease. Used is the lessee's own usage that the lease covers, exactly; faulted is
the ledger's. A pool has no cards of its own. Plain Python.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from cardhour_billing.leases.cover import Covered
from cardhour_billing.leases.lease import LeaseRow
from cardhour_billing.month import BillingPeriod
from cardhour_billing.month_usage.content import LeasedCard
from cardhour_contract.moment import MS_US

if TYPE_CHECKING:
    from cardhour_ingest.warehouse.shares import FaultedDay

CARDS_MAX = 512
"""Cards kept one by one; of more, those of a node are one row, and of more nodes yet, a lease's."""

Days = list[int]


def leased_cards(
    leases: Iterable[LeaseRow],
    covered: Iterable[Covered],
    faulted: Iterable[FaultedDay],
    period: BillingPeriod,
    until_ms: int,
) -> tuple[LeasedCard, ...]:
    """Every card of the named leases of one customer, by lease, node and card."""
    named = [row for row in leases if row.named]
    size = len(period.day_starts_ms)
    used: dict[tuple[str, str, str], Days] = {}
    for each in covered:
        days = used.setdefault((each.lease, each.usage.node, each.usage.card), [0] * size)
        days[_at(period, each.usage.segment_start_ms)] += each.covered_us
    faults: dict[tuple[str, str], Days] = {}
    for day in faulted:
        days = faults.setdefault((day.node, day.card), [0] * size)
        days[int(day.day[8:]) - 1] += day.faulted_us
    found: list[LeasedCard] = []
    for row in named:
        found += _of_lease(row, used, faults, _held(row, period, until_ms))
    return _fewer(found)


def _of_lease(
    row: LeaseRow, used: Mapping[tuple[str, str, str], Days], faults: Mapping[tuple[str, str], Days], held: Days
) -> list[LeasedCard]:
    nodes = {card: node for lease, node, card in used if lease == row.key}
    nodes |= {card: nodes.get(card, node) for node, card in faults if card in row.cards or node in row.nodes}
    nodes |= {card: nodes.get(card, "") for card in row.cards}
    nothing = [0] * len(held)
    cards = []
    for card, node in sorted(nodes.items(), key=lambda item: (item[1], item[0]))[: row.count]:
        by_node = [days for (lease, _, each), days in used.items() if (lease, each) == (row.key, card)]
        own = [sum(parts) for parts in zip(*by_node, strict=True)] if by_node else nothing
        # A fault and a use of one instant are not both: the ledger keeps them apart, and so does the lease's time.
        broken = [
            min(us, whole - use) for us, whole, use in zip(faults.get((node, card), nothing), held, own, strict=True)
        ]
        cards.append(_card(row.key, node, card, held, own, broken))
    if unheard := row.count - len(cards):
        cards.append(_card(row.key, "", "", [us * unheard for us in held], nothing, nothing))
    return cards


def _card(lease: str, node: str, card: str, held: Days, used: Days, faulted: Days) -> LeasedCard:
    return LeasedCard(
        lease=lease, node=node, card=card, leased_us=tuple(held), used_us=tuple(used), faulted_us=tuple(faulted)
    )


def _held(row: LeaseRow, period: BillingPeriod, until_ms: int) -> Days:
    """How long the lease held on each day, as far as is known."""
    ends = (*period.day_starts_ms[1:], period.end_ms)
    held = []
    for start_ms, end_ms in zip(period.day_starts_ms, ends, strict=True):
        until = min(end_ms, until_ms, row.to_ms if row.to_ms is not None else end_ms)
        held.append(max(0, until - max(start_ms, row.from_ms)) * MS_US)
    return held


def _fewer(cards: Sequence[LeasedCard]) -> tuple[LeasedCard, ...]:
    if len(cards) <= CARDS_MAX:
        return tuple(cards)
    by_node = _summed(cards, lambda card: (card.lease, card.node))
    return by_node if len(by_node) <= CARDS_MAX else _summed(cards, lambda card: (card.lease, ""))


def _summed(cards: Sequence[LeasedCard], key: Callable[[LeasedCard], tuple[str, str]]) -> tuple[LeasedCard, ...]:
    groups: dict[tuple[str, str], list[LeasedCard]] = {}
    for card in cards:
        groups.setdefault(key(card), []).append(card)
    return tuple(
        _card(
            lease, node, "",
            *([sum(parts) for parts in zip(*(getattr(card, term) for card in group), strict=True)]
              for term in ("leased_us", "used_us", "faulted_us")),
        )
        for (lease, node), group in sorted(groups.items())
    )  # fmt: skip


def _at(period: BillingPeriod, at_ms: int) -> int:
    return (period.day_of(at_ms) - period.month.first_day).days
