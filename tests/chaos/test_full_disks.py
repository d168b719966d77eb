"""Disks that fill up: the spool's, whose lost time is told as such, and the engine's, which is waited for."""

from __future__ import annotations

import resource
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cardhour_contract.record import CardState
from cardhour_contract.settings import StreamSettings
from cardhour_ingest.warehouse.client import Warehouse
from tests.chaos.conftest import a_world
from tests.chaos.pipeline import Pipeline, running
from tests.chaos.processes import Service
from tests.chaos.truth import MS_US, truth_of
from tests.chaos.verdict import assert_true
from tests.services.engine import EngineProcess, running_engine
from tests.services.waiting import wait_until

DISK_MB = 96
"""The engine's own logs and a short world take a few megabytes."""


def test_a_full_spool_disk_loses_its_own_time_and_says_so(
    pipeline_of: Callable[..., Pipeline], usage_store: Warehouse
) -> None:
    """A limit on the size of files does what a full disk does: the spool's log may grow no further."""
    with running(pipeline_of(samples=60)) as pipeline:
        (agent,), (tape,) = pipeline.agents.values(), pipeline.tapes.values()
        _play(pipeline, 0.3)
        full_ms = tape.now_ms()
        _limit_files(agent, (agent.folder / "spool.db-wal").stat().st_size)
        _play(pipeline, 0.5)
        room_ms = tape.now_ms()
        _limit_files(agent, resource.RLIM_INFINITY)
        pipeline.finish()
        assert "the spool is full" in agent.log()
        truth = truth_of(pipeline.world.path, without=[(full_ms, room_ms)])
        assert_true(pipeline, truth)
    told_us = usage_store.value(
        "SELECT sum(end_ms - start_ms) * 1000 FROM (SELECT DISTINCT card, start_ms, end_ms FROM card_record"
        " WHERE state = {full:UInt8})",
        full=CardState.SPOOL_FULL,
    )
    assert told_us == (room_ms - full_ms) * MS_US * truth.cards


def _play(pipeline: Pipeline, part: float) -> None:
    pipeline.grant(part)
    pipeline.await_played()
    for agent in pipeline.agents.values():
        agent.check()


def _limit_files(agent: Service, size: int) -> None:
    resource.prlimit(agent.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


class Disk:
    """Where the engine keeps its files, and how to have it full and empty again."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        options = ["-t", "tmpfs", "-o", f"size={DISK_MB}m", "cardhour-chaos", str(folder)]
        self._mounted = subprocess.run(["mount", *options], capture_output=True).returncode == 0

    def fill(self, engine: EngineProcess) -> None:
        if self._mounted:
            _fill(self.folder / "ballast")
        else:
            resource.prlimit(engine.pid, resource.RLIMIT_FSIZE, (1, resource.RLIM_INFINITY))

    def clear(self, engine: EngineProcess) -> None:
        if self._mounted:
            (self.folder / "ballast").unlink()
        else:
            resource.prlimit(engine.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))

    def close(self) -> None:
        if self._mounted:
            subprocess.run(["umount", str(self.folder)], check=True)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    """A small disk where one may be mounted, else any, with a limit on the size of files in place of its end."""
    made = Disk(tmp_path / "disk")
    yield made
    made.close()


def test_a_full_disk_of_the_engine_is_waited_for(tmp_path: Path, disk: Disk, topic: StreamSettings) -> None:
    with running_engine(disk.folder / "engine") as engine, engine.empty_warehouse() as warehouse:
        pipeline = Pipeline(tmp_path, a_world(tmp_path, samples=40), topic, warehouse)
        with running(pipeline, [b"not a message"]):
            (ingest,) = pipeline.ingests
            _play(pipeline, 0.3)
            pipeline.await_ingested()
            before = ingest.log().count("waiting")
            disk.fill(engine)
            _play(pipeline, 0.6)
            wait_until(lambda: ingest.log().count("waiting") > before, "ingest waits", pipeline.check)
            disk.clear(engine)
            pipeline.finish()
            assert_true(pipeline)


def _fill(path: Path) -> None:
    """Until nothing more fits."""
    with path.open("wb", buffering=0) as file:
        for size in (1 << 20, 1 << 12):
            try:
                while True:
                    file.write(bytes(size))
            except OSError:
                continue
