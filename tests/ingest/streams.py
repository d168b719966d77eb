"""The two kinds of stream with a sender's side, so that one suite of tests runs on both."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

from kafka import KafkaProducer

from cardhour_contract.clock import SystemClock
from cardhour_contract.errors import Retry
from cardhour_contract.record import Report
from cardhour_contract.settings import StreamSettings
from cardhour_contract.spool import Entry, Spool
from cardhour_contract.wire import Envelope, Headers, encode_packed, envelope_headers
from cardhour_ingest.kafka_source import KafkaSource
from cardhour_ingest.source import Message, Source
from cardhour_ingest.spool_source import SpoolSource

DEADLINE_S = 120
"""A group of one is assigned its partitions in well under a second; a busy machine gets very much more."""


SESSION_MS = 45_000
"""A member that is merely late is not counted out of its group; one that closes its source leaves at once."""


class Stream(Protocol):
    """Somewhere to send reports to, and sources that read them."""

    def send(self, *reports: Report) -> None: ...

    def source(self) -> Source: ...


class SpoolStream:
    """One agent's spool."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._sources: list[SpoolSource] = []

    def send(self, *reports: Report) -> None:
        with Spool(self.path) as spool:
            spool.append(Entry(each.node, each.boot_id, each.wall_ms, encode_packed(each)) for each in reports)

    def send_bytes(self, body: bytes, node: str = "node-1") -> None:
        with Spool(self.path) as spool:
            spool.append([Entry(node, "boot-1", 0, body)])

    def waiting(self) -> int:
        with Spool(self.path) as spool:
            return spool.depth().reports

    def source(self) -> SpoolSource:
        self._sources.append(SpoolSource([self.path], clock=SystemClock()))
        return self._sources[-1]

    def close(self) -> None:
        for each in self._sources:
            each.close()


class KafkaStream:
    """A topic of a real broker, with one producer, as an agent's shipper sends to it."""

    def __init__(self, settings: StreamSettings) -> None:
        self.settings = settings
        self._sent = 0

    def send(self, *reports: Report) -> None:
        bodies = []
        for each in reports:
            self._sent += 1
            envelope = Envelope(id=f"{each.node}/{each.boot_id}/{self._sent}", source=f"/nodes/{each.node}")
            bodies.append((each.node, encode_packed(each), envelope_headers(envelope)))
        self.send_bytes(*bodies)

    def send_bytes(self, *bodies: tuple[str, bytes, Headers], timestamp_ms: int | None = None) -> None:
        producer = KafkaProducer(bootstrap_servers=list(self.settings.bootstrap_servers), max_request_size=2**21)
        try:
            futures = [
                producer.send(self.settings.topic, body, key=node.encode(), headers=headers, timestamp_ms=timestamp_ms)
                for node, body, headers in bodies
            ]
            for future in futures:
                future.get(timeout=DEADLINE_S)
        finally:
            producer.close()

    def source(self) -> KafkaSource:
        return KafkaSource(self.settings, session_timeout_ms=SESSION_MS)


def poll(source: Source) -> list[Message]:
    """What comes next; nothing where the broker has to be asked again, as the loop does."""
    try:
        return source.poll(wait_ms=200)
    except Retry:
        return []


def turns() -> Iterator[None]:
    """Turns of waiting for something that must come; fails when they have taken too long."""
    deadline = time.monotonic() + DEADLINE_S
    while time.monotonic() < deadline:
        yield
    raise AssertionError(f"it has not come within {DEADLINE_S} s")


def take(source: Source, wanted: int) -> list[Message]:
    """Poll until ``wanted`` messages have come. Fails if more do, or if they do not."""
    deadline = time.monotonic() + DEADLINE_S
    found: list[Message] = []
    while len(found) < wanted:
        assert time.monotonic() < deadline, f"{len(found)} of {wanted} messages came"
        found += poll(source)
    assert len(found) == wanted
    return found


def take_until(source: Source, last: str) -> list[str]:
    """Poll until the message named ``last`` has come: the names of all that came, some perhaps more than once."""
    found: list[str] = []
    for _ in turns():
        found += ids(poll(source))
        if last in found:
            break
    return found


def ids(messages: Sequence[Message]) -> list[str]:
    """The messages' ``ce_id``."""
    return [dict(each.headers)["ce_id"].decode() for each in messages]
