"""Questions to the ledger: usage by any grouping, what there is to bill, where all time went.

Owns the shapes of the answers. Quantities are integer card-microseconds. Spans are ``[from_ms, to_ms)`` on quarter
hours, the ledger's grain; others are refused with the nearest ones.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import pyarrow as pa
from msgspec import Struct

from cardhour_contract.errors import Refuse
from cardhour_contract.moment import QUARTER_MS, ceil_to, floor_to, format_rfc3339
from cardhour_ingest.warehouse.client import Warehouse
from cardhour_ingest.warehouse.sql import sql
from cardhour_ingest.warehouse.sums import SUMMED_BY, all_but, hours_summed, sums_of

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

_OWNERS = "{owners:Array(String)}"

OWNERS_ONE_BY_ONE = 8
"""``has`` looks an owner up once in the dictionary of a block and then compares numbers; ``hasAny`` compares the names
of every page. On 72 M pages one ``has`` takes 0.7 CPU seconds, ``hasAny`` 1.7."""

QUARTERS_LISTED_MAX = 20_000
"""Half a year of quarters, each with its segment, travel with a question; the engine takes no list of a million."""

_MEASURES = ("quarter", "owner", "held_us", "billable_us", "active_us", "measured_us")


class BillableUsage(Struct, frozen=True, kw_only=True, gc=False):
    """Billable time of one owner on one card within one segment of a span.

    Millions of these are alive while a month is rated, so the collector of cycles, which none can be in, passes by.
    """

    owner: str
    cluster: str
    node: str
    card: str
    model: str
    segment_start_ms: int
    """The last cut at or before it: a period's start, or a change of price or binding."""
    held_us: int
    billable_us: int


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
    warehouse: Warehouse,
    from_ms: int,
    to_ms: int,
    *,
    by: Sequence[str] = ("owner",),
    timezone: str = "UTC",
    owners: Sequence[str] = (),
) -> list[dict[str, Any]]:
    """Usage in ``[from_ms, to_ms)``, one dict a group, sorted by the group.

    Each has the columns of ``by``, then ``held_us``, ``billable_us`` and ``active_us`` (``None`` where nothing was
    measured). ``timezone`` says where days begin. ``owners``: only theirs, where any is named.
    """
    span = quarters(from_ms, to_ms)
    unknown = [each for each in by if each not in DIMENSIONS]
    if unknown or not by:
        raise Refuse(f"usage cannot be grouped by '{', '.join(unknown)}': use any of {', '.join(DIMENSIONS)}")
    zone = {"timezone": _zone_name(timezone)} if "day" in by else {}
    only = {"owners": list(owners)} if owners else {}
    known = hours_summed(warehouse, span["from"] // 4, (span["to"] - 1) // 4) if SUMMED_BY.issuperset(by) else {}
    return warehouse.rows(usage_statement(by, owners=len(owners), summed=known), **span, **zone, **only)


def usage_statement(by: Sequence[str], *, owners: int = 0, summed: Mapping[int, int] | None = None) -> str:
    """The SQL of ``usage``: by workload it reads the pages' workload arrays, else the shorter owner arrays.

    owners: how many owners it asks for; 0 for all.
    summed: hours that it reads from sums instead, and how many words those know; ``by`` is then of ``SUMMED_BY``.
    """
    level = "by_workload" if "workload" in by else "by_owner"
    page = ("cluster", "model") if summed else ("card", "cluster", "model")
    entry = (*_MEASURES, *(() if summed else ("node",)), *(("workload",) if "workload" in by else ()))
    return sql("queries/usage").format(
        groups=", ".join(f"{DIMENSIONS[each]} AS `{each}`" for each in by),
        names=", ".join(f"`{each}`" for each in by),
        sums=sums_of(summed, only=f" AND owner IN {_OWNERS}" if owners else "") if summed else "",
        columns=", ".join((*page, *(f"e_{column} AS {column}" for column in entry))),
        arrays=", ".join(f"{level}.{column} AS e_{column}" for column in entry),
        others=all_but(summed) if summed else "",
        # The second condition is what is asked for; the first spares the engine the other columns of most pages.
        only=f" AND {_some_of(owners, level)} AND has({_OWNERS}, e_owner)" if owners else "",
        workload_names=sql("queries/workload_names") if "workload" in by else "",
    )


def _some_of(owners: int, level: str) -> str:
    """Whether a page has any of the owners."""
    if owners > OWNERS_ONE_BY_ONE:
        return f"hasAny({level}.owner, {_OWNERS})"
    each = (f"has({level}.owner, {_OWNERS}[{number}])" for number in range(1, owners + 1))
    return f"({' OR '.join(each)})"


def billable(warehouse: Warehouse, from_ms: int, to_ms: int, cuts_ms: Iterable[int] = ()) -> list[BillableUsage]:
    """Everything billable in ``[from_ms, to_ms)``, cut at ``cuts_ms``: quarters at which a price or binding changes."""
    long = to_ms - from_ms > QUARTERS_LISTED_MAX * QUARTER_MS
    found = warehouse.arrow(
        sql("queries/billable"),
        **quarters(from_ms, to_ms),
        segments=[] if long else segment_of_quarters(from_ms, to_ms, cuts_ms),
        cuts=cut_quarters(from_ms, to_ms, cuts_ms) if long else [],
    )
    names = [_shared(found[name]) for name in ("owner", "cluster", "node", "card", "model")]
    figures = [found[name].to_pylist() for name in ("segment", "held_us", "billable_us")]
    return [
        BillableUsage(
            owner=owner, cluster=cluster, node=node, card=card, model=model, segment_start_ms=segment * QUARTER_MS,
            held_us=held_us, billable_us=billable_us,
        )
        for owner, cluster, node, card, model, segment, held_us, billable_us in zip(*names, *figures, strict=True)
    ]  # fmt: skip


def _shared(column: pa.ChunkedArray) -> list[str]:
    """Names, each of them one string however often it stands there: millions of rows share them, and their hashes."""
    encoded = column.combine_chunks().dictionary_encode()
    names = encoded.dictionary.to_pylist()
    return [names[at] for at in encoded.indices.to_pylist()]


def changed_since(warehouse: Warehouse, from_ms: int, to_ms: int, at_ms: int) -> bool:
    """Whether any page of ``[from_ms, to_ms)`` was computed anew since ``at_ms``, by the engine's clock."""
    (row,) = warehouse.rows(sql("queries/changed_since"), **quarters(from_ms, to_ms), at_ms=at_ms)
    return bool(row["pages"])


def billable_quarters(
    warehouse: Warehouse, from_ms: int, to_ms: int, *, models: Iterable[str], owners: Iterable[str]
) -> Iterator[BillableUsage]:
    """What is billable in ``[from_ms, to_ms)`` of these owners on these models, one row for each quarter hour."""
    asked = {"models": sorted(models), "owners": sorted(owners)}
    for table in warehouse.stream(sql("queries/billable_quarters"), **quarters(from_ms, to_ms), **asked):
        for row in table.to_pylist():
            yield BillableUsage(segment_start_ms=row.pop("segment") * QUARTER_MS, **row)


def balance(warehouse: Warehouse, from_ms: int, to_ms: int) -> Balance:
    """Where the time of all cards with pages in ``[from_ms, to_ms)`` went."""
    row = warehouse.rows(sql("queries/balance"), **quarters(from_ms, to_ms))[0]
    return Balance(**{name: int(value) for name, value in row.items()})


def attention(warehouse: Warehouse, from_ms: int, to_ms: int) -> Attention:
    """What stands between the ledger of ``[from_ms, to_ms)`` and the truth."""
    row = warehouse.rows(sql("queries/attention"), **quarters(from_ms, to_ms))[0]
    return Attention(**{name: int(value) for name, value in row.items()})


def quarters(from_ms: int, to_ms: int) -> dict[str, int]:
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


def cut_quarters(from_ms: int, to_ms: int, cuts_ms: Iterable[int]) -> list[int]:
    """The start of a span and the cuts inside it, as quarters since the epoch."""
    inside = {each for each in cuts_ms if from_ms < each < to_ms}
    return sorted(each // QUARTER_MS for each in {from_ms, *inside})


def segment_of_quarters(from_ms: int, to_ms: int, cuts_ms: Iterable[int]) -> list[int]:
    """The segment that each quarter of a span lies in: the last cut at or before it, as quarters since the epoch."""
    cuts = [*cut_quarters(from_ms, to_ms, cuts_ms), to_ms // QUARTER_MS]
    return [start for start, end in pairwise(cuts) for _ in range(start, end)]


def _zone_name(timezone: str) -> str:
    try:
        return ZoneInfo(timezone).key
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise Refuse(f"'{timezone}' is not a time zone: use an IANA name such as Asia/Shanghai") from error
