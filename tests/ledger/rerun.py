"""A rollup that is run again from one of its statements on, over the tables that a whole run has left.

Owns which tables rest on a statement's: the statements themselves say so, by the names in them.
"""

from __future__ import annotations

from typing import Any

from cardhour_ingest.warehouse.client import Warehouse
from cardhour_ingest.warehouse.rollup.run import STEPS, Run
from cardhour_ingest.warehouse.sql import sql


class Rerun(Run):
    """Takes over from ``whole`` each table that does not rest on ``step``."""

    def __init__(self, warehouse: Warehouse, whole: Run, step: str) -> None:
        super().__init__(warehouse)
        self._again = resting_on(step)
        self.tables = whole.tables | {each: self.tables[each] for each in self._again}

    def pages(self) -> list[dict[str, Any]]:
        for each in self._again:
            self.command(f"rollup/{each}")
        return pages_of(self._warehouse, self)


def resting_on(step: str) -> list[str]:
    """The step, and those after it that read its table, or a table that rests on it."""
    found = [step]
    for each in STEPS[STEPS.index(step) + 1 :]:
        if any(f"{{{table}:Identifier}}" in sql(f"rollup/{each}") for table in found):
            found.append(each)
    return found


def pages_of(warehouse: Warehouse, made: Run) -> list[dict[str, Any]]:
    """The pages of a run as it would publish them."""
    return warehouse.rows("SELECT * FROM {page:Identifier} ORDER BY hour, card", page=made.tables["page"])
