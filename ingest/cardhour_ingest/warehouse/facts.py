"""Raw facts on their way in: a batch's tables, its marks, its dead letters.

Owns the order in which tables are written. Does not own what the rows mean (``tables``, ``report_tables``) nor when the
batch counts as stored (``loop``).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import pyarrow as pa

from cardhour_ingest.warehouse.client import Warehouse
from cardhour_ingest.warehouse.sql import sql

ORDER = (
    "node",
    "node_basis",
    "card",
    "node_scan",
    "process",
    "workload",
    "fault",
    "attribution",
    "card_record",
    "usage_record",
    "ingest_batch",
)
"""What a key stands for comes before the rows that use it, and the note that a batch is complete comes last."""

PROCESSES_ASKED_MAX = 5_000
"""Keys in one question: at most 100 KB, which a server takes in one request."""


def insert_facts(warehouse: Warehouse, tables: Mapping[str, pa.Table]) -> None:
    """Append a batch, table after table. Safe to repeat, whole or in part: the rows are facts, and a union."""
    for table in ORDER:
        if table in tables:
            warehouse.insert(table, tables[table])


def hours_of_processes(warehouse: Warehouse, processes: Iterable[int]) -> set[tuple[int, str]]:
    """The hours, with their nodes, in which these processes have raw rows."""
    asked = sorted(processes)
    found: set[tuple[int, str]] = set()
    for first in range(0, len(asked), PROCESSES_ASKED_MAX):
        part = asked[first : first + PROCESSES_ASKED_MAX]
        rows = warehouse.rows(sql("queries/hours_of_processes"), processes=part)
        found.update((row["hour"], row["node"]) for row in rows)
    return found
