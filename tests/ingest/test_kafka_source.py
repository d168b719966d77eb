"""What only a real broker shows: arrival times, rebalances, outages, the dead-letter topic."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from kafka import KafkaConsumer, TopicPartition
from kafka.admin import KafkaAdminClient
from msgspec import structs

from cardhour_contract.clock import SystemClock
from cardhour_contract.errors import Refuse, Reject, Retry
from cardhour_contract.settings import StreamSettings
from cardhour_ingest import kafka_source
from cardhour_ingest.dead_letter import dead
from cardhour_ingest.kafka_source import COMMIT_MS, KafkaSource
from cardhour_ingest.kafka_topics import create_topics
from cardhour_ingest.loop import insist
from cardhour_ingest.source import Message, Position
from tests.ingest.reports import report
from tests.ingest.streams import KafkaStream, ids, poll, take, take_until, turns
from tests.services.kafka_broker import running_broker


def letters(settings: StreamSettings, wanted: int) -> list[tuple[dict[str, bytes], bytes]]:
    """Headers and bodies in the dead-letter topic."""
    consumer = KafkaConsumer(bootstrap_servers=list(settings.bootstrap_servers), auto_offset_reset="earliest")
    consumer.assign([TopicPartition(settings.dead_letter_topic, partition) for partition in range(2)])
    found: list[tuple[dict[str, bytes], bytes]] = []
    try:
        for _ in turns():
            polled = consumer.poll(timeout_ms=1_000)
            found += [(dict(record.headers), record.value) for records in polled.values() for record in records]
            if len(found) >= wanted:
                break
    finally:
        consumer.close()
    return found


def rejected(body: bytes, number: int = 1) -> Message:
    position = Position("reports/0", number)
    return Message(headers=[("ce_id", b"x")], body=body, received_at_ms=0, position=position)


def test_arrival_is_the_brokers_time_whatever_the_sender_says(stream: StreamSettings) -> None:
    before_ms = SystemClock().now_ms()
    KafkaStream(stream).send_bytes(("node-1", b"from 1970", []), timestamp_ms=1)
    source = KafkaStream(stream).source()
    (message,) = take(source, 1)
    assert before_ms <= message.received_at_ms <= SystemClock().now_ms()
    source.close()


def test_a_dead_letter_keeps_body_and_headers_and_says_why(stream: StreamSettings) -> None:
    source = KafkaSource(stream)
    source.publish([dead(rejected(b"\x00\xff"), Reject("bad_payload", "not msgpack", path="$.usage"))])
    source.close()
    ((headers, body),) = letters(stream, 1)
    assert body == b"\x00\xff"
    assert (headers["ce_id"], headers["reason"], headers["path"]) == (b"x", b"bad_payload", b"$.usage")
    assert (headers["detail"], headers["position"]) == (b"not msgpack", b"reports/0/1")


def test_a_dead_letter_too_large_for_its_topic_is_published_without_its_body(stream: StreamSettings) -> None:
    narrow = structs.replace(stream, dead_letter_topic=f"{stream.topic}-narrow")
    admin = KafkaAdminClient(bootstrap_servers=list(stream.bootstrap_servers))
    configs = {"max.message.bytes": "2000"}
    topic = {"num_partitions": 2, "replication_factor": 1, "configs": configs}
    admin.create_topics({narrow.dead_letter_topic: topic}, wait_for_metadata=True)
    admin.close()
    source = KafkaSource(narrow)
    source.publish([dead(rejected(b"x" * 5_000), Reject("too_large", "5000 bytes"))])
    source.close()
    ((headers, body),) = letters(narrow, 1)
    assert (headers["reason"], body) == (b"too_large", b"")


def test_a_second_member_takes_over_and_no_message_is_lost(stream: StreamSettings) -> None:
    topic = KafkaStream(stream)
    topic.send(*(report(node=f"node-{number}") for number in range(20)))
    first, second = topic.source(), topic.source()
    polled = take(first, 20)
    # The second joins: both partitions are taken from the first, and one comes back to it.
    seen: list[Message] = []
    for _ in turns():
        seen += poll(second)
        polled += poll(first)
        if seen:
            break
    first.commit([each.position for each in polled])  # of an assignment that is gone: must not move any offset
    second.commit([each.position for each in seen])
    first.close()
    for _ in turns():
        if set(ids(polled + seen)) == {f"node-{number}/boot-1/{number + 1}" for number in range(20)}:
            break
        seen += poll(second)
    second.close()
    # What the first had polled and could not commit was delivered again.
    assert len(polled) + len(seen) > 20


def test_a_late_commit_of_partitions_that_moved_away_rewinds_nothing(stream: StreamSettings) -> None:
    topic = KafkaStream(stream)
    topic.send(*(report(node=f"early-{number}") for number in range(20)))
    first, second = topic.source(), topic.source()
    early = take(first, 20)
    theirs: list[Message] = []
    rest: list[Message] = []
    for _ in turns():
        theirs += poll(second)
        rest += poll(first)
        if theirs:
            break
    topic.send(*(report(node=f"late-{number}") for number in range(20)))
    for _ in turns():
        if len({each for each in ids(theirs + rest) if each.startswith("late")}) == 20:
            break
        theirs += poll(second)
        rest += poll(first)
    second.commit([each.position for each in theirs])
    first.commit([each.position for each in early])
    first.close()
    second.close()
    third = topic.source()
    wanted = set(ids(early + rest)) - set(ids(theirs))
    assert set(ids(take(third, len(wanted)))) == wanted
    third.close()


def test_offsets_survive_a_rebalance(stream: StreamSettings) -> None:
    topic = KafkaStream(stream)
    topic.send(*(report(node=f"node-{number}") for number in range(20)))
    first = topic.source()
    first.commit([each.position for each in take(first, 20)])
    second = topic.source()
    poll(second)
    poll(first)
    first.close()
    topic.send(report(node="late"))
    assert ids(take(second, 1)) == ["late/boot-1/21"]
    second.close()


def test_polls_too_short_to_join_the_group_in_join_it_all_the_same(stream: StreamSettings) -> None:
    topic = KafkaStream(stream)
    topic.send(*(report(node=f"node-{number}") for number in range(20)))
    for _ in range(3):
        source, seen = topic.source(), list[Message]()
        for _ in turns():
            seen += source.poll(wait_ms=1)
            if len(seen) == 20:
                break
        source.close()


def test_a_topic_that_keeps_the_senders_times_is_refused(stream: StreamSettings) -> None:
    careless = structs.replace(stream, topic=f"{stream.topic}-careless")
    admin = KafkaAdminClient(bootstrap_servers=list(stream.bootstrap_servers))
    admin.create_topics({careless.topic: {"num_partitions": 1, "replication_factor": 1}}, wait_for_metadata=True)
    admin.close()
    with pytest.raises(Refuse, match=r"message\.timestamp\.type=CreateTime: set it to LogAppendTime"):
        KafkaSource(careless).poll(wait_ms=0)


def test_a_topic_that_does_not_exist_yet_is_waited_for(stream: StreamSettings) -> None:
    absent = structs.replace(stream, topic=f"{stream.topic}-absent")
    source = KafkaSource(absent)
    with pytest.raises(Retry, match="does not exist yet"):
        source.poll(wait_ms=0)
    assert create_topics(absent, partitions=1, replicas=1) == [absent.topic]
    assert create_topics(absent, partitions=1, replicas=1) == []
    KafkaStream(absent).send(report())
    assert len(take(source, 1)) == 1
    source.close()


def test_a_broker_that_is_not_there_is_waited_for() -> None:
    nowhere = StreamSettings(kind="kafka", bootstrap_servers=("127.0.0.1:1",))
    with pytest.raises(Retry, match=r"127\.0\.0\.1:1 did not answer"):
        KafkaSource(nowhere).poll(wait_ms=0)


def test_a_broker_killed_between_poll_and_commit_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kafka_source, "COMMIT_MS", COMMIT_MS)
    with running_broker(tmp_path, mortal=True) as broker:
        settings = StreamSettings(kind="kafka", bootstrap_servers=(broker.bootstrap_servers,))
        create_topics(settings, partitions=1, replicas=1)
        topic = KafkaStream(settings)
        topic.send(report(), report())
        source = topic.source()
        positions = [each.position for each in take(source, 2)]
        broker.kill()
        with pytest.raises(Retry):
            source.commit(positions)
        broker.start()
        insist("committing", lambda: source.commit(positions), threading.Event())  # as the loop does
        topic.send(report(node="after"))
        poll(source)
        source.close()
        again = topic.source()
        # The first two come again where the group had to form anew before the commit.
        seen = set(take_until(again, "after/boot-1/3"))
        assert seen <= {"node-1/boot-1/1", "node-1/boot-1/2", "after/boot-1/3"}
        again.close()
