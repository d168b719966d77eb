"""What every test can ask for: the ClickHouse engine, a Kafka broker. And what holds for every test: under CI=true
nothing is skipped, so that a missing service cannot hide a broken test.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import TypeVar

import pytest
from hypothesis import HealthCheck, settings

from cardhour_contract.settings import StreamSettings
from cardhour_ingest.kafka_topics import create_topics
from cardhour_ingest.loop import insist
from cardhour_ingest.warehouse.client import Warehouse
from cardhour_ingest.warehouse.connect import WarehouseSettings, open_warehouse
from tests.services.emptied import Emptied
from tests.services.kafka_broker import KafkaBroker, named_broker, running_broker
from tests.services.kafka_files import UnavailableError
from tests.services.kafka_sockets import close_forgotten_sockets
from tests.services.memory import GIB, in_memory

Report = TypeVar("Report", pytest.TestReport, pytest.CollectReport)

_numbers = count(1)

STRICT = os.environ.get("CI") == "true"

# The same examples in every run, however slow the machine: a failure is the fault of what was changed, and comes again.
# ``pytest --hypothesis-profile searching`` draws new ones.
settings.register_profile("same", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("searching", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("same")

close_forgotten_sockets()

# A run makes very many small files, half a gigabyte together.
if memory := in_memory(8 * GIB):
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(memory))

SLOW_FILES_FIRST = ("ledger", "chaos", "e2e", "portal")
"""Folders whose files take longest: begun last, one of them would keep a worker busy while the others have nothing."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    slow = [f"tests/{folder}/" for folder in SLOW_FILES_FIRST]
    items.sort(key=lambda item: not any(item.nodeid.startswith(folder) for folder in slow))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    return _without_skip(report) if STRICT else report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    return _without_skip(report) if STRICT else report


def _without_skip(report: Report) -> Report:
    if report.skipped:
        report.outcome = "failed"
        report.longrepr = f"skipped, which CI=true does not allow: {report.longrepr}"
    return report


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The home whose embedded engine this process has open: chDB admits one folder a process, so all tests share it."""
    home = tmp_path_factory.mktemp("engine")
    with open_warehouse(WarehouseSettings(database="kept_open"), home):
        yield home


@pytest.fixture(scope="session")
def emptied(engine: Path) -> Emptied:
    """Databases of this process's engine that the next test may have."""
    return Emptied()


@pytest.fixture
def warehouse(engine: Path, emptied: Emptied) -> Iterator[Warehouse]:
    """A migrated database of this test's own."""
    with _lent(engine, emptied) as opened:
        yield opened


@pytest.fixture(scope="module")
def shared_warehouse(engine: Path, emptied: Emptied) -> Iterator[Warehouse]:
    """A migrated database for all of a module's tests: what they find in it they leave there."""
    with _lent(engine, emptied) as opened:
        yield opened


@contextmanager
def _lent(engine: Path, emptied: Emptied) -> Iterator[Warehouse]:
    name = emptied.take() or f"test_{next(_numbers)}"
    with open_warehouse(WarehouseSettings(database=name), engine) as opened:
        emptied.made(opened)
        yield opened
        emptied.back(opened)


@pytest.fixture(scope="session")
def own_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaBroker]:
    """A real broker, started here."""
    try:
        with running_broker(tmp_path_factory.mktemp("kafka")) as broker:
            yield broker
    except UnavailableError as reason:
        pytest.skip(str(reason))


@pytest.fixture(scope="session")
def kafka_broker(request: pytest.FixtureRequest) -> str:
    """``host:port`` of a real broker: the one that CARDHOUR_TEST_KAFKA names, or one started here."""
    named = named_broker()
    if named:
        return named
    broker: KafkaBroker = request.getfixturevalue("own_broker")
    return broker.bootstrap_servers


@pytest.fixture
def stream(kafka_broker: str) -> StreamSettings:
    """Settings of a topic, a dead-letter topic and a group of this test's own. The topics exist, of two partitions."""
    name = f"test-{os.getpid()}-{next(_numbers)}"
    own = StreamSettings(
        kind="kafka",
        bootstrap_servers=(kafka_broker,),
        topic=name,
        dead_letter_topic=f"{name}-dead",
        group=name,
    )
    insist("making topics", lambda: create_topics(own, partitions=2, replicas=1), threading.Event())
    return own
