"""Partitions full of rubbish: each message becomes a dead letter with its reason, and too many of them stop ingest."""

from __future__ import annotations

import random
from collections.abc import Callable

import msgspec

from cardhour_contract.wire import PACKED, ROWS, Envelope, Headers, envelope_headers
from cardhour_ingest.warehouse.client import Warehouse
from tests.chaos.pipeline import PARTITIONS, Pipeline, lag, running
from tests.chaos.siege import seed
from tests.chaos.verdict import assert_true

HUGE_BYTES = 900_000
"""As long as a topic takes, near enough: its limit is a million and some."""

DEAD_MAX = 12
"""Fewer than one partition has: ingest may read one partition before the others, and stops at its first batch."""


def headers(content_type: str) -> Headers:
    return envelope_headers(Envelope(id="node-1/boot/poison", source="/nodes/node-1", content_type=content_type))


def poison(pipeline: Pipeline, rng: random.Random, *, each: int) -> None:
    """``each`` messages of every kind into every partition."""
    for partition in range(PARTITIONS):
        for number in range(each):
            pipeline.plant(rng.randbytes(40), partition=partition)
            pipeline.plant(rng.randbytes(200), headers=headers(PACKED), partition=partition)
            shapes = [{"usage": "none"}, [partition, number], {"node": {"a": rng.random()}}]
            wrong = [shapes[number % 3], partition, number]
            pipeline.plant(msgspec.json.encode(wrong), headers=headers(ROWS), partition=partition)
            pipeline.plant(msgspec.msgpack.encode(wrong), headers=headers(PACKED), partition=partition)
        pipeline.plant(rng.randbytes(HUGE_BYTES), headers=headers(PACKED), partition=partition)


def test_too_much_rubbish_stops_ingest_and_nothing_is_lost_by_it(
    pipeline_of: Callable[..., Pipeline], usage_store: Warehouse
) -> None:
    pipeline = pipeline_of()
    (ingest,) = pipeline.ingests
    try:
        poison(pipeline, random.Random(seed()), each=4)
        for agent in pipeline.agents.values():
            agent.start()
        pipeline.grant(0.5)
        pipeline.await_shipped()
        waiting = lag(pipeline.stream, pipeline.stream.group)
        assert waiting
        ingest.start(CARDHOUR_INGEST_DEAD_LETTERS_MAX=str(DEAD_MAX))
        assert ingest.await_end() == 1
        last = ingest.log_tail(1)
        assert "messages would be dead letters" in last
        assert (
            "none of them was committed. Mend the senders, upgrade ingest, or raise [ingest] dead_letters_max" in last
        )
        assert lag(pipeline.stream, pipeline.stream.group) == waiting
        assert usage_store.value("SELECT count() FROM dead_letter") == 0
        ingest.start(CARDHOUR_INGEST_DEAD_LETTERS_MAX="500")
        pipeline.finish()
        assert_true(pipeline)
    finally:
        pipeline.end()
    reasons = usage_store.rows("SELECT DISTINCT reason, path FROM dead_letter")
    assert all(row["reason"] and row["path"] for row in reasons)


def test_rubbish_below_the_limit_becomes_dead_letters_and_no_more(pipeline_of: Callable[..., Pipeline]) -> None:
    with running(pipeline_of()) as pipeline:
        rng = random.Random(seed())
        for part in (0.4, 0.8):
            pipeline.grant(part)
            poison(pipeline, rng, each=1)
        pipeline.finish()
        assert_true(pipeline)
