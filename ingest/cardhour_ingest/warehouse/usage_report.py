"""Usage of one customer in any grouping, streamed: the engine decides whose each quarter hour is, and groups.

Owns the question and its shape. Does not own which bindings and leases decide: billing hands them over as conditions,
the most specific first, and the engine takes the first that holds.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa
from msgspec import Struct

from cardhour_contract.moment import QUARTER_MS
from cardhour_ingest.warehouse.client import Warehouse
from cardhour_ingest.warehouse.sql import sql
from cardhour_ingest.warehouse.usage import quarters

DIMENSIONS: dict[str, str] = {
    "month": "substring(toString(toDate(toDateTime(at * 900, 'UTC'), {timezone:String})), 1, 7)",
    "day": "toString(toDate(toDateTime(at * 900, 'UTC'), {timezone:String}))",
    "hour": "formatDateTime(toDateTime(hour * 3600, 'UTC'), '%Y-%m-%dT%H:00:00Z')",
    "quarter": "formatDateTime(toDateTime(at * 900, 'UTC'), '%Y-%m-%dT%H:%i:00Z')",
    "project": "transform(claim, {mine:Array(UInt32)}, {projects:Array(String)}, '')",
    "owner": "owner",
    "model": "model",
    "cluster": "cluster",
    "node": "node",
    "card": "card",
    "workload": "named.name",
}
"""What a report can have one row for, and the expression that gives it."""

FOREVER = 2**32 - 1


class Place(Struct, frozen=True, kw_only=True):
    """A condition on usage; empty text matches anything. ``owner`` may end in ``*``. Instants are UTC milliseconds."""

    owner: str = ""
    cluster: str = ""
    node: str = ""
    card: str = ""
    from_ms: int
    to_ms: int | None = None


class Claim(Struct, frozen=True, kw_only=True):
    """A binding. ``project`` where it is the customer's own."""

    place: Place
    mine: bool
    project: str = ""


class Lent(Struct, frozen=True, kw_only=True):
    """Cards, or nodes, that are leased by name: to the customer, or to somebody else."""

    cards: tuple[str, ...] = ()
    nodes: tuple[str, ...] = ()
    mine: bool
    from_ms: int
    to_ms: int | None = None


def report(
    warehouse: Warehouse,
    from_ms: int,
    to_ms: int,
    *,
    by: Sequence[str],
    timezone: str,
    claims: Sequence[Claim],
    lent: Sequence[Lent] = (),
    owners: Sequence[str] = (),
) -> Iterator[pa.Table]:
    """The columns of ``by`` as ``by_…``, then ``kind``, ``quantity_us`` and ``card_hours``, in order.

    ``owners``: no others matter, where any is named.
    """
    given: dict[str, Any] = {
        "mine": [at for at, claim in enumerate(claims, start=1) if claim.mine] or [FOREVER],
        "projects": [claim.project for claim in claims if claim.mine] or [""],
        "timezone": timezone,
    }
    claim = _first([_place(f"c{at}", each.place, given) for at, each in enumerate(claims)])
    lease = _first(
        [_lent(f"l{at}", each, given) for at, each in enumerate(lent)], [1 if each.mine else 2 for each in lent]
    )
    if owners:
        given["owners"] = sorted(owners)
    statement = _statement(by, claim, lease, only=bool(owners))
    asked = {name: value for name, value in given.items() if f"{{{name}:" in statement}
    yield from warehouse.stream(statement, **quarters(from_ms, to_ms), **asked)


def owners_on(warehouse: Warehouse, from_ms: int, to_ms: int, cards: Sequence[str], nodes: Sequence[str]) -> list[str]:
    """Every holder of time on these cards or nodes."""
    asked = {"cards": sorted(cards), "nodes": sorted(nodes)}
    return [row["owner"] for row in warehouse.rows(sql("queries/owners_on"), **quarters(from_ms, to_ms), **asked)]


def _statement(by: Sequence[str], claim: str, lease: str, *, only: bool) -> str:
    """The SQL: by workload it reads the pages' workload arrays, else the shorter owner arrays."""
    level = "by_workload" if "workload" in by else "by_owner"
    columns = ("quarter", "node", "owner", "billable_us", *(("workload",) if "workload" in by else ()))
    return sql("queries/usage_report").format(
        groups=", ".join(f"{DIMENSIONS[each]} AS `by_{each}`" for each in by),
        names=", ".join(f"`by_{each}`" for each in by),
        arrays=", ".join(f"{level}.{column} AS e_{column}" for column in columns),
        workload=", e_workload AS workload" if "workload" in by else "",
        workload_names=sql("queries/workload_names") if "workload" in by else "",
        claim=claim,
        lease=lease,
        only=f" AND hasAny({level}.owner, {{owners:Array(String)}})" if only else "",
    )


def _first(conditions: Sequence[str], values: Sequence[int] = ()) -> str:
    """The value of the first condition that holds, by default its number from 1; 0 where none does."""
    if not conditions:
        return "0::UInt32"
    pairs = zip(conditions, values or range(1, len(conditions) + 1), strict=True)
    return f"multiIf({', '.join(f'{condition}, {value}::UInt32' for condition, value in pairs)}, 0::UInt32)"


def _place(name: str, place: Place, given: dict[str, Any]) -> str:
    tests = [_during(name, place.from_ms, place.to_ms, given)]
    if place.owner.endswith("*"):
        given[f"{name}_owner"] = place.owner[:-1]
        tests.append(f"startsWith(e_owner, {{{name}_owner:String}})")
    elif place.owner:
        given[f"{name}_owner"] = place.owner
        tests.append(f"e_owner = {{{name}_owner:String}}")
    for column, value in (("cluster", place.cluster), ("e_node", place.node), ("card", place.card)):
        if value:
            given[f"{name}_{column}"] = value
            tests.append(f"{column} = {{{name}_{column}:String}}")
    return f"({' AND '.join(tests)})"


def _lent(name: str, lent: Lent, given: dict[str, Any]) -> str:
    given[f"{name}_cards"], given[f"{name}_nodes"] = list(lent.cards), list(lent.nodes)
    named = f"has({{{name}_cards:Array(String)}}, card) OR has({{{name}_nodes:Array(String)}}, e_node)"
    return f"({_during(name, lent.from_ms, lent.to_ms, given)} AND ({named}))"


def _during(name: str, from_ms: int, to_ms: int | None, given: dict[str, Any]) -> str:
    given[f"{name}_from"] = max(0, from_ms) // QUARTER_MS
    given[f"{name}_to"] = FOREVER if to_ms is None else to_ms // QUARTER_MS
    at = "hour * 4 + e_quarter"
    return f"{at} >= {{{name}_from:UInt32}} AND {at} < {{{name}_to:UInt32}}"
