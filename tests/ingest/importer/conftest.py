"""An engine process for these tests, and a warehouse of its own for each."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from cardhour_ingest.warehouse.client import Warehouse
from tests.services.engine import EngineProcess, running_engine


@pytest.fixture(scope="package")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EngineProcess]:
    with running_engine(tmp_path_factory.mktemp("engine")) as process:
        yield process


@pytest.fixture
def warehouse(engine: EngineProcess) -> Iterator[Warehouse]:
    opened = engine.empty_warehouse()
    yield opened
    engine.give_back(opened)


@pytest.fixture(scope="package")
def untouched(engine: EngineProcess) -> Iterator[Warehouse]:
    """A warehouse for imports that must not leave anything in it."""
    opened = engine.empty_warehouse()
    yield opened
    engine.give_back(opened)
