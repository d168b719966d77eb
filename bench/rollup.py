"""The rollup: raw facts to pages, on cards with one holder and on cards that two compete for.

Owns the raw rows, made inside the engine, in the parts that ingest leaves: one for each minute and table, unmerged.
"""

from __future__ import annotations

from pathlib import Path

from bench.figures import Figure, watched
from cardhour_contract.clock import SystemClock
from cardhour_contract.moment import DAY_MS, HOUR_MS, floor_to
from cardhour_ingest.warehouse.client import Warehouse
from cardhour_ingest.warehouse.connect import WarehouseSettings, open_warehouse
from cardhour_ingest.warehouse.rollup import roll_up

CARDS_A_NODE = 8
MINUTES = 60

HISTORY_DAYS = (1, 30, 365)
"""What stands behind the hour that is rolled up: a day, a month, a year."""

USAGE = """INSERT INTO usage_record
SELECT {hour:UInt32}, concat('GPU-', toString(number % {cards:UInt32})), cityHash64(number), {at:UInt64},
       {batch:UInt64},
       {at:UInt64} + 60000, concat('node-', toString(intDiv(number % {cards:UInt32}, 8))), 0,
       concat('k8s:team-', toString(number % 200 + intDiv(number, {cards:UInt32}))), number % 5000, 1000, 0,
       36600000000, 2400000000000000, fromUnixTimestamp64Milli(toInt64({at:UInt64} + 61000), 'UTC')
FROM numbers({cards:UInt32} + {contested:UInt32})"""

OBSERVED = """INSERT INTO card_record
SELECT {hour:UInt32}, concat('GPU-', toString(number)), {at:UInt64}, {batch:UInt64}, {at:UInt64} + 60000,
       concat('node-', toString(intDiv(number, 8))), 0, 24000,
       fromUnixTimestamp64Milli(toInt64({at:UInt64} + 61000), 'UTC')
FROM numbers({cards:UInt32})"""

CARDS = """INSERT INTO card
SELECT concat('GPU-', toString(number)), 1, concat('node-', toString(intDiv(number, 8))), 'bench', 'H100', '', 0,
       {at:UInt64}, {at:UInt64}
FROM numbers({cards:UInt32})"""

NODES = """INSERT INTO node_basis
SELECT concat('node-', toString(number)), toUInt32(intDiv({at:UInt64}, 86400000)), 0, {at:UInt64}, {at:UInt64}
FROM numbers({nodes:UInt32})"""

PAST = """INSERT INTO usage_record
WITH toUInt64({until:UInt64} - intDiv(number, {cards:UInt32}) * 900000) AS at
SELECT toUInt32(intDiv(at, 3600000)), concat('GPU-', toString(number % {cards:UInt32})),
       cityHash64(number % {cards:UInt32}), at, number, at + 900000,
       concat('node-', toString(intDiv(number % {cards:UInt32}, 8))), 0,
       concat('k8s:team-', toString(number % 200)), number % 5000, 1000, 0,
       549000000000, 36000000000000000, fromUnixTimestamp64Milli(toInt64(at + 901000), 'UTC')
FROM numbers({first:UInt64}, {rows:UInt64}) SETTINGS max_partitions_per_insert_block = 0"""

MARKS = """INSERT INTO dirty_hour (hour, node, mark, done)
SELECT {hour:UInt32}, concat('node-', toString(number)), {mark:UInt64}, 0 FROM numbers({nodes:UInt32})"""


def fill(warehouse: Warehouse, cards: int, contested: int, *, start_ms: int) -> None:
    """One hour of ``cards`` cards, all busy; the first ``contested`` of them have two tenants."""
    hour = start_ms // HOUR_MS
    nodes = -(-cards // CARDS_A_NODE)
    for table in ("usage_record", "card_record"):
        warehouse.command("SYSTEM STOP MERGES {table:Identifier}", table=table)
    warehouse.command(CARDS, cards=cards, at=start_ms)
    warehouse.command(NODES, nodes=nodes, at=start_ms)
    for minute in range(MINUTES):
        span = {"hour": hour, "at": start_ms + minute * 60_000, "batch": minute}
        warehouse.command(USAGE, cards=cards, contested=contested, **span)
        warehouse.command(OBSERVED, cards=cards, **span)
    warehouse.command(MARKS, hour=hour, nodes=nodes, mark=1)


def measure_hour(folder: Path, name: str, cards: int, contested: int) -> list[Figure]:
    """Roll up one hour."""
    start_ms = floor_to(SystemClock().now_ms() - DAY_MS, HOUR_MS)
    with open_warehouse(WarehouseSettings(database=f"rollup_{cards}_{contested}"), folder) as warehouse:
        fill(warehouse, cards, contested, start_ms=start_ms)
        with watched() as watch:
            done = roll_up(warehouse)
        rows = MINUTES * (2 * cards + contested)
        of = f"{done.pages} pages from {rows} raw rows, {contested} of {cards} cards contested"
        if done.pages != cards or done.breached:
            raise RuntimeError(f"not what was to be measured: {done}")
        warehouse.command("DROP DATABASE {name:Identifier}", name=warehouse.target.database)
    return [
        Figure(name=f"rollup.{name}_rows_per_s", value=rows / watch.seconds, of=of),
        Figure(name=f"rollup.{name}_s", value=watch.seconds, of=of),
        Figure(name=f"rollup.{name}_cpu_s", value=watch.cpu_seconds, of=of),
        Figure(name=f"rollup.{name}_peak_mib", value=watch.peak_mib, of=of),
    ]


def measure_history(folder: Path, cards: int, days: tuple[int, ...]) -> list[Figure]:
    """The same hour over and over, with more and more days of raw rows behind it."""
    start_ms = floor_to(SystemClock().now_ms() - DAY_MS, HOUR_MS)
    found, done = [], 0
    with open_warehouse(WarehouseSettings(database="history"), folder) as warehouse:
        fill(warehouse, cards, 0, start_ms=start_ms)
        for mark, upto in enumerate(days, start=2):
            rows = (upto - done) * 96 * cards
            past = {"until": start_ms - HOUR_MS, "cards": cards, "first": done * 96 * cards, "rows": rows}
            warehouse.command(PAST, **past)
            done = upto
            warehouse.command(MARKS, hour=start_ms // HOUR_MS, nodes=-(-cards // CARDS_A_NODE), mark=mark)
            with watched() as watch:
                pages = roll_up(warehouse).pages
            if pages != cards:
                raise RuntimeError(f"not what was to be measured: {pages} pages")
            of = f"an hour of {cards} cards after {upto} days, {done * 96 * cards} raw rows of the past"
            found.append(Figure(name="rollup.after_history_s", value=watch.seconds, of=of))
            found.append(Figure(name="rollup.after_history_cpu_s", value=watch.cpu_seconds, of=of))
        warehouse.command("DROP DATABASE {name:Identifier}", name=warehouse.target.database)
    return found


def measure(folder: Path, *, full: bool) -> list[Figure]:
    with open_warehouse(WarehouseSettings(database="keep"), folder):
        found = measure_hour(folder, "exclusive", 10_000, 0) + measure_hour(folder, "contested", 1_000, 1_000)
        found += measure_history(folder, 500, HISTORY_DAYS if full else HISTORY_DAYS[:2])
        if full:
            found += measure_hour(folder, "hour_of_100k_cards", 100_000, 500)
    return found
