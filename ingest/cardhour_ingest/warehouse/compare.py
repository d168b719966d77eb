"""Is the ledger what raw facts give? Rebuilding pages, and comparing them without writing any.

Owns both operations on a span of whole hours, and the record of the differences. Does not own computing pages
(``rollup``) nor what is done about a difference: a person looks first, because the code that computed a page may have
changed as well as its rows.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from typing import Any

import pyarrow as pa
from msgspec import Struct

from cardhour_contract.errors import Refuse
from cardhour_contract.moment import HOUR_MS, ceil_to, floor_to, format_rfc3339
from cardhour_ingest.warehouse.client import Warehouse
from cardhour_ingest.warehouse.rollup import RollupResult, roll_up
from cardhour_ingest.warehouse.rollup.run import Run
from cardhour_ingest.warehouse.sql import sql

HOURS_COMPARED = 6
"""Hours computed at once: at 10,000 cards, 60,000 pages, as large as one run of the rollup."""

Told = Callable[[int, int], None]
"""Told how many are done, and of how many."""


class Rebuilt(Struct, frozen=True, kw_only=True):
    """What a rebuild did."""

    pages: int
    """Pages that the span has now."""
    changed: int
    """Those that say something else than before, or were not there. A rebuild of settled hours changes none."""
    sealed: int
    """Those that were kept, because raw rows they were computed from have expired."""
    breached: int


class Difference(Struct, frozen=True, kw_only=True):
    """A page that raw gives otherwise than the ledger has it. Pages as JSON; empty where the ledger has none."""

    hour: int
    card: str
    ledger: str
    raw: str


def rebuild(warehouse: Warehouse, from_ms: int, to_ms: int, *, progress: Told = lambda done, of: None) -> Rebuilt:
    """Compute every page of whole hours ``[from_ms, to_ms)`` anew from raw, and say how many changed."""
    span = whole_hours(from_ms, to_ms)
    roll_up(warehouse)
    before = f"digest_{secrets.token_hex(6)}"
    warehouse.command(sql("queries/page_digest"), digest=before, **span)
    try:
        warehouse.command(sql("rollup/mark_span"), mark=secrets.randbits(64), **span)

        def told(done: RollupResult, left: int) -> None:
            progress(done.pairs, done.pairs + left)

        rolled = roll_up(warehouse, progress=told)
        found = warehouse.rows(sql("queries/pages_changed"), digest=before, **span)[0]
    finally:
        warehouse.command("DROP TABLE {digest:Identifier}", digest=before)
    return Rebuilt(pages=found["pages"], changed=found["changed"], sealed=rolled.sealed, breached=rolled.breached)


def compare(
    warehouse: Warehouse, from_ms: int, to_ms: int, *, progress: Told = lambda done, of: None
) -> list[Difference]:
    """The pages of whole hours ``[from_ms, to_ms)`` that raw gives otherwise; they are recorded as well.

    Changes no page. Hours that wait for a rollup, and sealed pages, are left out.
    """
    span = whole_hours(from_ms, to_ms)
    found: list[Difference] = []
    for part in _parts(span["from"], span["to"]):
        with Run(warehouse) as run:
            if run.choose("rollup/work_span", **part):
                run.compute(run.version())
                found += [Difference(**row) for row in run.rows("rollup/differences")]
        progress(part["to"] - span["from"], span["to"] - span["from"])
    if found:
        warehouse.insert("ledger_difference", _table(warehouse.value("SELECT now64(6, 'UTC')"), found))
    return found


def whole_hours(from_ms: int, to_ms: int) -> dict[str, int]:
    """The span in hours since the epoch, pages being whole hours; refuses any other with the nearest ones."""
    for name, at_ms in (("from", from_ms), ("to", to_ms)):
        if at_ms % HOUR_MS:
            before, after = floor_to(at_ms, HOUR_MS), ceil_to(at_ms, HOUR_MS)
            raise Refuse(
                f"--{name} {format_rfc3339(at_ms)} is off the hour, and a page is a whole one: "
                f"use {format_rfc3339(before)} or {format_rfc3339(after)}"
            )
    if to_ms <= from_ms:
        raise Refuse(f"--to {format_rfc3339(to_ms)} is not after --from {format_rfc3339(from_ms)}")
    return {"from": from_ms // HOUR_MS, "to": to_ms // HOUR_MS}


def _parts(first: int, end: int) -> Iterator[dict[str, int]]:
    return ({"from": at, "to": min(end, at + HOURS_COMPARED)} for at in range(first, end, HOURS_COMPARED))


def _table(found_at: Any, found: list[Difference]) -> pa.Table:
    return pa.table({
        "found_at": pa.array([found_at] * len(found), pa.timestamp("us", "UTC")),
        "hour": pa.array([each.hour for each in found], pa.uint32()),
        "card": [each.card for each in found],
        "ledger": [each.ledger for each in found],
        "raw": [each.raw for each in found],
    })  # fmt: skip
