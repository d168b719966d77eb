"""What invoices froze: the quarters each line bills, copied out of the ledger in one pass for any number of invoices.

Owns ``billed_quarter``: writing it, its digest, and reading it back. Does not own which usage is on which line
(billing's rating). Quantities are integer card-microseconds.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise

import pyarrow as pa
from msgspec import Struct

from cardhour_contract.moment import HOUR_MS, QUARTER_MS
from cardhour_ingest.warehouse.client import Warehouse
from cardhour_ingest.warehouse.sql import sql
from cardhour_ingest.warehouse.usage import BillableUsage, cut_quarters, quarters, segment_of_quarters

INVOICES_ASKED_MAX = 1_000
"""Invoices in one question: their names travel with it, some 100 bytes each."""

DAY_QUARTERS = 96
"""Quarters of a row, at most; a part of a span that is frozen at once is whole days of it."""

RUN_DAYS_MAX = 500_000
"""Days of cards that are put together at once: some 400 MiB of quarters. A month of 100,000 cards is six parts."""

QUARTERS_DIGESTED_MAX = 20_000_000
"""Quarters digested at once: a number of 8 bytes each and some 20 of text, and the engine holds them all."""


LINES_MAX = 2**32 - 1


class FrozenUsage(Struct, frozen=True, kw_only=True):
    """What an invoice froze: SHA-256 over its quarters, and the sum of each line."""

    digest: str
    billable_us_by_line: dict[int, int]


class FrozenQuarter(Struct, frozen=True, kw_only=True):
    """One quarter hour of one holder on one card, as it was billed."""

    start_ms: int
    card: str
    node: str
    cluster: str
    model: str
    owner: str
    billable_us: int


def freeze(
    warehouse: Warehouse,
    from_ms: int,
    to_ms: int,
    cuts_ms: Iterable[int],
    lines: Iterable[tuple[BillableUsage, str, int]],
) -> dict[str, FrozenUsage]:
    """Copy the quarters that invoices bill into ``billed_quarter`` and return what was frozen, by invoice.

    lines: on which line of which invoice each usage of ``billable`` (same span and cuts) is. Each page is read once,
    however many invoices there are; it is fastest where usage comes in the order in which ``billable`` gave it. The
    name of an invoice is fresh for each attempt: one that never became an invoice leaves rows nobody refers to. The
    caller compares the sums with what it rated, since the ledger may have moved.
    """
    table = f"freeze_{secrets.token_hex(6)}"
    warehouse.command(
        "CREATE TABLE {line:Identifier} (owner String, cluster String, node String, card String, model String,"
        " invoice String, line UInt32, first UInt32, last UInt32, run UInt32,"
        " place UInt64 MATERIALIZED cityHash64(owner, cluster, node, card, model)) ENGINE = Memory",
        line=table,
    )
    span, segments = quarters(from_ms, to_ms), segment_of_quarters(from_ms, to_ms, cuts_ms)
    rows = _run_table(lines, cut_quarters(from_ms, to_ms, cuts_ms))
    step = max(1, RUN_DAYS_MAX // max(1, rows.num_rows)) * DAY_QUARTERS
    try:
        warehouse.insert(table, rows)
        for start in range(span["from"], span["to"], step):
            end = min(start + step, span["to"])
            there = segments[start - span["from"] : end - span["from"]]
            warehouse.command(sql("queries/freeze"), line=table, segments=there, **{"from": start, "to": end})
    finally:
        warehouse.command("DROP TABLE {line:Identifier}", line=table)
    return frozen_all(warehouse, rows["invoice"].unique().to_pylist())


def frozen(warehouse: Warehouse, invoice: str) -> FrozenUsage:
    """What one invoice froze, read back from the warehouse; nothing at all, where it froze nothing."""
    return frozen_all(warehouse, [invoice])[invoice]


def frozen_all(warehouse: Warehouse, invoices: Sequence[str]) -> dict[str, FrozenUsage]:
    """What invoices froze, by invoice."""
    sizes = dict.fromkeys(invoices, 0)
    for first in range(0, len(invoices), INVOICES_ASKED_MAX):
        asked = list(invoices[first : first + INVOICES_ASKED_MAX])
        for row in warehouse.rows(sql("queries/billed"), invoices=asked):
            sizes[row["invoice"]] = int(row["quarters"])
    found = {invoice: FrozenUsage(digest="", billable_us_by_line={}) for invoice in invoices}
    for together in _batches(sizes):
        for row in warehouse.rows(sql("queries/billed_digest"), invoices=together):
            lines = dict(zip(*row["lines"], strict=True))
            found[row["invoice"]] = FrozenUsage(digest=row["digest"], billable_us_by_line=lines)
    return found


def frozen_usage(
    warehouse: Warehouse, invoice: str, from_ms: int, to_ms: int, cuts_ms: Iterable[int], line: int | None = None
) -> Iterator[tuple[int, BillableUsage]]:
    """What an invoice froze, with its line, summed between cuts: what rating needs to be done again. Or of one line."""
    cuts = cut_quarters(from_ms, to_ms, cuts_ms)
    lines = {"first": 0, "last": LINES_MAX} if line is None else {"first": line, "last": line}
    for row in warehouse.rows(sql("queries/billed_usage"), invoice=invoice, cuts=cuts, **lines):
        # A quarter before the span stands in no segment: it keeps its own start, and is found to be astray.
        segment = row.pop("segment")
        yield row.pop("line"), BillableUsage(segment_start_ms=segment * QUARTER_MS, held_us=0, **row)


def frozen_by_quarter(warehouse: Warehouse, invoice: str) -> Iterator[tuple[int, BillableUsage]]:
    """What an invoice froze, with its line, quarter hour by quarter hour."""
    for table in warehouse.stream(sql("queries/billed_by_quarter"), invoice=invoice):
        for row in table.to_pylist():
            yield row.pop("line"), BillableUsage(segment_start_ms=row.pop("segment") * QUARTER_MS, held_us=0, **row)


def frozen_quarters(
    warehouse: Warehouse, invoice: str, line: int, card: str, from_ms: int, to_ms: int
) -> list[FrozenQuarter]:
    """The frozen quarters of one line and card in ``[from_ms, to_ms)``, in order of time."""
    rows = warehouse.rows(
        sql("queries/billed_quarters"), invoice=invoice, line=line, card=card, **quarters(from_ms, to_ms)
    )
    return [FrozenQuarter(start_ms=row.pop("hour") * HOUR_MS + row.pop("quarter") * QUARTER_MS, **row) for row in rows]


def _batches(sizes: dict[str, int]) -> Iterator[list[str]]:
    """Invoices to digest together: few enough names, few enough quarters, at least one invoice."""
    together: list[str] = []
    weight = 0
    for invoice, size in sizes.items():
        if together and (weight + size > QUARTERS_DIGESTED_MAX or len(together) == INVOICES_ASKED_MAX):
            yield together
            together, weight = [], 0
        together.append(invoice)
        weight += size
    if together:
        yield together


def _run_table(lines: Iterable[tuple[BillableUsage, str, int]], segments: Sequence[int]) -> pa.Table:
    """Runs of segments, one after the other, in which one holder has one card on one line of one invoice."""
    following = dict(pairwise(segments))
    runs: list[list[str | int]] = []
    place: tuple[str | int, ...] = ()
    last = -1
    for each, invoice, line in lines:
        segment = each.segment_start_ms // QUARTER_MS
        there = each.owner, each.cluster, each.node, each.card, each.model, invoice, line
        if there == place and following.get(last) == segment:
            runs[-1][-2] = segment
        else:
            runs.append([*there, segment, segment, len(runs)])
        place, last = there, segment
    names = ("owner", "cluster", "node", "card", "model", "invoice", "line", "first", "last", "run")
    types = (*[pa.string()] * 6, *[pa.uint32()] * 4)
    columns = zip(*runs, strict=True) if runs else [()] * len(names)
    return pa.table({name: pa.array(list(c), t) for name, t, c in zip(names, types, columns, strict=True)})
