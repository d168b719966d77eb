"""From the spool to a real broker: nothing leaves the spool before the broker has it, whatever fails in between."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaConsumer
from kafka.admin import KafkaAdminClient
from kafka.errors import KafkaTimeoutError

from cardhour_agent.scenario import Scenario, SimulatedNode
from cardhour_agent.shipper import IN_FLIGHT_MAX, Shipper, connect
from cardhour_agent.simulate import simulate
from cardhour_contract.clock import SystemClock
from cardhour_contract.moment import MINUTE_MS
from cardhour_contract.settings import StreamSettings
from cardhour_contract.spool import Spool
from cardhour_contract.wire import decode, read_envelope
from tests.agent.test_observer import GPU, process
from tests.agent.watch import T0
from tests.services.waiting import PATIENCE_MS, PATIENCE_S, wait_until

REPORTS = 2 * IN_FLIGHT_MAX + 20
"""More than may be in flight at once."""


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    """A spool with some hours of reports."""
    node = SimulatedNode(id="node-1", cluster="lab", card=(GPU,), process=(process(7, 0, 6000),))
    path = tmp_path / "spool.db"
    simulate(Scenario(name="ship", node=(node,)), "node-1", T0, T0 + REPORTS * MINUTE_MS, path)
    return path


def waiting(spool: Path) -> int:
    with Spool(spool) as opened:
        return opened.depth().reports


def ids(spool: Path) -> list[str]:
    with Spool(spool) as opened:
        return [each.ce_id for each in opened.read()]


def received(stream: StreamSettings, count: int) -> list[Any]:
    """The messages of the topic until ``count`` reports have come; one that was sent again comes twice."""
    consumer = KafkaConsumer(
        stream.topic, bootstrap_servers=list(stream.bootstrap_servers), auto_offset_reset="earliest"
    )
    messages: list[Any] = []
    clock = SystemClock()
    deadline_ms = clock.monotonic_ms() + PATIENCE_MS
    try:
        while len(set(map(named, messages))) < count:
            assert clock.monotonic_ms() < deadline_ms, f"{len(messages)} messages came for {count} reports"
            for records in consumer.poll(timeout_ms=1000).values():
                messages += records
    finally:
        consumer.close()
    return messages


def named(message: Any) -> str:
    return read_envelope(message.headers).id


def in_order(messages: list[Any]) -> list[str]:
    """The reports by name, as each first came."""
    return list(dict.fromkeys(map(named, messages)))


@contextmanager
def running(shipper: Shipper) -> Iterator[None]:
    thread = threading.Thread(target=shipper.run)
    thread.start()
    try:
        yield
    finally:
        shipper.stop()
        thread.join(PATIENCE_S)
        assert not thread.is_alive()


def test_every_report_arrives_as_an_event_and_then_leaves_the_spool(spool: Path, stream: StreamSettings) -> None:
    expected = ids(spool)
    assert Shipper(stream, spool).drain(PATIENCE_S) == 0
    assert waiting(spool) == 0
    messages = received(stream, len(expected))
    envelopes = [read_envelope(message.headers) for message in messages]
    assert in_order(messages) == expected
    assert {message.key for message in messages} == {b"node-1"}
    assert {message.partition for message in messages} == {messages[0].partition}
    assert {each.source for each in envelopes} == {"/nodes/node-1"}
    for message, envelope in zip(messages, envelopes, strict=True):
        assert envelope.sent_at_ms is not None
        assert abs(message.timestamp - envelope.sent_at_ms) < 30_000
        decode(message.value, envelope.content_type)


def test_it_waits_for_a_broker_without_losing_anything(spool: Path, stream: StreamSettings) -> None:
    expected = ids(spool)
    tried = threading.Event()
    broker_is_up = threading.Event()

    def late(settings: StreamSettings) -> Any:
        if not broker_is_up.is_set():
            tried.set()
            raise KafkaTimeoutError("no broker yet")
        return connect(settings)

    with running(Shipper(stream, spool, producer=late)):
        assert tried.wait(PATIENCE_S)
        assert waiting(spool) == len(expected)
        broker_is_up.set()
        messages = received(stream, len(expected))
        wait_until(lambda: waiting(spool) == 0)  # the broker has them before the shipper knows
    assert in_order(messages) == expected


def test_sends_that_fail_are_repeated_and_drop_nothing(spool: Path, stream: StreamSettings) -> None:
    expected = ids(spool)
    narrow = f"{stream.topic}-narrow"
    admin = KafkaAdminClient(bootstrap_servers=list(stream.bootstrap_servers))
    limits = {"num_partitions": 1, "replication_factor": 1, "configs": {"max.message.bytes": "100"}}
    admin.create_topics({narrow: limits}, wait_for_metadata=True)
    admin.close()
    sessions: list[_Misdirecting] = []

    def misdirecting(settings: StreamSettings) -> Any:
        sessions.append(_Misdirecting(connect(settings), narrow, every=7 if len(sessions) < 2 else 0))
        return sessions[-1]

    assert Shipper(stream, spool, producer=misdirecting).drain(PATIENCE_S) == 0
    assert waiting(spool) == 0
    assert [each.misdirected > 0 for each in sessions[:2]] == [True, True]
    assert sessions[-1].misdirected == 0
    assert set(in_order(received(stream, len(expected)))) == set(expected)


class _Misdirecting:
    """A real producer, each ``every``-th of whose sends goes to a topic where the broker refuses it."""

    def __init__(self, producer: Any, narrow: str, *, every: int) -> None:
        self._producer = producer
        self._narrow = narrow
        self._every = every
        self._sent = self.misdirected = 0

    def send(self, topic: str, **message: Any) -> Any:
        self._sent += 1
        if self._every and self._sent % self._every == 0:
            self.misdirected += 1
            topic = self._narrow
        return self._producer.send(topic, **message)

    def flush(self, timeout: float) -> None:
        self._producer.flush(timeout)

    def close(self, timeout: float) -> None:
        self._producer.close(timeout)


def test_stopping_leaves_what_is_not_acknowledged_in_the_spool(spool: Path, stream: StreamSettings) -> None:
    tried = threading.Event()

    def never(settings: StreamSettings) -> Any:
        tried.set()
        raise KafkaTimeoutError("no broker")

    with running(Shipper(stream, spool, producer=never)):
        assert tried.wait(PATIENCE_S)
    assert waiting(spool) == REPORTS
