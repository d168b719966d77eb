"""The shipper: from the spool to Kafka; the agent's only module that imports ``kafka``.

Owns the producer, what is in flight, and when a report leaves the spool. Does not own what is in a report. The order,
with what each step guarantees:

1. Take what is neither acknowledged nor in flight, up to a limit: memory stays bounded (the client has no bound), and
   what was taken is never merged into another report.
2. Send, keyed by node, with the time of sending: ``acks=all`` and idempotence, so that an acknowledgement means that
   the brokers keep it, and a retry inside the client adds no copy.
3. Await each send's own outcome. One that failed is sent again; nothing else waits for it.
4. Remove what was acknowledged, in one transaction. A crash before this sends it again with the same ``ce_id``.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import structlog
from kafka import KafkaProducer
from kafka.errors import KafkaError

from cardhour_agent.key_file import KeyFile
from cardhour_contract.clock import Clock, SystemClock
from cardhour_contract.errors import CardHourError
from cardhour_contract.settings import StreamSettings
from cardhour_contract.spool import Spool, Spooled
from cardhour_contract.stream import client_options, knock, why_no_bootstrap
from cardhour_contract.wire import Envelope, envelope_headers

IN_FLIGHT_MAX = 200
"""Reports handed to the client and not acknowledged: at 2 to 50 kB each at most some 10 MB, and enough to fill
batches over a slow line."""

CONNECT_WAIT_S = (1, 2, 5, 10, 30)
"""Waits between attempts to reach a broker; the last one repeats."""

POLL_S = 0.5
"""How often outcomes are looked at while something is in flight."""

IDLE_S = 30.0
"""How often the spool is looked at while nothing is: whoever appends wakes us."""

BOOTSTRAP_MS = 5_000
"""How long one attempt to reach a broker takes before it is told as failed."""

SEND_BLOCK_MS = 10_000
"""How long a send may wait for the topic's metadata before it counts as failed, and is repeated."""

DELIVERY_MS = 20_000
"""How long the client may try to deliver before the send counts as failed, and is repeated with a new time of sending.
Ingest takes a time of sending more than 30 s from the time of arrival for a wrong clock (``reading.SKEW_MAX_MS``)."""

REQUEST_MS = 8_000
"""How long one request may take; two fit into the time of delivery."""

CLOSE_S = 1
"""How long a producer that is given up may take to deliver what it holds; the next one sends it again anyway."""

_log = structlog.get_logger("cardhour.shipper")


def connect(stream: StreamSettings, wait_ms: int = BOOTSTRAP_MS, block_ms: int = SEND_BLOCK_MS) -> Any:
    """A producer. Raises Retry, Refuse or KafkaError where there is none to be had within ``wait_ms``."""
    knock(stream)
    return KafkaProducer(
        **client_options(stream),
        client_id="cardhour-agent",
        acks="all",
        # Explicit: as a mere default, the client would drop it silently when another option conflicts.
        enable_idempotence=True,
        allow_auto_create_topics=False,
        compression_type="lz4",
        # A report a minute waits for no other; those that waited in the spool fill batches while earlier ones are out.
        linger_ms=0,
        metrics_enabled=False,
        bootstrap_timeout_ms=wait_ms,
        max_block_ms=block_ms,
        delivery_timeout_ms=DELIVERY_MS,
        request_timeout_ms=REQUEST_MS,
    )


def probe(stream: StreamSettings, wait_ms: int = BOOTSTRAP_MS) -> str:
    """Reach a broker and find the topic, in ``wait_ms`` each: why not, or nothing where both are there."""
    try:
        producer = connect(stream, wait_ms, wait_ms)
        try:
            producer.partitions_for(stream.topic)
        finally:
            producer.close(timeout=1)
    except CardHourError as error:
        return str(error)
    except KafkaError as error:
        return f"{type(error).__name__}: {error}; {why_no_bootstrap(stream)}"
    return ""


def _let_go(producer: Any) -> None:
    """End a producer and its thread, whatever it still holds.

    ``close`` of kafka-python 3 flushes first, and where that takes too long it raises and leaves everything running.
    """
    try:
        producer.close(timeout=CLOSE_S)
    except KafkaError:
        producer._sender.force_close()  # fails what is open, so that the second close has nothing to wait for
        with suppress(KafkaError):
            producer.close(timeout=CLOSE_S)


class Shipper:
    """Ships one spool. Runs on a thread of its own, beside the sampler, with its own connection to the spool."""

    def __init__(
        self,
        stream: StreamSettings,
        spool: Path,
        *,
        key: KeyFile | None = None,
        clock: Clock | None = None,
        producer: Callable[[StreamSettings], Any] = connect,
    ) -> None:
        """key: signs what is sent, where the node has one."""
        self._stream = stream
        self._key = key
        self._path = spool
        self._clock = clock or SystemClock()
        self._connect = producer
        self._woken = threading.Event()
        self._stopping = threading.Event()
        self._producer: Any = None
        self._in_flight: dict[int, tuple[Spooled, Any]] = {}
        self._again: list[Spooled] = []
        self._acknowledged: list[int] = []
        self._read_up_to = 0
        self._behind = False
        """The spool may have more than was taken from it."""
        self.shipped = 0
        """Reports that the broker acknowledged, and that the spool has forgotten."""
        self.failures = 0
        """Times that sending failed and began anew."""

    def wake(self) -> None:
        """Something was appended."""
        self._woken.set()

    def stop(self) -> None:
        """End ``run`` soon. What is not acknowledged stays in the spool."""
        self._stopping.set()
        self._woken.set()

    def run(self) -> None:
        """Ship until stopped. Never ends for a broker's sake."""
        with Spool(self._path) as spool:
            while not self._stopping.is_set():
                if self._connected():
                    self._round(spool)
                    self._woken.wait(POLL_S if self._in_flight or self._again or self._behind else IDLE_S)
                    self._woken.clear()
            if self._producer is not None:
                with suppress(KafkaError):  # what is not delivered by then stays in the spool
                    self._producer.flush(timeout=POLL_S)
                self._collect(spool)
            self._disconnect()

    def drain(self, timeout_s: float) -> int:
        """Ship until the spool is empty or time is up; says how many reports are left."""
        deadline = time.monotonic() + timeout_s
        with Spool(self._path) as spool:
            while (left := spool.depth().reports) and time.monotonic() < deadline and not self._stopping.is_set():
                if self._connected():
                    self._round(spool)
                    self._woken.wait(0.01)
            self._disconnect()
        return left

    def _connected(self) -> bool:
        """Have a producer, trying and waiting as long as it takes or until stopped."""
        attempt = 0
        while self._producer is None and not self._stopping.is_set():
            try:
                self._producer = self._connect(self._stream)
            except (KafkaError, CardHourError) as error:
                wait_s = CONNECT_WAIT_S[min(attempt, len(CONNECT_WAIT_S) - 1)]
                attempt += 1
                _log.warning(
                    "the broker cannot be reached; sampling and spooling go on",
                    servers=list(self._stream.bootstrap_servers),
                    error=str(error),
                    retry_in_s=wait_s,
                )
                self._stopping.wait(wait_s)
            else:
                _log.info("connected to the broker", servers=list(self._stream.bootstrap_servers))
        return self._producer is not None

    def _round(self, spool: Spool) -> None:
        room = IN_FLIGHT_MAX - len(self._in_flight) - len(self._again)
        fresh = spool.take(after=self._read_up_to, limit=room) if room > 0 else []  # 1
        self._behind = len(fresh) >= room
        if fresh:
            self._read_up_to = fresh[-1].sequence
        waiting, self._again = self._again + fresh, []
        for index, each in enumerate(waiting):
            try:
                self._in_flight[each.sequence] = (each, self._send(each))  # 2
            except KafkaError as error:
                self._again = waiting[index:]
                self._start_over(error)
                break
        self._collect(spool)  # 3 and 4

    def _send(self, report: Spooled) -> Any:
        entry = report.entry
        envelope = Envelope(
            id=report.ce_id,
            source=f"/nodes/{entry.node}",
            content_type=entry.content_type,
            sent_at_ms=self._clock.now_ms(),
        )
        headers = envelope_headers(envelope)
        key = self._key() if self._key is not None else None
        if key is not None:
            headers = key.sign(headers, entry.body)
        return self._producer.send(self._stream.topic, value=entry.body, key=entry.node.encode(), headers=headers)

    def _collect(self, spool: Spool) -> None:
        """Look at every send that has an outcome; forget what is safe, keep what failed to send it again."""
        failed: BaseException | None = None
        for sequence, (report, future) in list(self._in_flight.items()):
            if not future.is_done:
                continue
            del self._in_flight[sequence]
            if future.succeeded():
                self._acknowledged.append(sequence)
            else:
                self._again.append(report)
                failed = future.exception
        if self._acknowledged:
            try:
                spool.remove(self._acknowledged)
            except sqlite3.OperationalError as error:
                _log.warning("acknowledged reports stay in the spool for now", error=str(error))
            else:
                self.shipped += len(self._acknowledged)
                self._acknowledged.clear()
        if failed is not None:
            self._start_over(failed)

    def _start_over(self, error: BaseException) -> None:
        """A failed send can leave the client's session unusable: take a new one, and send again what was open."""
        self.failures += 1
        _log.warning("a send failed; it will be repeated", error=str(error), topic=self._stream.topic)
        self._disconnect()
        self._stopping.wait(CONNECT_WAIT_S[0])

    def _disconnect(self) -> None:
        if self._producer is None:
            return
        producer, self._producer = self._producer, None
        _let_go(producer)
        for report, future in self._in_flight.values():
            if future.is_done and future.succeeded():
                self._acknowledged.append(report.sequence)
            else:
                self._again.append(report)
        self._in_flight.clear()
