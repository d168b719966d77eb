"""The tables as the engine has them, one line a column: what the drift test compares.

After a deliberate migration: ``python -m tests.ingest.warehouse.schema > tests/ingest/warehouse/schema.txt``, and read
the difference before committing it.
"""

from __future__ import annotations

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from cardhour_ingest.warehouse.client import Warehouse
from cardhour_ingest.warehouse.connect import WarehouseSettings, open_warehouse

GOLDEN = Path(__file__).with_name("schema.txt")

TABLES = """
SELECT name, engine, partition_key, sorting_key FROM system.tables WHERE database = currentDatabase() ORDER BY name
"""

INDEXES = """
SELECT name, type_full, expr, granularity FROM system.data_skipping_indices
WHERE database = currentDatabase() AND table = {table:String} ORDER BY name
"""

COLUMNS = """
SELECT name, type, default_kind, default_expression FROM system.columns
WHERE database = currentDatabase() AND table = {table:String} ORDER BY position
"""


def listing(warehouse: Warehouse) -> str:
    lines = []
    for table in warehouse.rows(TABLES):
        lines.append(
            f"{table['name']}: {table['engine']} by ({table['sorting_key']}) in {table['partition_key'] or 'one part'}"
        )
        for column in warehouse.rows(COLUMNS, table=table["name"]):
            default = f" {column['default_kind']} {column['default_expression']}" if column["default_kind"] else ""
            lines.append(f"    {column['name']} {column['type']}{default}")
        for index in warehouse.rows(INDEXES, table=table["name"]):
            kind = f"{index['type_full']} on ({index['expr']}) each {index['granularity']}"
            lines.append(f"    index {index['name']} {kind}")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    with TemporaryDirectory() as home, open_warehouse(WarehouseSettings(), Path(home)) as opened:
        sys.stdout.write(listing(opened))
