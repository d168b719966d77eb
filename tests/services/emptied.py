"""Databases that are lent to one test after another: emptied in between, which takes a sixth of making one.

Owns what is like new: the tables and migrations of a new one, no row, and nobody at work on it. What is not is dropped.
"""

from __future__ import annotations

from cardhour_ingest.warehouse.client import Warehouse

FILLED = (
    "SELECT DISTINCT table FROM system.parts WHERE database = currentDatabase() AND active AND table != 'migration'"
)

SHAPE = """
SELECT arraySort(groupArray((name, replaceAll(create_table_query, currentDatabase() || '.', '')))) AS tables,
       (SELECT arraySort(groupArray((number, sha256, state))) FROM migration) AS migrations
FROM system.tables WHERE database = currentDatabase()
"""

AT_WORK = """
SELECT (SELECT count() FROM system.processes WHERE current_database = currentDatabase()) - 1
     + (SELECT count() FROM system.mutations WHERE database = currentDatabase() AND NOT is_done)
"""


class Emptied:
    """Names of databases that are like new."""

    def __init__(self) -> None:
        self._names: list[str] = []
        self._shape: object = None

    def take(self) -> str | None:
        """One of them, if there is one."""
        return self._names.pop() if self._names else None

    def made(self, warehouse: Warehouse) -> None:
        """This one is new: so they shall be."""
        if self._shape is None:
            self._shape = warehouse.rows(SHAPE)

    def back(self, warehouse: Warehouse) -> None:
        """Empty a database that was used, for the next; or drop it."""
        name = warehouse.target.database
        if warehouse.value(AT_WORK) == 0 and warehouse.rows(SHAPE) == self._shape:
            for row in warehouse.rows(FILLED):
                warehouse.command("TRUNCATE TABLE {table:Identifier}", table=row["table"])
            self._names.append(name)
        else:
            warehouse.command("DROP DATABASE {name:Identifier}", name=name)
