"""What the tests of faults share: one engine process, and worlds to be metered on it."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cardhour_contract.settings import StreamSettings
from cardhour_ingest.warehouse.client import Warehouse
from tests.chaos.pipeline import Pipeline
from tests.chaos.siege import own_stream, recent_hour_ms, seed
from tests.chaos.world import World, write_world
from tests.services.engine import EngineProcess, running_engine
from tests.services.kafka_broker import KafkaBroker, running_broker
from tests.services.kafka_files import UnavailableError


@pytest.fixture(scope="package")
def engine_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EngineProcess]:
    with running_engine(tmp_path_factory.mktemp("engine")) as engine:
        yield engine


@pytest.fixture
def usage_store(engine_process: EngineProcess) -> Iterator[Warehouse]:
    """A migrated database of this test's own."""
    warehouse = engine_process.empty_warehouse()
    yield warehouse
    engine_process.drop(warehouse)


@pytest.fixture
def topic(kafka_broker: str, tmp_path: Path) -> StreamSettings:
    """Topics of this test's own."""
    return own_stream(kafka_broker, tmp_path.name)


@pytest.fixture(scope="package")
def mortal_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaBroker]:
    """A broker that the tests here may kill, as long as they start it again."""
    try:
        with running_broker(tmp_path_factory.mktemp("mortal-kafka"), mortal=True) as broker:
            yield broker
    except UnavailableError as reason:
        pytest.skip(str(reason))


def a_world(folder: Path, *, samples: int, nodes: int = 1) -> World:
    return write_world(folder / "world.json", random.Random(seed()), recent_hour_ms(samples), samples, nodes)


@pytest.fixture
def pipeline_of(tmp_path: Path, topic: StreamSettings, usage_store: Warehouse) -> Callable[..., Pipeline]:
    """Makes a pipeline of a random world; nothing of it runs yet."""

    def make(*, samples: int = 40, nodes: int = 1, url: str = "") -> Pipeline:
        return Pipeline(tmp_path, a_world(tmp_path, samples=samples, nodes=nodes), topic, usage_store, url=url)

    return make
