"""Where every card's time went, with the time of leased cards told apart.

Owns deriving ``leased_us``: the ledger knows no leases. All of a named lease's time on a card is leased, used or idle
or not even watched, except what was faulted; so the terms of a card still add up to its time. What a pool lease covers
is usage of cards that nobody leased by name, and stays ``billable_us``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import pairwise
from typing import TYPE_CHECKING

from msgspec import structs

from cardhour_billing.leases.cover import Leases

if TYPE_CHECKING:
    from cardhour_ingest.warehouse.balance import CardTime

CardTimes = Callable[[int, int], "Iterable[CardTime]"]
"""The time of every card in ``[from_ms, to_ms)``, by card and node."""


def leased_times(card_times: CardTimes, leases: Leases, from_ms: int, to_ms: int) -> list[CardTime]:
    """The same time with ``leased_us``, by card and node. The ledger is asked once for each span between two cuts."""
    named = Leases(row for row in leases.rows if row.named)
    ends = sorted({from_ms, to_ms, *(at_ms for at_ms in named.cuts_ms() if from_ms < at_ms < to_ms)})
    found: dict[tuple[str, str], CardTime] = {}
    for start_ms, end_ms in pairwise(ends):
        for time in card_times(start_ms, end_ms):
            lease = named.named_at(time.card, time.node, start_ms)
            known = found.get((time.card, time.node))
            told = _leased(time) if lease else time
            found[time.card, time.node] = added(known, told) if known else told
    return [found[key] for key in sorted(found)]


def added(one: CardTime, other: CardTime) -> CardTime:
    """``one`` with the time of ``other`` added to each of its terms."""
    terms = [name for name in structs.asdict(one) if name.endswith("_us")]
    return structs.replace(one, **{name: getattr(one, name) + getattr(other, name) for name in terms})


def _leased(time: CardTime) -> CardTime:
    return structs.replace(
        time, leased_us=time.span_us - time.faulted_us, billable_us=0, idle_us=0, unobserved_us=0, rounding_us=0
    )
