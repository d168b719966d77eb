"""A database for the ledger's tests, which fill and empty it again and again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from cardhour_ingest.warehouse.client import Warehouse
from cardhour_ingest.warehouse.connect import WarehouseSettings, open_warehouse


@pytest.fixture(scope="module")
def warehouse(engine: Path) -> Iterator[Warehouse]:
    """Shared by the examples of a module: a migration for each would take longer than a rollup."""
    with open_warehouse(WarehouseSettings(database="ledger"), engine) as opened:
        yield opened


PLAIN = (
    "max_threads = 1",
    "compile_expressions = 0",
    "compile_aggregate_expressions = 0",
    "compile_sort_description = 0",
)


@pytest.fixture(scope="module")
def plain_warehouse(warehouse: Warehouse) -> Warehouse:
    """For tests that ask which statements are wrong, and not whether the engine computes as it does for users: on a few
    rows, threads and compiled expressions cost more than they bring."""
    for setting in PLAIN:
        warehouse.command(f"SET {setting}")
    return warehouse
