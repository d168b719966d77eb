"""An engine process for these tests, and a database of its own for each.

This process has a folder of its own open (``engine``), and admits no second: what opens others does so in a process.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.services.engine import EngineProcess, running_engine

from cardhour_ingest.warehouse.client import Warehouse


@pytest.fixture(scope="session")
def engine_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EngineProcess]:
    with running_engine(tmp_path_factory.mktemp("engine")) as process:
        yield process


@pytest.fixture
def served_warehouse(engine_process: EngineProcess) -> Iterator[Warehouse]:
    """An empty, migrated warehouse, over HTTP."""
    opened = engine_process.empty_warehouse()
    yield opened
    engine_process.give_back(opened)
