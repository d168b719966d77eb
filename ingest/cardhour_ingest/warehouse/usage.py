"""Questions to the ledger: usage by any grouping, what there is to bill, what an invoice froze, where all time went.

Owns the shapes of the answers. Quantities are integer card-microseconds. Spans are ``[from_ms, to_ms)`` on quarter
hours, the ledger's grain; others are refused with the nearest ones.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Sequence
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import pyarrow as pa
from msgspec import Struct

from cardhour_contract.errors import Refuse
from cardhour_contract.moment import QUARTER_MS, ceil_to, floor_to, format_rfc3339
from cardhour_ingest.warehouse.client import Warehouse
from cardhour_ingest.warehouse.sql import sql

DIMENSIONS: dict[str, str] = {
    "owner": "owner::String",
    "model": "model::String",
    "cluster": "cluster::String",
    "node": "node::String",
    "card": "card::String",
    "workload": "name",
    "day": "toString(toDate(toDateTime(hour * 3600 + quarter * 900, 'UTC'), {timezone:String}))",
}
"""What usage can be grouped by, and the expression that gives it."""

_MEASURES = ("quarter", "node", "owner", "held_us", "billable_us", "active_us", "measured_us")


class BillableUsage(Struct, frozen=True, kw_only=True):
    """Billable time of one owner on one card within one segment of a span."""

    owner: str
    cluster: str
    node: str
    card: str
    model: str
    segment_start_ms: int
    """The last cut at or before it: a period's start, or a change of price or binding."""
    held_us: int
    billable_us: int


class FrozenUsage(Struct, frozen=True, kw_only=True):
    """What an invoice froze: SHA-256 over its quarters, and the sum of each line."""

    digest: str
    billable_us_by_line: dict[int, int]


class Balance(Struct, frozen=True, kw_only=True):
    """Where all watched card time went. The five terms add up to ``span_us``."""

    billable_us: int
    idle_us: int
    faulted_us: int
    unobserved_us: int
    rounding_us: int
    cards: int

    @property
    def span_us(self) -> int:
        return self.billable_us + self.idle_us + self.faulted_us + self.unobserved_us + self.rounding_us


class Attention(Struct, frozen=True, kw_only=True):
    """What a person should look at before a span is billed."""

    dead_letters: int
    """Messages received since the span began that could not be read: usage that may be missing."""
    breached_pages: int
    """Pages of the span that did not add up and have not been computed anew since."""


def usage(
    warehouse: Warehouse, from_ms: int, to_ms: int, *, by: Sequence[str] = ("owner",), timezone: str = "UTC"
) -> list[dict[str, Any]]:
    """Usage in ``[from_ms, to_ms)``, one dict a group, sorted by the group.

    Each has the columns of ``by``, then ``held_us``, ``billable_us`` and ``active_us`` (``None`` where nothing was
    measured). ``timezone`` says where days begin.
    """
    span = _quarters(from_ms, to_ms)
    unknown = [each for each in by if each not in DIMENSIONS]
    if unknown or not by:
        raise Refuse(f"usage cannot be grouped by '{', '.join(unknown)}': use any of {', '.join(DIMENSIONS)}")
    zone = {"timezone": _zone_name(timezone)} if "day" in by else {}
    return warehouse.rows(usage_statement(by), **span, **zone)


def usage_statement(by: Sequence[str]) -> str:
    """The SQL of ``usage``: by workload it reads the pages' workload arrays, else the shorter owner arrays."""
    level, columns = ("by_workload", (*_MEASURES, "workload")) if "workload" in by else ("by_owner", _MEASURES)
    return sql("queries/usage").format(
        groups=", ".join(f"{DIMENSIONS[each]} AS `{each}`" for each in by),
        names=", ".join(f"`{each}`" for each in by),
        columns=", ".join(f"e_{column} AS {column}" for column in columns),
        arrays=", ".join(f"{level}.{column} AS e_{column}" for column in columns),
        workload_names=sql("queries/workload_names") if "workload" in by else "",
    )


def billable(warehouse: Warehouse, from_ms: int, to_ms: int, cuts_ms: Iterable[int] = ()) -> list[BillableUsage]:
    """Everything billable in ``[from_ms, to_ms)``, cut at ``cuts_ms``: quarters at which a price or binding changes."""
    rows = warehouse.rows(sql("queries/billable"), **_quarters(from_ms, to_ms), cuts=_cuts(from_ms, to_ms, cuts_ms))
    return [BillableUsage(segment_start_ms=row.pop("segment") * QUARTER_MS, **row) for row in rows]


def freeze(
    warehouse: Warehouse,
    invoice: str,
    from_ms: int,
    to_ms: int,
    cuts_ms: Iterable[int],
    lines: Iterable[tuple[BillableUsage, int]],
) -> FrozenUsage:
    """Copy the quarters that an invoice bills into ``billed_quarter`` and return what was frozen.

    invoice: an id that is fresh for each attempt; an attempt that never became an invoice leaves rows nobody refers to.
    lines: which line each usage of ``billable`` (same span and cuts) went to. The caller compares the sums with what it
    rated, since the ledger may have moved in between.
    """
    table = f"freeze_{secrets.token_hex(6)}"
    warehouse.command(
        "CREATE TABLE {line:Identifier} (owner String, cluster String, node String, card String, model String,"
        " segment UInt32, line UInt32) ENGINE = Memory",
        line=table,
    )
    try:
        warehouse.insert(table, _line_table(lines))
        warehouse.command(
            sql("queries/freeze"),
            invoice=invoice,
            line=table,
            **_quarters(from_ms, to_ms),
            cuts=_cuts(from_ms, to_ms, cuts_ms),
        )
    finally:
        warehouse.command("DROP TABLE {line:Identifier}", line=table)
    return frozen(warehouse, invoice)


def frozen(warehouse: Warehouse, invoice: str) -> FrozenUsage:
    """What an invoice froze, read back from the warehouse."""
    lines = warehouse.rows(sql("queries/billed"), invoice=invoice)
    return FrozenUsage(
        digest=str(warehouse.value(sql("queries/billed_digest"), invoice=invoice)),
        billable_us_by_line={int(row["line"]): int(row["billable_us"]) for row in lines},
    )


def balance(warehouse: Warehouse, from_ms: int, to_ms: int) -> Balance:
    """Where the time of all cards with pages in ``[from_ms, to_ms)`` went."""
    row = warehouse.rows(sql("queries/balance"), **_quarters(from_ms, to_ms))[0]
    return Balance(**{name: int(value) for name, value in row.items()})


def attention(warehouse: Warehouse, from_ms: int, to_ms: int) -> Attention:
    """What stands between the ledger of ``[from_ms, to_ms)`` and the truth."""
    row = warehouse.rows(sql("queries/attention"), **_quarters(from_ms, to_ms))[0]
    return Attention(**{name: int(value) for name, value in row.items()})


def _quarters(from_ms: int, to_ms: int) -> dict[str, int]:
    """The span as quarters since the epoch; refuses one that is empty or off a quarter hour."""
    for name, at_ms in (("from", from_ms), ("to", to_ms)):
        if at_ms % QUARTER_MS:
            before, after = floor_to(at_ms, QUARTER_MS), ceil_to(at_ms, QUARTER_MS)
            raise Refuse(
                f"--{name} {format_rfc3339(at_ms)} is off a quarter hour, the ledger's grain: "
                f"use {format_rfc3339(before)} or {format_rfc3339(after)}"
            )
    if to_ms <= from_ms:
        raise Refuse(f"--to {format_rfc3339(to_ms)} is not after --from {format_rfc3339(from_ms)}")
    return {"from": from_ms // QUARTER_MS, "to": to_ms // QUARTER_MS}


def _cuts(from_ms: int, to_ms: int, cuts_ms: Iterable[int]) -> list[int]:
    inside = {each for each in cuts_ms if from_ms < each < to_ms}
    return sorted(each // QUARTER_MS for each in {from_ms, *inside})


def _line_table(lines: Iterable[tuple[BillableUsage, int]]) -> pa.Table:
    rows = [
        (each.owner, each.cluster, each.node, each.card, each.model, each.segment_start_ms // QUARTER_MS, line)
        for each, line in lines
    ]
    names = ("owner", "cluster", "node", "card", "model", "segment", "line")
    types = (*[pa.string()] * 5, pa.uint32(), pa.uint32())
    columns = zip(*rows, strict=True) if rows else [()] * len(names)
    return pa.table({name: pa.array(list(c), t) for name, t, c in zip(names, types, columns, strict=True)})


def _zone_name(timezone: str) -> str:
    try:
        return ZoneInfo(timezone).key
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise Refuse(f"'{timezone}' is not a time zone: use an IANA name such as Asia/Shanghai") from error
