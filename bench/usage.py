"""Questions to a month of the ledger: usage of one customer, and of all, from sums and from pages.

Owns the pages, made inside the engine: every card busy all the time, its holders others every quarter hour. Sums of an
hour are one row for each holder and quarter, however many cards there are: so what counts is how many hold one.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from bench.figures import MIB, Figure, watched
from cardhour_contract.clock import SystemClock
from cardhour_contract.moment import DAY_MS, HOUR_MS, floor_to
from cardhour_ingest.warehouse.client import Warehouse
from cardhour_ingest.warehouse.connect import WarehouseSettings, open_warehouse
from cardhour_ingest.warehouse.sums import sum_hours
from cardhour_ingest.warehouse.usage import quarters, usage, usage_statement

DAYS = 30


class Fleet(NamedTuple):
    """Who holds how much, in every quarter hour."""

    cards: int
    holders: int = 200
    tenants: int = 1
    """Of each card, at a time."""

    def __str__(self) -> str:
        return f"a month of {self.cards} cards and {self.holders} holders"


CROWDED = Fleet(cards=2_000, holders=10_000, tenants=5)

PAGES = """INSERT INTO card_hour
WITH range(4 * {tenants:UInt32}) AS places,
     arrayMap(i -> intDiv(i, {tenants:UInt32}), places) AS quarters,
     arrayMap(i -> (number * {tenants:UInt32} + i) % {holders:UInt32}, places) AS teams,
     arrayMap(team -> concat('k8s:team-', leftPad(toString(team), 5, '0')), teams) AS owners,
     arrayMap(i -> concat('node-', toString(intDiv(number, 8))), places) AS nodes,
     arrayMap(i -> 900000000::UInt64, places) AS held,
     arrayMap(i -> intDiv(900000000, {tenants:UInt32})::UInt64, places) AS billed,
     arrayMap(i -> 549000000::UInt64, places) AS active,
     arrayMap(i -> 34332275390::UInt64, places) AS memory,
     arrayMap(i -> 0::UInt64, places) AS none,
     arrayMap(q -> 0::UInt64, range(4)) AS nothing
SELECT hour, concat('GPU-', toString(number)), 'bench', 'H100', 0,
       quarters, nodes, owners, held, billed, active, held, memory, none,
       quarters, nodes, owners, arrayMap(i -> number % 5000, places), held, billed, active, held, memory, none,
       nothing, nothing, nothing, [], [], [], 480, now64(6)
FROM (SELECT {hour:UInt32} + intDiv(n, {cards:UInt32}) AS hour, n % {cards:UInt32} AS number
      FROM (SELECT number AS n FROM numbers({hours:UInt32} * {cards:UInt32})))"""

PAGES_AT_ONCE = 48_000
"""Made in one statement, of whole hours: an insert costs its share however few rows it has."""

WRITTEN = """INSERT INTO page_write (hour, writing, done)
SELECT {first:UInt32} + intDiv(number, 2), 1, number % 2 FROM numbers({words:UInt32})"""

Answer = list[dict[str, Any]]
Ask = Callable[[], Answer]

ALONE = "k8s:team-00007"
BY = ("owner", "model")


def measure(folder: Path, fleet: Fleet) -> list[Figure]:
    """Time of each question, asked a second time: the first reads from disk."""
    month_ms = floor_to(SystemClock().now_ms() - 40 * DAY_MS, DAY_MS)
    span = (month_ms, month_ms + DAYS * DAY_MS)
    with open_warehouse(WarehouseSettings(database="usage"), folder) as warehouse:
        return [*_made(warehouse, *span, fleet), *_asked(warehouse, *span, fleet)]


def _made(warehouse: Warehouse, from_ms: int, to_ms: int, fleet: Fleet) -> list[Figure]:
    """The pages of a month, and their sums."""
    first, end = from_ms // HOUR_MS, to_ms // HOUR_MS
    pages = fleet.cards * (end - first)
    step = max(1, PAGES_AT_ONCE // fleet.cards)
    of = f"{pages} pages, {fleet}"
    with watched() as filling:
        for hour in range(first, end, step):
            warehouse.command(PAGES, hour=hour, hours=min(step, end - hour), **fleet._asdict())
    if warehouse.value("SELECT count() FROM card_hour FINAL") != pages:
        raise RuntimeError(f"not {pages} pages")
    warehouse.command(WRITTEN, first=first, words=2 * (end - first))
    with watched() as summing:
        while sum_hours(warehouse, quiet_s=0):
            pass
    size = "SELECT sum(bytes_on_disk) FROM system.parts WHERE database = 'usage' AND table = {table:String} AND active"
    return [
        Figure(name="ledger.bytes_a_page", value=float(warehouse.value(size, table="card_hour")) / pages, of=of),
        Figure(name="ledger.pages_written_per_s", value=pages / filling.seconds, of=f"{of}, constraints checked"),
        Figure(name="sums.mib", value=float(warehouse.value(size, table="usage_sum")) / MIB, of=of),
        Figure(name="sums.cpu_ms_an_hour", value=summing.cpu_seconds * 1_000 / (end - first), of=of),
    ]


def _asked(warehouse: Warehouse, from_ms: int, to_ms: int, fleet: Fleet) -> list[Figure]:
    found = []
    for name, only in (("one_customer", [ALONE]), ("all_customers", [])):
        asks: dict[str, Ask] = {
            "sums": partial(usage, warehouse, from_ms, to_ms, by=BY, owners=only),
            "pages": partial(_from_pages, warehouse, from_ms, to_ms, only),
        }
        answers = []
        for kept, ask in asks.items():
            ask()
            with watched() as watch:
                answers.append(ask())
            said = f"{fleet}, from {kept}"
            found.append(Figure(name=f"usage.query_{name}_s", value=watch.seconds, of=said))
            found.append(Figure(name=f"usage.query_{name}_cpu_s", value=watch.cpu_seconds, of=said))
            found.append(Figure(name=f"usage.query_{name}_peak_mib", value=watch.peak_mib, of=said))
        if answers[0] != answers[1] or len(answers[0]) != (1 if only else fleet.holders):
            raise RuntimeError(f"not what was to be measured: {len(answers[0])} groups")
    return found


def _from_pages(warehouse: Warehouse, from_ms: int, to_ms: int, only: list[str]) -> Answer:
    """As ``usage`` answers where no hour has sums."""
    asked = {"owners": only} if only else {}
    return warehouse.rows(usage_statement(BY, owners=len(only)), **quarters(from_ms, to_ms), **asked)
