"""An engine process for the whole run, and a database of its own for each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.services.engine import EngineProcess, running_engine

from cardhour_ingest.warehouse.client import Warehouse


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EngineProcess]:
    with running_engine(tmp_path_factory.mktemp("engine")) as process:
        yield process


@pytest.fixture
def warehouse(engine: EngineProcess) -> Iterator[Warehouse]:
    """An empty, migrated warehouse, over HTTP."""
    opened = engine.empty_warehouse()
    yield opened
    engine.drop(opened)
