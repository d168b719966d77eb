"""Reports from Kafka: one member of a consumer group.

Owns offsets, rebalances and the dead-letter topic. Does not own when to commit (``loop``) or the topics' settings
(``kafka_topics``).

The client runs rebalance callbacks on a thread of its own, also while nobody polls, so the listener here only counts
them. Offsets are committed by the polling thread, and at once only if no partition has moved since the first message of
the batch was polled. Otherwise the batch, which is stored by then, is owed: the next poll commits those of its
partitions that are ours and not further on already, and whoever has the others is delivered theirs again. The client
keeps its place in a partition that comes back to us, so nobody else would ever commit it. Later batches may have been
polled meanwhile, before the move or after it; each poll remembers how many moves it had seen.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress
from typing import Any

import structlog
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.consumer.subscription_state import ConsumerRebalanceListener
from kafka.coordinator.assignors.range import RangePartitionAssignor
from kafka.errors import (
    CommitFailedError,
    IllegalGenerationError,
    KafkaError,
    MessageSizeTooLargeError,
    RebalanceInProgressError,
    UnknownMemberIdError,
)
from kafka.structs import OffsetAndMetadata
from msgspec import structs

from cardhour_contract.settings import StreamSettings
from cardhour_contract.wire import Headers
from cardhour_ingest.dead_letter import DeadLetter
from cardhour_ingest.kafka_topics import REQUEST_BYTES_MAX, check_topic, connection, dispositions
from cardhour_ingest.source import Message, Position

log = structlog.get_logger()

POLL_RECORDS = 500
"""Messages from one poll: some 30 ms of work, far from the five minutes after which the group would count us out. More
at once are more memory, and no faster."""

PARTITION_BYTES, ANSWER_BYTES = 2 << 20, 4 << 20
"""Of one partition in one answer, and of the answer, which the client holds twice while it reads it. With its default
of 1 MiB a topic of one partition waits for the broker many times a second; its 50 MiB of an answer are memory."""

SESSION_MS = 10_000
"""How long after a process vanished its partitions go to another. Heartbeats have a thread of their own, so that a slow
insert does not look like a death."""

METADATA_MS = 15_000
"""How old what we know of the topic may be: a group that began before every broker knew of a new topic, or of more
partitions, shares them out by then. With the client's five minutes it would sit there and read nothing."""

COMMIT_MS = 5_000
"""How long to try one commit. The loop tries again, and a batch is safe in the warehouse by then."""

PUBLISH_S = 30
"""How long to wait for the dead-letter topic before saying so and trying again."""

CLOSE_S = 1
"""How long a producer may take to end: every letter is either acknowledged by then, or published again."""

REJOIN = (CommitFailedError, RebalanceInProgressError, IllegalGenerationError, UnknownMemberIdError)
"""The group has moved on. The client rejoins by itself at the next poll and starts from the committed offsets."""


class KafkaSource:
    """A topic as a Source. Connects at the first poll, so that ingest starts, and says so, while no broker answers."""

    def __init__(self, stream: StreamSettings, *, session_timeout_ms: int = SESSION_MS) -> None:
        self._stream = stream
        self._session_timeout_ms = session_timeout_ms
        self._consumer: KafkaConsumer | None = None
        self._producer: KafkaProducer | None = None
        self._moves = _Moves()
        self._polls: deque[tuple[int, int]] = deque()
        """Messages, and moves seen, of each poll that is not committed; the longest ago first."""
        self._owed: dict[TopicPartition, OffsetAndMetadata] = {}
        """Stored, and not committed because partitions were moving."""

    def poll(self, *, wait_ms: int) -> list[Message]:
        with dispositions(self._stream):
            consumer = self._connected()
            _go_on_joining(consumer)
            self._settle(consumer)
            moves = self._moves.count
            try:
                polled = consumer.poll(timeout_ms=wait_ms)
            except REJOIN as error:
                log.info("the consumer group is rebalancing", error=str(error))
                return []
        found = [
            _message(f"{partition.topic}/{partition.partition}", record)
            for partition, records in polled.items()
            for record in records
        ]
        if found:
            self._polls.append((len(found), moves))
        return found

    def publish(self, letters: Sequence[DeadLetter]) -> None:
        if not letters:
            return
        with dispositions(self._stream):
            try:
                self._send(letters)
            except MessageSizeTooLargeError:
                for each in letters:
                    self._send_alone(each)

    def commit(self, positions: Sequence[Position]) -> None:
        if self._consumer is None or not positions or not self._polls:
            return  # nothing is polled that is not committed already
        offsets = _next_offsets(positions)
        moved = self._polls[0][1] != self._moves.count
        with dispositions(self._stream):
            try:
                if not moved:
                    self._consumer.commit(offsets, timeout_ms=COMMIT_MS)
            except REJOIN:
                moved = True
        if moved:
            log.info("partitions moved: this batch is stored, and may be delivered again", messages=len(positions))
            for partition, next_offset in offsets.items():
                known = self._owed.get(partition)
                self._owed[partition] = max(known or next_offset, next_offset, key=lambda each: each.offset)
        self._forget(len(positions))

    def _settle(self, consumer: KafkaConsumer) -> None:
        """Commit what is owed, where it is still ours and nobody has come further. Stored already: it loses nothing."""
        ours = consumer.assignment()
        if not self._owed or not ours:
            return  # while partitions move, we have none
        further = {
            partition: owed
            for partition, owed in self._owed.items()
            if partition in ours and (consumer.committed(partition, timeout_ms=COMMIT_MS) or 0) < owed.offset
        }
        try:
            if further:
                consumer.commit(further, timeout_ms=COMMIT_MS)
        except REJOIN:
            return  # they move again; the next poll tries again
        self._owed = {}

    def close(self) -> None:
        if self._consumer is not None:
            self._consumer.close(autocommit=False, timeout_ms=COMMIT_MS)
        if self._producer is not None:
            _let_go(self._producer)
        self._consumer = self._producer = None

    def _forget(self, messages: int) -> None:
        """The first so many of the polled messages are dealt with."""
        while messages > 0:
            polled, moves = self._polls.popleft()
            if polled > messages:
                self._polls.appendleft((polled - messages, moves))
            messages -= polled

    def _connected(self) -> KafkaConsumer:
        if self._consumer is None:
            check_topic(self._stream)
            self._consumer = KafkaConsumer(
                **connection(self._stream),
                group_id=self._stream.group,
                enable_auto_commit=False,
                auto_offset_reset="earliest",
                isolation_level="read_committed",
                allow_auto_create_topics=False,
                check_crcs=True,
                max_poll_records=POLL_RECORDS,
                max_partition_fetch_bytes=PARTITION_BYTES,
                fetch_max_bytes=ANSWER_BYTES,
                metadata_max_age_ms=METADATA_MS,
                session_timeout_ms=self._session_timeout_ms,
                heartbeat_interval_ms=min(3_000, self._session_timeout_ms // 3),
                # Eager: every rebalance takes every partition away and starts it again at its committed offset,
                # which is what ``commit`` relies on when it leaves a batch uncommitted.
                partition_assignment_strategy=[RangePartitionAssignor],
            )
            self._consumer.subscribe([self._stream.topic], listener=self._moves)
        return self._consumer

    def _send_alone(self, letter: DeadLetter) -> None:
        """Where a topic is narrower than ``kafka_topics`` makes it: without the body, which the warehouse has."""
        try:
            self._send([letter])
        except MessageSizeTooLargeError:
            self._send([structs.replace(letter, message=structs.replace(letter.message, body=b""))])

    def _send(self, letters: Sequence[DeadLetter]) -> None:
        """All of them, durably; some may be there twice after an error."""
        producer = self._producer = self._producer or _producer(self._stream)
        topic = self._stream.dead_letter_topic
        try:
            sent = [producer.send(topic, value=each.message.body, headers=_headers(each)) for each in letters]
            producer.flush(timeout=PUBLISH_S)
            for each in sent:  # a flush does not report what failed
                each.get(timeout=PUBLISH_S)
        except KafkaError:
            # An idempotent producer is of no more use after an error: it refuses everything that follows.
            self._producer = None
            _let_go(producer)
            raise


class _Moves(ConsumerRebalanceListener):  # type: ignore[misc]  # the client ships no types
    """How often partitions were taken from us. Written by the client's thread, read by ours; it only grows."""

    def __init__(self) -> None:
        self.count = 0

    def on_partitions_revoked(self, revoked: Collection[TopicPartition]) -> None:
        self.count += bool(revoked)  # joining for the first time takes nothing away

    def on_partitions_assigned(self, assigned: Collection[TopicPartition]) -> None:
        return


def _go_on_joining(consumer: KafkaConsumer) -> None:
    """Have the next poll finish the joining for which the last one was too short.

    kafka-python 3.0.12 forgets it where it joins again because it has only just learned of the topic's partitions: half
    way it believes that nothing is left to do, and waits for ever, without partitions, heartbeats or an error.
    """
    coordinator = consumer._coordinator
    if coordinator.rejoining:
        coordinator.request_rejoin()


def _producer(stream: StreamSettings) -> KafkaProducer:
    return KafkaProducer(
        **connection(stream),
        acks="all",
        enable_idempotence=True,
        delivery_timeout_ms=PUBLISH_S * 1_000,
        max_request_size=REQUEST_BYTES_MAX,
    )


def _let_go(producer: KafkaProducer) -> None:
    """End a producer and its thread, whatever it still holds.

    ``close`` flushes first, and where that takes too long it raises and leaves everything running.
    """
    try:
        producer.close(timeout=CLOSE_S)
    except KafkaError:
        producer._sender.force_close()  # fails what is open, so that the second close has nothing to wait for
        with suppress(KafkaError):
            producer.close(timeout=CLOSE_S)


def _headers(letter: DeadLetter) -> Headers:
    """The message's own, and why it is here."""
    return [
        *letter.message.headers,
        ("reason", letter.reason.encode()),
        ("path", letter.path.encode()),
        ("detail", letter.detail.encode()),
        ("position", str(letter.message.position).encode()),
    ]


def _message(stream: str, record: Any) -> Message:
    return Message(
        headers=[(name, value or b"") for name, value in record.headers],
        body=record.value or b"",
        received_at_ms=record.timestamp,
        position=Position(stream, record.offset),
    )


def _next_offsets(positions: Iterable[Position]) -> dict[TopicPartition, OffsetAndMetadata]:
    """What Kafka calls a committed offset is the next one to read."""
    last: dict[str, int] = {}
    for stream, offset in positions:
        last[stream] = max(offset, last.get(stream, 0))
    offsets = {}
    for stream, offset in last.items():
        topic, _, partition = stream.rpartition("/")
        offsets[TopicPartition(topic, int(partition))] = OffsetAndMetadata(offset + 1)
    return offsets
