"""Usage of each owner summed over cards, kept beside the pages, so that a month's question need not read them.

Owns when the sums of an hour are computed, and which of them are true. Does not own the pages (``rollup``) nor the
questions (``usage``), which read pages wherever there are no true sums.

Sums are true while they know every word that was said of their hour. Whoever writes pages says so before and after; an
hour is summed up when all that was begun is done, and a word that comes later makes its sums void at once. So no order
of racing rollups, no replaced page and no crash lets a question read sums that its pages have left behind.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

from cardhour_contract.moment import DAY_MS, HOUR_MS
from cardhour_ingest.warehouse.client import Warehouse
from cardhour_ingest.warehouse.sql import sql

QUIET_S = 600
"""How long nothing was written of an hour before it is summed up: the running hour is written every minute."""

DEAD_S = 86_400
"""After which a writer that began and said no more is taken for dead: writing takes seconds. Were it not, its last word
would make the sums void."""

HOURS_AT_ONCE = 240
"""Hours summed up by one rollup. One of 100,000 cards takes 26 ms: a rollup waits some seconds at most."""

HOURS_ASKED_MAX = 400 * DAY_MS // HOUR_MS
"""Hours of a question that are answered from sums; its statement names each. Earlier ones are read from pages."""

STRETCHES_MAX = 50
"""Unbroken stretches of such hours: the statement has a condition for each."""

SUMMED_BY = frozenset({"owner", "model", "cluster", "day"})
"""What sums can still be grouped by."""

Stretch = tuple[int, int]
"""Hours since the epoch, half-open."""


def sum_hours(warehouse: Warehouse, *, quiet_s: int = QUIET_S, dead_s: int = DEAD_S, limit: int = HOURS_AT_ONCE) -> int:
    """Sum up hours whose pages have come to rest; returns how many. May be repeated, and run by several at once."""
    # 1. The words, before pages: sums of pages that changed meanwhile know too few words, and are void from the start.
    rows = warehouse.rows(sql("queries/hours_to_sum"), quiet_s=quiet_s, dead_s=dead_s, limit=limit)
    if not rows:
        return 0
    due = {"hours": [row["hour"] for row in rows], "words": [row["words"] for row in rows]}
    # 2. The pages, once the copy that is read has those that the words speak of.
    warehouse.catch_up()
    warehouse.command(sql("queries/sum_hours"), **due)
    # 3. Only now can they be found. A crash before this repeats them.
    warehouse.command(sql("queries/mark_summed"), **due)
    return len(rows)


def hours_summed(warehouse: Warehouse, first: int, last: int) -> dict[int, int]:
    """The hours from ``first`` to ``last`` with true sums, and how many words those know."""
    rows = warehouse.rows(sql("queries/hours_summed"), first=first, last=last, limit=HOURS_ASKED_MAX)
    # What stands in the list is there as a whole, and the copy that is asked has it too from here on.
    warehouse.catch_up_here("usage_sum")
    words = {row["hour"]: row["words"] for row in rows}
    longest = sorted(_stretches(words), key=lambda each: each[0] - each[1])[:STRETCHES_MAX]
    return {hour: words[hour] for first, end in longest for hour in range(first, end)}


def sums_of(summed: Mapping[int, int], *, only: str) -> str:
    """The part of a usage statement that reads these sums. Numbers are written out: parameters travel in an address."""
    return sql("queries/usage_sums").format(
        summed=", ".join(f"({hour}, {summed[hour]})" for hour in sorted(summed)), only=only
    )


def all_but(summed: Mapping[int, int]) -> str:
    """The condition that keeps a usage statement's pages off these hours, in a form that the engine's index can use."""
    return "".join(f" AND (hour < {first} OR hour >= {end})" for first, end in _stretches(summed))


def _stretches(hours: Mapping[int, int]) -> list[Stretch]:
    """Unbroken stretches of these hours, in order."""
    ordered = sorted(hours)
    if not ordered:
        return []
    breaks = [(one + 1, other) for one, other in pairwise(ordered) if other != one + 1]
    edges = [ordered[0], *(hour for each in breaks for hour in each), ordered[-1] + 1]
    return list(zip(edges[::2], edges[1::2], strict=True))
