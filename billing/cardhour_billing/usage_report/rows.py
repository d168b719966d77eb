"""The rows of a report: priced ones from the kept months, finer ones streamed from the usage store.

Owns what decides whose usage is, handed to the engine as conditions. Rows are Arrow tables, some thousands at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pyarrow as pa

from cardhour_billing.catalog.current import current_bindings
from cardhour_billing.catalog.current_terms import current_leases
from cardhour_billing.leases.lease import LeaseRow
from cardhour_billing.money import card_hours, decimal_text, exponent
from cardhour_billing.month import Month
from cardhour_billing.month_usage.content import Cell, MonthUsage
from cardhour_billing.rating.binding import BindingRow, times_meet
from cardhour_billing.usage_report.order import Order
from cardhour_contract.errors import Refuse

if TYPE_CHECKING:
    from cardhour_ingest.warehouse.client import Warehouse
    from cardhour_ingest.warehouse.usage_report import Claim, Lent

CLAIMS_MAX = 2_000
"""Bindings that may decide in one report; the engine is asked about each, for every quarter hour."""

_SCOPES = ("card", "node", "cluster", "all")


def priced_rows(order: Order, usage_of: Callable[[Month], MonthUsage]) -> Iterator[pa.Table]:
    """Rows with amounts, a month at a time."""
    first, last = order.first.isoformat(), order.last.isoformat()
    for month in order.months:
        usage = usage_of(month)
        cells = [cell for cell in usage.cells if first <= cell.day <= last]
        sums: dict[tuple[str, ...], tuple[int, int]] = {}
        for cell in cells:
            key = (*(_value(cell, name) for name in order.by), cell.kind)
            us, net = sums.get(key, (0, 0))
            sums[key] = us + cell.quantity_us, net + cell.net
        whole = first <= usage.days[0] and usage.days[-1] <= last
        for charge in usage.charges:
            days = [(day, net) for day, net in charge.days if first <= day <= min(last, usage.last_day)]
            if not charge.days and whole:  # what is of no day comes with its whole month
                days = [("", charge.net)]
            for day, net in days:
                key = (*(_charged(charge.model, usage.month, day, name) for name in order.by), charge.kind)
                us, before = sums.get(key, (0, 0))
                sums[key] = us, before + net
        if sums:
            yield _table(order, sums, usage.currency)


def _table(order: Order, sums: dict[tuple[str, ...], tuple[int, int]], currency: str) -> pa.Table:
    keys, decimals = sorted(sums), exponent(currency)
    names = (*order.by, "kind")
    columns = {name: [key[at] for key in keys] for at, name in enumerate(names)}
    return pa.table(
        {
            **{name: pa.array(values, pa.string()) for name, values in columns.items()},
            "card_hours": pa.array([card_hours(sums[key][0]) for key in keys], pa.string()),
            "quantity_us": pa.array([sums[key][0] for key in keys], pa.uint64()),
            "net": pa.array([decimal_text(sums[key][1], decimals) for key in keys], pa.string()),
            "currency": pa.array([currency] * len(keys), pa.string()),
        }
    )


def detailed_rows(order: Order, warehouse: Warehouse, done: Callable[[int], None]) -> Iterator[pa.Table]:
    """Rows without amounts, straight from the engine; ``done`` is told how many spans are through."""
    from cardhour_ingest.warehouse.usage_report import report

    spans = list(order.spans_ms())
    claims, lent, owners = deciders(order, warehouse, spans[0][0], spans[-1][1])
    for at, (from_ms, to_ms) in enumerate(spans, start=1):
        found = report(
            warehouse,
            from_ms,
            to_ms,
            by=order.by,
            timezone=order.customer.timezone,
            claims=claims,
            lent=lent,
            owners=owners,
        )
        for table in found:
            yield _named(order, table)
        done(at)


def deciders(order: Order, warehouse: Warehouse, from_ms: int, to_ms: int) -> tuple[list[Claim], list[Lent], list[str]]:
    """Bindings and leases that decide, most specific first; and the only owners that matter, where they are known."""
    from cardhour_ingest.warehouse.usage_report import Claim, Lent, Place, owners_on

    customer = order.customer.key
    bindings = [row for row in current_bindings() if times_meet(row.from_ms, row.to_ms, from_ms, to_ms)]
    leases = [row for row in current_leases() if row.named and times_meet(row.from_ms, row.to_ms, from_ms, to_ms)]
    mine = [row for row in leases if row.customer == customer]
    cards, nodes = [card for row in mine for card in row.cards], [node for row in mine for node in row.nodes]
    seen = owners_on(warehouse, from_ms, to_ms, cards, nodes) if mine else []
    patterns = {row.owner for row in bindings if row.customer == customer}
    wanted = [row for row in bindings if any(_meet(row.owner, each) for each in (*patterns, *seen))]
    if len(wanted) > CLAIMS_MAX:
        raise Refuse(f"{len(wanted)} bindings decide in this range, and a report asks about {CLAIMS_MAX}: shorten it")
    claims = [
        Claim(
            place=Place(
                owner=row.owner, cluster=row.cluster, node=row.node, card=row.card, from_ms=row.from_ms, to_ms=row.to_ms
            ),
            mine=row.customer == customer,
            project=row.project,
        )
        for row in sorted(wanted, key=_specific)
    ]
    lent = [
        Lent(cards=row.cards, nodes=row.nodes, mine=row.customer == customer, from_ms=row.from_ms, to_ms=row.to_ms)
        for row in sorted(leases, key=_by_card)
    ]
    exact = not mine and not any(pattern.endswith("*") for pattern in patterns)
    return claims, lent, sorted(patterns) if exact else []


def _named(order: Order, table: pa.Table) -> pa.Table:
    """The engine's columns under the report's names."""
    return pa.table(
        {
            **{name: table[f"by_{name}"] for name in order.by},
            **{name: table[name] for name in ("kind", "card_hours", "quantity_us")},
        }
    )


def _meet(one: str, other: str) -> bool:
    """Whether two patterns of owners have an owner in common."""
    if one.endswith("*"):
        stem = one[:-1]
        return other.startswith(stem) or (other.endswith("*") and stem.startswith(other[:-1]))
    return one == other if not other.endswith("*") else one.startswith(other[:-1])


def _specific(row: BindingRow) -> tuple[int, bool, int]:
    return _SCOPES.index(row.scope[0]), row.owner.endswith("*"), -len(row.owner)


def _by_card(row: LeaseRow) -> bool:
    """Leases that name cards win over those that name nodes."""
    return not row.cards


def _value(cell: Cell, name: str) -> str:
    return cell.day[:7] if name == "month" else str(getattr(cell, name))


def _charged(model: str, month: str, day: str, name: str) -> str:
    return {"day": day, "month": day[:7] or month, "model": model}.get(name, "")
