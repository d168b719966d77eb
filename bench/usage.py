"""Questions to a month of the ledger: usage of one customer, and of all, from sums and from pages.

Owns the pages, made inside the engine: every card busy all the time, its holder another every quarter hour. Sums of an
hour are one row for each holder and quarter, however many cards there are.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from bench.figures import MIB, Figure, watched
from cardhour_contract.clock import SystemClock
from cardhour_contract.moment import DAY_MS, HOUR_MS, floor_to
from cardhour_ingest.warehouse.client import Warehouse
from cardhour_ingest.warehouse.connect import WarehouseSettings, open_warehouse
from cardhour_ingest.warehouse.sums import sum_hours
from cardhour_ingest.warehouse.usage import quarters, usage, usage_statement

DAYS = 30
OWNERS = 200

PAGES = """INSERT INTO card_hour
WITH arrayMap(q -> concat('k8s:team-', toString((number + q) % 200)), range(4)) AS owners,
     arrayMap(q -> concat('node-', toString(intDiv(number, 8))), range(4)) AS nodes,
     arrayMap(q -> 900000000::UInt64, range(4)) AS whole,
     arrayMap(q -> 549000000::UInt64, range(4)) AS active,
     arrayMap(q -> 34332275390::UInt64, range(4)) AS memory,
     arrayMap(q -> 0::UInt64, range(4)) AS nothing
SELECT {hour:UInt32}, concat('GPU-', toString(number)), 'bench', 'H100', 0,
       range(4), nodes, owners, whole, whole, active, whole, memory, nothing,
       range(4), nodes, owners, arrayMap(q -> number % 5000, range(4)), whole, whole, active, whole, memory, nothing,
       nothing, nothing, nothing, [], [], [], 480, now64(6)
FROM numbers({cards:UInt32})"""

WRITTEN = """INSERT INTO page_write (hour, writing, done)
SELECT {first:UInt32} + intDiv(number, 2), 1, number % 2 FROM numbers({words:UInt32})"""

Answer = list[dict[str, Any]]
Ask = Callable[[], Answer]

ALONE = "k8s:team-7"
BY = ("owner", "model")


def measure(folder: Path, *, cards: int) -> list[Figure]:
    """Time of each question, asked a second time: the first reads from disk."""
    month_ms = floor_to(SystemClock().now_ms() - 40 * DAY_MS, DAY_MS)
    span = (month_ms, month_ms + DAYS * DAY_MS)
    with open_warehouse(WarehouseSettings(database="usage"), folder) as warehouse:
        return [*_made(warehouse, *span, cards), *_asked(warehouse, *span, f"a month of {cards} cards")]


def _made(warehouse: Warehouse, from_ms: int, to_ms: int, cards: int) -> list[Figure]:
    """The pages of a month, and their sums."""
    first, end = from_ms // HOUR_MS, to_ms // HOUR_MS
    pages = cards * (end - first)
    of = f"{pages} pages, a month of {cards} cards"
    with watched() as filling:
        for hour in range(first, end):
            warehouse.command(PAGES, hour=hour, cards=cards)
    warehouse.command(WRITTEN, first=first, words=2 * (end - first))
    with watched() as summing:
        while sum_hours(warehouse, quiet_s=0):
            pass
    size = "SELECT sum(bytes_on_disk) FROM system.parts WHERE database = 'usage' AND table = {table:String} AND active"
    return [
        Figure(name="ledger.bytes_a_page", value=float(warehouse.value(size, table="card_hour")) / pages, of=of),
        Figure(name="ledger.pages_written_per_s", value=pages / filling.seconds, of=f"{of}, constraints checked"),
        Figure(name="sums.mib", value=float(warehouse.value(size, table="usage_sum")) / MIB, of=of),
        Figure(name="sums.cpu_ms_an_hour", value=summing.cpu_seconds * 1_000 / (end - first), of=f"of {cards} cards"),
    ]


def _asked(warehouse: Warehouse, from_ms: int, to_ms: int, of: str) -> list[Figure]:
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
            said = f"{of}, from {kept}"
            found.append(Figure(name=f"usage.query_{name}_s", value=watch.seconds, of=said))
            found.append(Figure(name=f"usage.query_{name}_cpu_s", value=watch.cpu_seconds, of=said))
            found.append(Figure(name=f"usage.query_{name}_peak_mib", value=watch.peak_mib, of=said))
        if answers[0] != answers[1] or len(answers[0]) != (1 if only else OWNERS):
            raise RuntimeError(f"not what was to be measured: {len(answers[0])} groups")
    return found


def _from_pages(warehouse: Warehouse, from_ms: int, to_ms: int, only: list[str]) -> Answer:
    """As ``usage`` answers where no hour has sums."""
    asked = {"owners": only} if only else {}
    return warehouse.rows(usage_statement(BY, owners=len(only)), **quarters(from_ms, to_ms), **asked)
