"""Every ordering of commit steps is needed: undone, the same kills that the true order survives lose something.

The true order runs beside each mutant, under the same kills, and must come out exact.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from cardhour_ingest.warehouse.client import Warehouse
from cardhour_ingest.warehouse.rollup import roll_up
from tests.chaos import mutants
from tests.chaos.pipeline import Pipeline, lag
from tests.chaos.processes import Service
from tests.chaos.verdict import differences
from tests.services.engine import EngineProcess

PATIENT = {"CHAOS_SESSION_MS": "120000", "CARDHOUR_INGEST_ROLLUP_EVERY_S": "0"}
"""A process that stands still keeps its partitions, and only the test rolls up."""

QUICK = {"CARDHOUR_INGEST_ROLLUP_EVERY_S": "0"}

MakePipeline = Callable[..., Pipeline]


def test_an_agent_that_undoes_its_order_loses_time(pipeline_of: MakePipeline) -> None:
    pipeline = pipeline_of(nodes=3)
    undone = {"node-1": mutants.REMEMBER_FIRST, "node-2": mutants.REMOVE_FIRST, "node-5": ""}
    try:
        for name, agent in pipeline.agents.items():
            agent.start(CHAOS_MUTANT=undone[name])
        # What is undone loses by each of its kills; the true order survives them all.
        kills = {"node-1": ("remembered",) * 3, "node-2": ("removed",) * 3, "node-5": ("remembered", "removed", "sent")}
        for turn, part in enumerate((0.3, 0.6, 0.8)):
            for name, agent in pipeline.agents.items():
                agent.kill_at(kills[name][turn])
            pipeline.grant(part)
            for name, agent in pipeline.agents.items():
                agent.await_death()
                agent.start(CHAOS_MUTANT=undone[name])
        pipeline.ingests[0].start(**QUICK)
        pipeline.finish()
        found = differences(pipeline)
    finally:
        pipeline.end()
    lost = [name for name in undone if any(f"GPU-{name}" in each for each in found)]
    assert lost == ["node-1", "node-2"], "\n".join(found)


class Trial:
    """One consumer group with a database of its own, reading what the agents have sent before."""

    def __init__(self, pipeline: Pipeline, warehouse: Warehouse) -> None:
        self._pipeline = pipeline
        self._warehouse = warehouse
        self._group = warehouse.target.database
        self._ingest: Service = pipeline.another_ingest(self._group, warehouse.target.database)

    def kill_at(self, step: str, mutant: str) -> None:
        self._ingest.kill_at(step)
        self._ingest.start(CHAOS_MUTANT=mutant, **QUICK)
        self._ingest.await_death()

    def roll_up_at(self, step: str, mutant: str) -> None:
        """A rollup runs, whole, while ingest stands between two steps."""
        self._ingest.start(CHAOS_MUTANT=mutant, **PATIENT)
        self._ingest.await_stopped(step)
        roll_up(self._warehouse)
        self._ingest.go_on()

    def differences(self, mutant: str) -> list[str]:
        """After all that is not yet committed has been read again."""
        if not self._ingest.running and lag(self._pipeline.stream, self._group):
            self._ingest.start(CHAOS_MUTANT=mutant, **QUICK)
        self._pipeline.await_ingested(self._group)
        if self._ingest.running:
            self._ingest.stop()
        roll_up(self._warehouse)
        return differences(self._pipeline, warehouse=self._warehouse)


@pytest.fixture
def sent(pipeline_of: MakePipeline) -> Iterator[Pipeline]:
    """A world that is over: all of its reports are in the topic, with one message that is none."""
    pipeline = pipeline_of(samples=30)
    try:
        (node,) = pipeline.agents
        pipeline.plant(b"not a message", node=node)  # before the reports, and so in the first batch with them
        for agent in pipeline.agents.values():
            agent.start()
        pipeline.grant_until(pipeline.world.to_ms)
        pipeline.await_shipped()
        for agent in pipeline.agents.values():
            agent.stop()
        yield pipeline
    finally:
        pipeline.end()


def test_ingest_that_undoes_its_order_misses_something(sent: Pipeline, engine_process: EngineProcess) -> None:
    def trial() -> Trial:
        return Trial(sent, engine_process.empty_warehouse())

    true_order = trial()
    for step in ("storing", "inserted", "marked", "committed"):
        true_order.kill_at(step, "")
    assert true_order.differences("") == []
    assert sent.bad
    for mutant, step in (
        (mutants.COMMIT_FIRST, "storing"),
        (mutants.COMMIT_BEFORE_MARK, "committed"),
        (mutants.COMMIT_BEFORE_LETTERS, "committed"),
    ):
        undone = trial()
        undone.kill_at(step, mutant)
        assert undone.differences(mutant), f"nothing is missed by {mutant}"


def test_a_rollup_between_two_steps_misses_nothing_unless_marks_come_first(
    sent: Pipeline, engine_process: EngineProcess
) -> None:
    for mutant in ("", mutants.MARK_FIRST):
        undone = Trial(sent, engine_process.empty_warehouse())
        undone.roll_up_at("marked" if mutant else "inserted", mutant)
        assert bool(undone.differences(mutant)) == bool(mutant)
