"""What every installation meets one day: a broker that is away for long, an insert that failed or seemed to, members
that come and go. The ledger says what the scenario says, all the same.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from cardhour_contract.spool import Spool
from cardhour_ingest.warehouse.client import Warehouse
from tests.chaos.conftest import a_world
from tests.chaos.pipeline import PARTITIONS, Pipeline, running
from tests.chaos.processes import Service
from tests.chaos.proxy import HANG_UP, REFUSE, SWALLOW, Proxy
from tests.chaos.siege import own_stream
from tests.chaos.verdict import assert_true
from tests.services.kafka_broker import KafkaBroker
from tests.services.waiting import PATIENCE_S, wait_until

MakePipeline = Callable[..., Pipeline]

WORK_S = 10
"""How long a member of the group may take to come to its share of what is there."""


def test_a_broker_away_for_longer_than_a_delivery_is_tried(
    tmp_path: Path, usage_store: Warehouse, mortal_broker: KafkaBroker
) -> None:
    stream = own_stream(mortal_broker.bootstrap_servers, tmp_path.name)
    with running(Pipeline(tmp_path, a_world(tmp_path, samples=120), stream, usage_store)) as pipeline:
        agent = pipeline.agents["node-1"]
        pipeline.grant(0.2)
        pipeline.await_shipped()
        mortal_broker.kill()
        # A sample now and then: when the oldest delivery is given up, the newest has hardly been tried.
        wait_until(
            lambda: any(each.step == "gave up" for each in agent.steps.read()),
            "a delivery was given up",
            lambda: pipeline.grant_another(0.9),
        )
        pipeline.await_played()
        with Spool(agent.folder / "spool.db") as spool:
            assert spool.depth().reports > 0
        mortal_broker.start()
        pipeline.finish()
        assert_true(pipeline)


def test_inserts_that_fail_or_whose_answer_is_lost_are_repeated(
    pipeline_of: MakePipeline, usage_store: Warehouse
) -> None:
    with Proxy(usage_store.target.url) as proxy, running(pipeline_of(url=proxy.url), [b"not a message"]) as pipeline:
        for number, table in enumerate(("usage_record", "dirty_hour", "card_record")):
            proxy.arm((SWALLOW, table), (REFUSE, table), (HANG_UP, table))
            _share(pipeline, 0.3 * (number + 1))
        pipeline.finish()
        assert_true(pipeline)
        assert not proxy.armed


def test_three_ingest_processes_join_leave_and_die(pipeline_of: MakePipeline) -> None:
    pipeline = pipeline_of(nodes=3, samples=60)
    first, second, third = pipeline.ingests[0], pipeline.another_ingest(), pipeline.another_ingest()
    with running(pipeline, [b"not a message"]):
        _share(pipeline, 0.2)
        _die_at(pipeline, first, "inserted", 0.4)
        second.stop()
        _share(pipeline, 0.6)
        first.start()
        _die_at(pipeline, third, "marked", 0.8)
        second.start()
        pipeline.finish()
        assert_true(pipeline)


def _die_at(pipeline: Pipeline, member: Service, step: str, part: float) -> None:
    """Have a member die at a step of its work. The group may have given that to another: then there is more for all."""
    member.kill_at(step)
    pipeline.grant(part)
    for number in range(PATIENCE_S // WORK_S):
        if member.ends_within(WORK_S):
            break
        for partition in range(PARTITIONS):
            pipeline.plant(f"more work {number}".encode(), partition=partition)
    member.await_death()


def _share(pipeline: Pipeline, part: float) -> None:
    pipeline.grant(part)
    pipeline.await_shipped()
    pipeline.await_ingested()
