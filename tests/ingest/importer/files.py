"""Usage files for the tests here, and what is in a warehouse afterwards.

Owns writing rows as text. Does not own what is right or wrong with them.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from cardhour_ingest.usage_text import COLUMNS
from cardhour_ingest.warehouse.client import Warehouse

HEADER = ",".join(COLUMNS)

GOOD = {
    "owner": "k8s:acme",
    "workload": "train-1",
    "node": "n1",
    "card": "GPU-1",
    "model": "H100",
    "process": "p1",
    "started_at": "2026-03-02T10:00:00Z",
    "ended_at": "2026-03-02T10:10:00Z",
    "share": "0.5",
    "sm_util_percent": "40",
    "memory_bytes": "1000",
}


def row(**changes: str) -> str:
    """A good row, save for ``changes``."""
    return ",".join({**GOOD, **changes}.values())


def write(path: Path, rows: Iterable[str | bytes], *, header: str = HEADER) -> Path:
    """A usage file with these lines under the header."""
    lines = [each if isinstance(each, bytes) else each.encode() for each in (header, *rows)]
    path.write_bytes(b"\n".join(lines) + b"\n")
    return path


def row_counts(warehouse: Warehouse) -> dict[str, int]:
    """Tables that hold rows, save the record of migrations."""
    rows = warehouse.rows(
        "SELECT name, total_rows AS count FROM system.tables WHERE database = {database:String} AND total_rows > 0",
        database=warehouse.target.database,
    )
    return {each["name"]: each["count"] for each in rows if each["name"] != "migration"}
