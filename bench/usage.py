"""Questions to a month of the ledger: usage of one customer, and of all.

Owns the pages, made inside the engine: every card busy all the time, its holder another every quarter hour.
"""

from __future__ import annotations

from pathlib import Path

from bench.figures import Figure, watched
from cardhour_contract.clock import SystemClock
from cardhour_contract.moment import DAY_MS, HOUR_MS, floor_to
from cardhour_ingest.warehouse.connect import WarehouseSettings, open_warehouse
from cardhour_ingest.warehouse.usage import usage

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


def measure(folder: Path, *, cards: int) -> list[Figure]:
    """Time of each question, asked a second time: the first reads the pages from disk."""
    month_ms = floor_to(SystemClock().now_ms() - 40 * DAY_MS, DAY_MS)
    end_ms = month_ms + DAYS * DAY_MS
    with open_warehouse(WarehouseSettings(database="usage"), folder) as warehouse:
        with watched() as filling:
            for hour in range(month_ms // HOUR_MS, end_ms // HOUR_MS):
                warehouse.command(PAGES, hour=hour, cards=cards)
        size = "SELECT sum(bytes_on_disk) FROM system.parts WHERE database = 'usage' AND table = 'card_hour' AND active"
        pages = cards * DAYS * 24
        of = f"{pages} pages, a month of {cards} cards"
        found = [
            Figure(name="ledger.bytes_a_page", value=float(warehouse.value(size)) / pages, of=of),
            Figure(name="ledger.pages_written_per_s", value=pages / filling.seconds, of=f"{of}, constraints checked"),
        ]
        for name, only in (("one_customer", ("k8s:team-7",)), ("all_customers", ())):
            for _again in range(2):
                with watched() as watch:
                    answer = usage(warehouse, month_ms, end_ms, by=("owner", "model"), owners=only)
            if len(answer) != (1 if only else OWNERS):
                raise RuntimeError(f"not what was to be measured: {len(answer)} groups")
            found.append(Figure(name=f"usage.query_{name}_s", value=watch.seconds, of=of))
            found.append(Figure(name=f"usage.query_{name}_cpu_s", value=watch.cpu_seconds, of=of))
            found.append(Figure(name=f"usage.query_{name}_peak_mib", value=watch.peak_mib, of=of))
    return found
