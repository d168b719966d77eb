"""A siege: a whole campaign on a pipeline of its own, judged at its end.

Owns sizes, the seed and the summary; the short one is a test, the long one is ``python -m tests.chaos``.
"""

from __future__ import annotations

import os
import random
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from cardhour_contract.moment import HOUR_MS
from cardhour_contract.settings import StreamSettings
from cardhour_ingest.kafka_topics import create_topics
from tests.chaos.campaign import Campaign, plan
from tests.chaos.pipeline import PARTITIONS, Pipeline, running
from tests.chaos.steps import NUMBERED
from tests.chaos.verdict import assert_true
from tests.chaos.world import SAMPLE_MS, write_world
from tests.services.engine import EngineProcess
from tests.services.kafka_broker import KafkaBroker

BAD = (b"not a message", b"", b'{"specversion": "1.0"}')
"""Planted dead letters: a kill must neither lose nor add one."""


SEED_VARIABLE, SEED = "CARDHOUR_CHAOS_SEED", 20_261_126


class Size(NamedTuple):
    """How long a siege is."""

    samples: int
    numbered: int
    """Kills aimed at each gap between two numbered commit steps."""
    proved: int
    """How many of them must have landed there by the step log: another thread may be a step ahead now and then."""
    others: int
    anywhere: int
    """Kills of each of agent and ingest at a random moment."""
    broker: int


class Result(NamedTuple):
    kills: int
    by_gap: Counter[str]
    bridged: int


def seed() -> int:
    """The same in every run of the tests, unless CARDHOUR_CHAOS_SEED says otherwise."""
    chosen = int(os.environ.get(SEED_VARIABLE) or SEED)
    print(f"{SEED_VARIABLE}={chosen}", flush=True)
    return chosen


def recent_hour_ms(samples: int) -> int:
    """A beginning just before an hour's end, so that even a short world crosses it, and all of it is past."""
    hours = samples * SAMPLE_MS // HOUR_MS + 2
    return (int(time.time() * 1000) // HOUR_MS - hours) * HOUR_MS - 5 * 60_000


def own_stream(servers: str, name: str) -> StreamSettings:
    """Topics and a group of this name, with as many partitions as there are ever ingest processes."""
    stream = StreamSettings(
        kind="kafka", bootstrap_servers=(servers,), topic=name, dead_letter_topic=f"{name}-dead", group=name
    )
    create_topics(stream, partitions=PARTITIONS, replicas=1)
    return stream


def besiege(
    folder: Path, size: Size, broker: KafkaBroker, engine: EngineProcess, progress: Callable[[str], None] = print
) -> Result:
    """Run it; fails with every difference between ledger and truth."""
    rng = random.Random(seed())
    world = write_world(folder / "world.json", rng, recent_hour_ms(size.samples), size.samples)
    deaths = plan(rng, numbered=size.numbered, others=size.others, anywhere=size.anywhere, broker=size.broker)
    stream = own_stream(broker.bootstrap_servers, folder.name)
    with (
        engine.empty_warehouse() as warehouse,
        running(Pipeline(folder, world, stream, warehouse), BAD) as pipeline,
    ):
        campaign = Campaign(pipeline, broker, rng)
        campaign.run(deaths, progress)
        pipeline.finish()
        assert_true(pipeline)
        killed = sum(each.killed for each in pipeline.services) + campaign.broker_killed
        result = Result(killed, campaign.tally(), campaign.bridged)
    assert result.kills == deaths.kills
    short = {gap: result.by_gap[gap] for gap in NUMBERED if result.by_gap[gap] < size.proved}
    assert not short, f"too few kills between two steps, by the step log: {short}"
    return result
