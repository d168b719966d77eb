"""One computation of ledger pages: its working tables, made in order and dropped at the end.

Owns the names and the order of the statements (``rollup``'s docstring says what each does). Does not own which pages
are computed or whether they are published.
"""

from __future__ import annotations

import secrets
from types import TracebackType
from typing import Any, Self

from cardhour_ingest.warehouse.client import Warehouse
from cardhour_ingest.warehouse.sql import sql

STEPS = (
    "page_key", "outage", "home", "quick", "raw_row", "record", "kept", "seen", "piece", "instant", "amount", "entry",
    "page",
)  # fmt: skip


class Run:
    """Working tables under a random name, so that any number of runs may go on at once.

    retraction: the table of retractions to respect; another than the real one asks what if.
    """

    def __init__(self, warehouse: Warehouse, *, retraction: str = "retraction") -> None:
        self._warehouse = warehouse
        run = secrets.token_hex(6)
        self._names = {table: f"rollup_{run}_{table}" for table in ("work", *STEPS, "sealed")}
        self.tables = self._names | {"retraction": retraction}
        """The table that each name in a statement stands for."""

    def choose(self, statement: str, **parameters: Any) -> int:
        """Make the work list, (hour, node, mark), with ``statement``; returns how many (hour, node) pairs it has."""
        self._warehouse.command(sql(statement), **self._tables(statement), **parameters)
        return int(self._warehouse.value(sql("rollup/pairs"), work=self._names["work"]))

    def compute(self, version: str) -> None:
        """From the work list to the ``page`` table, and which of its pages are ``sealed``.

        version: the engine's clock from before this call. A page that a racing run computed later seals nothing.
        """
        for step in STEPS:
            self.command(f"rollup/{step}")
        self.command("rollup/sealed", version=version)

    def version(self) -> str:
        """The engine's clock now: to be asked for before raw is read."""
        return str(self._warehouse.value("SELECT now64(6, 'UTC')::String"))

    def command(self, statement: str, **parameters: Any) -> None:
        """A statement on the run's tables."""
        self._warehouse.command(sql(statement), **self._tables(statement), **parameters)

    def rows(self, statement: str, **parameters: Any) -> list[dict[str, Any]]:
        """A question to the run's tables."""
        return self._warehouse.rows(sql(statement), **self._tables(statement), **parameters)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for name in self._names.values():
            self._warehouse.command("DROP TABLE IF EXISTS {name:Identifier}", name=name)

    def _tables(self, statement: str) -> dict[str, str]:
        """The tables that a statement names: the engine refuses parameters that are not used."""
        text = sql(statement)
        return {table: name for table, name in self.tables.items() if f"{{{table}:Identifier}}" in text}
