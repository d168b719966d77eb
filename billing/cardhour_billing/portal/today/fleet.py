"""Cards and nodes at present, as the page shows them.

Owns which state a card counts in, and what is silent. A card counts in the state that most of the last whole quarter
hour went to: the ledger's grain, rolled up a moment after it ends. What was read is kept for a minute, whoever looks.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable

from django.core.cache import cache
from msgspec import Struct

from cardhour_billing.config import BillingConfig
from cardhour_billing.usage.store import kept_warehouse
from cardhour_contract.moment import DAY_MS, HOUR_MS, MINUTE_MS, QUARTER_MS, floor_to

STATES = ("billable", "idle", "faulted", "unobserved")
ROLLED_UP_MS = 2 * MINUTE_MS
"""After a quarter hour's end its pages are written: reports travel for a while."""
SILENT_MS = 10 * MINUTE_MS
"""A node that has sent nothing for so long is silent; agents report every minute or so."""
KNOWN_MS = 7 * DAY_MS
"""A node that was not heard of for a week is gone, not silent."""
HOURS = 7 * 24
KEPT_S = 60
OLD_S = 3 * 60
"""How old it may be shown while somebody reads it anew."""
_reading = threading.Lock()


class Silent(Struct, frozen=True, kw_only=True):
    """A node that says nothing, and since when."""

    node: str
    since_ms: int


class Hour(Struct, frozen=True, kw_only=True):
    """An hour of the fleet: card-microseconds in the order of ``STATES``; rounding counts as idle."""

    start_ms: int
    terms_us: tuple[int, ...]


class Fleet(Struct, frozen=True, kw_only=True):
    """What there is to see of the cards. ``counts`` are cards by state, in the order of ``STATES``."""

    read_at_ms: int
    from_ms: int
    """The quarter hour that the cards are shown in."""
    counts: tuple[int, ...]
    nodes: int
    silent: tuple[Silent, ...]
    letters: int
    """Messages of the last week that could not be read."""
    hours: tuple[Hour, ...]

    @property
    def cards(self) -> int:
        return sum(self.counts)


def fleet_now(config: BillingConfig, now_ms: int) -> Fleet:
    """The fleet as it is, or as it was within the last minute. Raises Retry where the usage store is away."""
    known: Fleet | None = cache.get("today:fleet")
    age_ms = now_ms - known.read_at_ms if known else -1
    if known is not None and 0 <= age_ms < KEPT_S * 1000:
        return known
    lately = known if 0 <= age_ms < OLD_S * 1000 else None
    # One reads; meanwhile the others show what was read a moment ago, rather than read the same.
    if not _reading.acquire(blocking=lately is None):
        return lately or _read(config, now_ms)
    try:
        found = _read(config, now_ms)
        cache.set("today:fleet", found, OLD_S)
        return found
    finally:
        _reading.release()


def _read(config: BillingConfig, now_ms: int) -> Fleet:
    from cardhour_ingest.warehouse.balance import decompose
    from cardhour_ingest.warehouse.now import fleet_hours, nodes_heard
    from cardhour_ingest.warehouse.usage import attention

    to_ms = floor_to(now_ms - ROLLED_UP_MS, QUARTER_MS)
    from_ms, week_ms = to_ms - QUARTER_MS, floor_to(now_ms, HOUR_MS) - HOURS * HOUR_MS
    with kept_warehouse(config) as warehouse:
        times = decompose(warehouse, from_ms, to_ms, now_ms)
        heard = nodes_heard(warehouse, now_ms - KNOWN_MS)
        hours = fleet_hours(warehouse, week_ms, week_ms + HOURS * HOUR_MS)
        letters = attention(warehouse, week_ms, to_ms).dead_letters
    by_card: dict[str, list[int]] = {}
    for each in times:
        terms = (each.billable_us + each.leased_us, each.idle_us, each.faulted_us, each.unobserved_us)
        known = by_card.setdefault(each.card, [0] * len(STATES))
        by_card[each.card] = [before + us for before, us in zip(known, terms, strict=True)]
    return Fleet(
        read_at_ms=now_ms,
        from_ms=from_ms,
        counts=_counts(by_card.values()),
        nodes=len(heard),
        silent=tuple(
            Silent(node=each.node, since_ms=each.heard_at_ms) for each in heard if now_ms - each.heard_at_ms > SILENT_MS
        ),
        letters=letters,
        hours=tuple(
            Hour(
                start_ms=each.start_ms,
                terms_us=(
                    each.billable_us,
                    each.idle_us + each.rounding_us,
                    each.faulted_us,
                    each.unobserved_us,
                ),
            )
            for each in hours
        ),
    )


def _counts(cards: Iterable[list[int]]) -> tuple[int, ...]:
    counts = [0] * len(STATES)
    for terms in cards:
        counts[terms.index(max(terms))] += 1
    return tuple(counts)
