"""A usage report of a million rows: how fast its bytes come, and whether memory stays flat.

Owns the pages, made inside the engine: one customer's cards, busy all the time, by quarter hour.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

from bench.figures import MIB, Figure, resident_mib, watched
from cardhour_billing.usage_report.formats import csv_bytes, json_bytes
from cardhour_contract.clock import SystemClock
from cardhour_contract.moment import DAY_MS, HOUR_MS, floor_to
from cardhour_ingest.warehouse.client import Warehouse
from cardhour_ingest.warehouse.connect import WarehouseSettings, open_warehouse
from cardhour_ingest.warehouse.usage_report import Claim, Place, report

DAYS = 30
CARDS = 350
"""Of 96 quarter hours a day: a million rows and a bit."""

BY = ("quarter", "project", "owner", "node", "card", "model")
COLUMNS = (*BY, "kind", "card_hours", "quantity_us")

PAGES = """INSERT INTO card_hour
WITH arrayMap(q -> concat('k8s:team-', toString(number % 20)), range(4)) AS owners,
     arrayMap(q -> concat('node-', toString(intDiv(number, 8))), range(4)) AS nodes,
     arrayMap(q -> 900000000::UInt64, range(4)) AS whole, arrayMap(q -> 0::UInt64, range(4)) AS nothing
SELECT {hour:UInt32}, concat('GPU-', lower(hex(sipHash128(number)))), 'bench', 'H100', 0,
       range(4), nodes, owners, whole, whole, nothing, nothing, nothing, nothing,
       range(4), nodes, owners, arrayMap(q -> number, range(4)), whole, whole, nothing, nothing, nothing, nothing,
       nothing, nothing, nothing, [], [], [], 480, now64(6)
FROM numbers({cards:UInt32})"""


def measure(folder: Path) -> list[Figure]:
    """Bytes a second of a CSV and of JSON, and by how much memory grew from the first tenth of it to its end."""
    start_ms = floor_to(SystemClock().now_ms() - 40 * DAY_MS, DAY_MS)
    found = []
    with open_warehouse(WarehouseSettings(database="reports"), folder) as warehouse:
        for hour in range(start_ms // HOUR_MS, start_ms // HOUR_MS + DAYS * 24):
            warehouse.command(PAGES, hour=hour, cards=CARDS)
        for name in ("csv", "json"):
            size, grown = 0, 0.0
            rows = DAYS * 96 * CARDS
            with watched() as watch:
                tables = _tables(warehouse, start_ms)
                pieces = csv_bytes(tables, COLUMNS) if name == "csv" else json_bytes(tables, {"of": "bench"})
                early = 0.0
                for piece in pieces:
                    size += len(piece)
                    if not early and size > 10 * MIB:
                        early = resident_mib()
                grown = resident_mib() - early
            of = f"{rows} rows, {size // MIB} MiB of {name.upper()}, by quarter hour and card"
            found += [
                Figure(name=f"reports.{name}_mb_per_s", value=size / 1_000_000 / watch.seconds, of=of),
                Figure(name=f"reports.{name}_mb_per_cpu_s", value=size / 1_000_000 / watch.cpu_seconds, of=of),
                Figure(
                    name=f"reports.{name}_grown_mib",
                    value=max(0.0, grown),
                    of="resident memory, from 10 MiB on to the end",
                ),
                Figure(name=f"reports.{name}_peak_mib", value=watch.peak_mib, of="with the engine's own"),
            ]
    return found


def _tables(warehouse: Warehouse, start_ms: int) -> Iterator[pa.Table]:
    """As a report of the portal asks for them: a day at a time."""
    claims = [Claim(place=Place(owner="k8s:team-*", from_ms=0), mine=True, project="bench")]
    for day in range(DAYS):
        from_ms = start_ms + day * DAY_MS
        for table in report(warehouse, from_ms, from_ms + DAY_MS, by=BY, timezone="UTC", claims=claims):
            yield pa.table({name: table[f"by_{name}" if name in BY else name] for name in COLUMNS})
