"""Rollup: raw facts to ledger pages, one whole page a card and hour.

The statements run in order, each into a table of its own that lives for one run:

    work      the marks to settle               kept      what of them counts
    page_key  the pages to write                seen      what card records say, under the same rules
    outage    faulted time                      piece     each process without overlaps
    home      where moved cards belong          instant   what stands on a card between two changes
    quick     simple quarters, in one pass      amount    weights to microseconds, floored once
    raw_row   the usage rows of the rest        entry     each owner's and workload's part of a quarter
    record    the same, with late answers       page      the pages, whole
                                                sealed    which of them stay as they were

then ``breach`` and ``publish`` write, ``too_late`` puts aside what came for sealed pages, and ``settle`` closes the
marks. Any number of processes may roll up at once: pages carry the engine's clock from before raw was read, so the
later reader wins (docs/concepts.md).

Owns when pages are computed and published. Does not own what a card-hour is: the statements say that, and the
reference ledger of the tests, written apart from them, must agree to the integer.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable

from msgspec import Struct

from cardhour_contract.moment import DAY_MS, HOUR_MS
from cardhour_ingest.warehouse.client import Warehouse
from cardhour_ingest.warehouse.homes import settle_homes
from cardhour_ingest.warehouse.retirement import Retired, settle_retirements, take_away
from cardhour_ingest.warehouse.rollup.run import Run
from cardhour_ingest.warehouse.sql import sql
from cardhour_ingest.warehouse.sums import sum_hours

PAIRS_MAX = 16_000
"""Dirty (hour, node) pairs of one run: 128 000 pages of 8-card nodes, about 16 M raw rows, under 2 GB of memory."""

SWEEP_LOOKBACK_MS = 62 * DAY_MS
"""How far back a sweep looks: two months, so that a rollup that was down over a month's end still finds its hours."""


class RollupResult(Struct, frozen=True, kw_only=True):
    """What one rollup did. ``breached`` and ``sealed`` count pages that were not written."""

    pairs: int = 0
    """(hour, node) pairs settled."""
    pages: int = 0
    """Pages computed."""
    breached: int = 0
    """Pages whose terms did not add up; they are in ``ledger_breach``."""
    sealed: int = 0
    """Pages that had been computed from more raw rows than are left."""

    def plus(self, other: RollupResult) -> RollupResult:
        return RollupResult(
            pairs=self.pairs + other.pairs,
            pages=self.pages + other.pages,
            breached=self.breached + other.breached,
            sealed=self.sealed + other.sealed,
        )


def roll_up(
    warehouse: Warehouse, *, pairs_max: int = PAIRS_MAX, progress: Callable[[RollupResult, int], None] | None = None
) -> RollupResult:
    """Recompute every page that a mark names which is open now. It does not wait for a moment without marks: while
    ingest runs there may never be one.

    progress: called after each run with the result so far and the number of pairs still open.
    """
    settle_homes(warehouse)
    settle_retirements(warehouse)
    total = RollupResult()
    while True:
        result = _roll_up_some(warehouse, pairs_max)
        total = total.plus(result)
        if progress is not None and result.pairs:
            progress(total, open_pairs(warehouse))
        if result.pairs < pairs_max:
            break  # that run had room for every mark there was when it began
    sum_hours(warehouse)
    return total


def sweep(warehouse: Warehouse, now_ms: int, *, lookback_ms: int = SWEEP_LOOKBACK_MS) -> None:
    """Mark the past hours of every card in use that have no page yet, so that silence is recorded as unobserved."""
    last_hour = now_ms // HOUR_MS
    warehouse.command(
        sql("rollup/sweep"),
        mark=secrets.randbits(64),
        **{"from": max(0, (now_ms - lookback_ms) // HOUR_MS), "to": last_hour},
    )


def open_pairs(warehouse: Warehouse) -> int:
    """How many (hour, node) pairs wait for a recomputation."""
    return int(warehouse.value(sql("rollup/open_pairs")))


def _roll_up_some(warehouse: Warehouse, pairs_max: int) -> RollupResult:
    with Run(warehouse) as run:
        # 1. The marks, before raw: a mark set from here on stays open for the next run.
        pairs = run.choose("rollup/work", limit=pairs_max)
        if not pairs:
            return RollupResult()
        # 2. The version, before raw: of two racing runs, the one that read later wins, whichever writes last.
        version = run.version()
        # 3. Raw to pages, once the copy that is read has the rows that the marks were set for.
        warehouse.catch_up()
        run.compute(version)
        # 4. Breaches first, since one bad row makes the engine refuse a whole insert.
        run.command("rollup/breach", version=version)
        counts = run.rows("rollup/counts")[0]
        # 5. A word before the pages and one after: sums that do not know both are void (``sums``).
        writing = secrets.randbits(64)
        run.command("rollup/word", writing=writing, done=0)
        run.command("rollup/publish", version=version)
        # 6. What a card that was retired meanwhile is not to have, once both are written (``take_away``).
        strays = {row["card"]: [Retired(*span) for span in row["spans"]] for row in run.rows("rollup/stray")}
        take_away(warehouse, strays)
        run.command("rollup/word", writing=writing, done=1)
        if counts["sealed"]:
            # 7. What came for a page that stays as it is, before its mark is settled: none of it is lost silently.
            run.command("rollup/too_late")
        # 8. Settle the marks that were seen. A crash before this repeats the run, which writes the same pages.
        run.command("rollup/settle")
        return RollupResult(pairs=pairs, **{name: int(count) for name, count in counts.items()})
