"""What a source promises, held to on an agent's spool and on a real Kafka broker alike."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from cardhour_contract.clock import SystemClock, VirtualClock
from cardhour_contract.errors import Reject
from cardhour_contract.settings import StreamSettings
from cardhour_ingest.dead_letter import dead
from cardhour_ingest.reading import read
from cardhour_ingest.source import Source
from cardhour_ingest.spool_source import SpoolSource
from tests.ingest.reports import AT_MS, report
from tests.ingest.streams import KafkaStream, SpoolStream, Stream, ids, take


@pytest.fixture(params=["spool", "kafka"])
def stream_of_reports(request: pytest.FixtureRequest, tmp_path: Path) -> Stream:
    if request.param == "spool":
        return SpoolStream(tmp_path / "spool.db")
    settings: StreamSettings = request.getfixturevalue("stream")
    return KafkaStream(settings)


@pytest.fixture
def source(stream_of_reports: Stream) -> Iterator[Source]:
    opened = stream_of_reports.source()
    yield opened
    opened.close()


def test_a_report_arrives_as_it_was_sent(stream_of_reports: Stream, source: Source) -> None:
    before_ms = SystemClock().now_ms()
    stream_of_reports.send(report())
    (message,) = take(source, 1)
    assert read(message).report.node == "node-1"
    assert read(message).report.started_at_ms == AT_MS
    assert before_ms <= message.received_at_ms <= SystemClock().now_ms() + 1_000


def test_reports_of_a_node_come_in_the_order_they_were_made(stream_of_reports: Stream, source: Source) -> None:
    stream_of_reports.send(*(report(monotonic_ms=number) for number in range(50)))
    found = [read(message).report.monotonic_ms for message in take(source, 50)]
    assert found == list(range(50))


def test_nothing_to_read_is_no_error(source: Source) -> None:
    assert source.poll(wait_ms=10) == []


def test_what_is_committed_never_comes_again(stream_of_reports: Stream, source: Source) -> None:
    stream_of_reports.send(report(), report())
    source.commit([each.position for each in take(source, 2)])
    source.close()
    stream_of_reports.send(report(node="node-2"))
    again = stream_of_reports.source()
    assert [read(each).report.node for each in take(again, 1)] == ["node-2"]
    again.close()


def test_what_is_not_committed_comes_again_with_the_same_id_at_the_same_position(
    stream_of_reports: Stream, source: Source
) -> None:
    stream_of_reports.send(report(), report(), report())
    first = take(source, 3)
    source.close()
    again = stream_of_reports.source()
    second = take(again, 3)
    assert ids(second) == ids(first)
    assert [each.position for each in second] == [each.position for each in first]
    assert len(set(ids(first))) == 3
    again.close()


def test_committing_nothing_or_twice_is_harmless(stream_of_reports: Stream, source: Source) -> None:
    source.commit([])
    stream_of_reports.send(report())
    positions = [each.position for each in take(source, 1)]
    source.commit(positions)
    source.commit(positions)
    stream_of_reports.send(report(node="node-2"))
    assert read(take(source, 1)[0]).report.node == "node-2"


def test_a_dead_letter_is_published_before_its_message_is_gone(stream_of_reports: Stream, source: Source) -> None:
    stream_of_reports.send(report())
    (message,) = take(source, 1)
    source.publish([dead(message, Reject("bad_value", "no", path="$.x"))])
    source.commit([message.position])


def test_several_spools_are_read_in_turn_and_forgotten_apart(tmp_path: Path) -> None:
    spools = [SpoolStream(tmp_path / f"{node}.db") for node in ("node-1", "node-2")]
    for number, each in enumerate(spools, 1):
        each.send(report(node=f"node-{number}"), report(node=f"node-{number}"))
    source = SpoolSource([each.path for each in spools], clock=VirtualClock(AT_MS))
    found = take(source, 4)
    source.commit([each.position for each in found if each.position.stream == str(spools[0].path)])
    assert [each.waiting() for each in spools] == [0, 2]
    source.close()


def test_an_agent_that_starts_after_ingest_is_found(tmp_path: Path) -> None:
    stream = SpoolStream(tmp_path / "later.db")
    source = stream.source()
    assert source.poll(wait_ms=0) == []
    assert not stream.path.exists()
    stream.send(report())
    assert len(take(source, 1)) == 1
    source.close()
