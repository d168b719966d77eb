"""The fleet at present: which nodes have been heard of, and where the last hours of all cards went.

Owns those two questions. Does not own what counts as silent, which billing's pages say, nor a card's own time
(``balance``).
"""

from __future__ import annotations

from msgspec import Struct

from cardhour_contract.moment import HOUR_MS
from cardhour_ingest.warehouse.client import Warehouse
from cardhour_ingest.warehouse.sql import sql


class NodeHeard(Struct, frozen=True, kw_only=True):
    """A node and when its last report arrived, UTC milliseconds."""

    node: str
    heard_at_ms: int


class FleetHour(Struct, frozen=True, kw_only=True):
    """An hour of all cards that have a page, in card-microseconds."""

    start_ms: int
    billable_us: int
    idle_us: int
    faulted_us: int
    unobserved_us: int
    rounding_us: int


def nodes_heard(warehouse: Warehouse, since_ms: int) -> list[NodeHeard]:
    """Nodes heard of since then, those silent for longest first."""
    return [NodeHeard(**row) for row in warehouse.rows(sql("queries/nodes_heard"), since=since_ms)]


def fleet_hours(warehouse: Warehouse, from_ms: int, to_ms: int) -> list[FleetHour]:
    """Whole hours from the one that ``from_ms`` lies in, as far as there are pages."""
    span = {"from": from_ms // HOUR_MS, "to": -(-to_ms // HOUR_MS)}
    rows = warehouse.rows(sql("queries/hours_by_state"), **span)
    return [FleetHour(start_ms=row.pop("hour") * HOUR_MS, **row) for row in rows]
