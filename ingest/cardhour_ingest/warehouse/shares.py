"""Questions that a customer's page asks beside what is billable: what ran, and when its leased cards were faulted.

Owns the shapes of the answers. Does not own what is billed (``usage``): the billable time of a place is the sum of its
workloads'.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from msgspec import Struct

from cardhour_contract.moment import QUARTER_MS
from cardhour_ingest.warehouse.client import Warehouse
from cardhour_ingest.warehouse.sql import sql
from cardhour_ingest.warehouse.usage import cut_quarters, quarters


class WorkloadUse(Struct, frozen=True, kw_only=True):
    """Billable time of one workload at one place within one segment; what of it was measured, and busy."""

    owner: str
    cluster: str
    node: str
    card: str
    model: str
    segment_start_ms: int
    workload: str
    """Its name; empty where none was reported."""
    billable_us: int
    active_us: int
    measured_us: int


class FaultedDay(Struct, frozen=True, kw_only=True):
    """Faulted time of one card on one local day; 0 for a day with pages and no fault."""

    card: str
    node: str
    """The node that it was seen on last."""
    day: str
    faulted_us: int


def workloads(
    warehouse: Warehouse, from_ms: int, to_ms: int, cuts_ms: Iterable[int], owners: Iterable[str]
) -> Iterator[WorkloadUse]:
    """What is billable of ``owners`` in ``[from_ms, to_ms)``, by place, segment and workload."""
    asked = {"cuts": cut_quarters(from_ms, to_ms, cuts_ms), "owners": sorted(owners)}
    for table in warehouse.stream(sql("queries/workloads"), **quarters(from_ms, to_ms), **asked):
        for row in table.to_pylist():
            yield WorkloadUse(segment_start_ms=row.pop("segment") * QUARTER_MS, **row)


def faulted_days(
    warehouse: Warehouse, from_ms: int, to_ms: int, timezone: str, *, cards: Iterable[str], nodes: Iterable[str]
) -> list[FaultedDay]:
    """Of ``cards`` and of the cards on ``nodes``, by card and local day."""
    asked = {"timezone": timezone, "cards": sorted(cards), "nodes": sorted(nodes)}
    rows = warehouse.rows(sql("queries/faulted_days"), **quarters(from_ms, to_ms), **asked)
    return [FaultedDay(**row) for row in rows]
