"""Ingest at full speed: from a Kafka broker into the engine, beside the same rows as ready Arrow tables.

Owns the messages, the broker's topic, and the two measurements. The loop, the source and the warehouse are the real
ones. The ratio of the two says what polling, decoding, checking and cutting cost; the engine's own speed cancels out.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from kafka import KafkaProducer
from tests.services.kafka_broker import running_broker

from bench.figures import SECOND_NS, Figure
from cardhour_contract.clock import SystemClock
from cardhour_contract.collector import seldom_collect
from cardhour_contract.identity import process_key
from cardhour_contract.moment import DAY_MS, MINUTE_MS, floor_to
from cardhour_contract.record import CardRecord, Report, UsageRecord
from cardhour_contract.settings import StreamSettings
from cardhour_contract.wire import Envelope, encode_packed, envelope_headers
from cardhour_ingest.dead_letter import DeadLetter
from cardhour_ingest.kafka_source import KafkaSource
from cardhour_ingest.kafka_topics import create_topics
from cardhour_ingest.loop import Limits, Loop
from cardhour_ingest.reading import read
from cardhour_ingest.source import Message, Position, Source
from cardhour_ingest.tables import Facts, facts_of
from cardhour_ingest.warehouse.client import Warehouse
from cardhour_ingest.warehouse.connect import WarehouseSettings, open_warehouse


class Shape(NamedTuple):
    """What one message reports of a node's eight cards."""

    minutes: int
    processes: int
    """On each card."""

    @property
    def rows(self) -> int:
        return CARDS * self.minutes * (self.processes + 1)


CARDS = 8
MINUTE, BUSY_MINUTE, MINUTES, HOUR = Shape(1, 1), Shape(1, 8), Shape(8, 1), Shape(64, 1)
"""16 and 72 rows: what an agent sends each minute; 128 and 1024: what one sends that was offline."""

CASES = ((MINUTE, 4), (BUSY_MINUTE, 4), (MINUTES, 4), (HOUR, 4), (BUSY_MINUTE, 1), (BUSY_MINUTE, 16))
"""Messages, and partitions of the topic."""

NODES = 500


class Speed(NamedTuple):
    """How fast rows went in."""

    rows: int
    elapsed_ns: int
    cpu_ns: int
    """Of all threads of this process, the engine's included: what other work on the machine does not change."""

    @property
    def rows_per_s(self) -> float:
        return self.rows / self.elapsed_ns * SECOND_NS

    @property
    def cpu_us_a_row(self) -> float:
        return self.cpu_ns / self.rows / 1_000


class Counted:
    """A source that ends the loop once ``messages`` have come: it then stores what it has, and waits for no more."""

    def __init__(self, source: Source, messages: int, stop: threading.Event) -> None:
        self._source, self._left, self._stop = source, messages, stop
        self.started_ns = 0
        self.started_cpu_ns = 0

    def poll(self, *, wait_ms: int) -> list[Message]:
        found = self._source.poll(wait_ms=wait_ms)
        if found and not self.started_ns:
            self.started_ns, self.started_cpu_ns = time.perf_counter_ns(), time.process_time_ns()
        self._left -= len(found)
        if self._left <= 0:
            self._stop.set()
        return found

    def publish(self, letters: Sequence[DeadLetter]) -> None:
        self._source.publish(letters)

    def commit(self, positions: Sequence[Position]) -> None:
        self._source.commit(positions)

    def close(self) -> None:
        self._source.close()


def reports(shape: Shape) -> Iterator[Report]:
    """Endless: nodes take turns, minute after minute."""
    start_ms = floor_to(SystemClock().now_ms() - DAY_MS, DAY_MS)
    while True:
        for number in range(NODES):
            yield _report(f"node-{number}", start_ms, shape)
        start_ms += shape.minutes * MINUTE_MS


def _report(node: str, start_ms: int, shape: Shape) -> Report:
    end_ms = start_ms + shape.minutes * MINUTE_MS
    spans = [(at, at + MINUTE_MS) for at in range(start_ms, end_ms, MINUTE_MS)]
    cards = [f"GPU-{node}-{at}" for at in range(CARDS)]
    usage = tuple(
        UsageRecord(
            card=card,
            process=process_key(node, "boot", 100 + at + CARDS * number, 5),
            owner=f"k8s:team-{at}",
            workload=f"job-{at}-{number}",
            share=1_000 // shape.processes,
            started_at_ms=start,
            ended_at_ms=end,
            active=61 * 10_000 * MINUTE_MS // shape.processes,
            memory=40_000_000_000 * MINUTE_MS // shape.processes,
        )
        for start, end in spans
        for at, card in enumerate(cards)
        for number in range(shape.processes)
    )
    observed = tuple(
        CardRecord(card=card, started_at_ms=start, ended_at_ms=end, energy_mj=24_000)
        for start, end in spans
        for card in cards
    )
    return Report(
        node=node,
        cluster="bench",
        boot_id="boot",
        started_at_ms=start_ms,
        ended_at_ms=end_ms,
        wall_ms=end_ms,
        monotonic_ms=1_000,
        usage=usage,
        cards=observed,
    )


def produce(stream: StreamSettings, shape: Shape, messages: int) -> int:
    """Fill the topic; returns the bytes of all bodies."""
    producer = KafkaProducer(bootstrap_servers=list(stream.bootstrap_servers), linger_ms=20, acks=1)
    size = 0
    for number, report in enumerate(islice(reports(shape), messages)):
        body = encode_packed(report)
        size += len(body)
        headers = envelope_headers(Envelope(id=f"{report.node}/boot/{number}", source=f"/nodes/{report.node}"))
        producer.send(stream.topic, body, key=report.node.encode(), headers=headers)
    producer.close()
    return size


def ingested(stream: StreamSettings, warehouse: Warehouse, messages: int) -> Speed:
    """From the first message to the last commit."""
    stop = threading.Event()
    source = Counted(KafkaSource(stream), messages, stop)
    totals = Loop(source, warehouse, limits=Limits(), stop=stop).run()
    elapsed_ns = time.perf_counter_ns() - source.started_ns
    cpu_ns = time.process_time_ns() - source.started_cpu_ns
    source.close()
    return Speed(totals.usage_rows + totals.card_rows, elapsed_ns, cpu_ns)


def ready_facts(shape: Shape, messages: int) -> Iterator[Facts]:
    """The same rows, as the batches that the loop makes of them."""
    batch = Limits().batch_rows // shape.rows
    pending = []
    for number, report in enumerate(islice(reports(shape), messages)):
        headers = envelope_headers(Envelope(id=f"{report.node}/boot/{number}", source=f"/nodes/{report.node}"))
        received_at_ms = report.wall_ms + 1_000
        position = Position("bench/0", number)
        message = Message(headers=headers, body=encode_packed(report), received_at_ms=received_at_ms, position=position)
        pending.append(read(message))
        if len(pending) == batch:
            yield facts_of(pending)[0]
            pending = []
    if pending:
        yield facts_of(pending)[0]


def limit(warehouse: Warehouse, shape: Shape, messages: int) -> Speed:
    """Inserting ready Arrow tables, and nothing else."""
    count, elapsed_ns, cpu_ns = 0, 0, 0
    for facts in ready_facts(shape, messages):
        started_ns, started_cpu_ns = time.perf_counter_ns(), time.process_time_ns()
        for table in ("card_record", "usage_record"):
            warehouse.insert(table, facts.tables[table])
        elapsed_ns += time.perf_counter_ns() - started_ns
        cpu_ns += time.process_time_ns() - started_cpu_ns
        count += facts.usage_rows + facts.card_rows
    return Speed(count, elapsed_ns, cpu_ns)


def measure(folder: Path, *, rows: int = 400_000) -> list[Figure]:
    """Each case on a topic and a database of its own. ``rows``: of each case."""
    found = []
    seldom_collect()
    with running_broker(folder / "kafka") as broker, open_warehouse(WarehouseSettings(database="keep"), folder):
        for each, partitions in CASES:
            found += _case(folder, broker.bootstrap_servers, each, partitions, rows // each.rows)
    return found


def _case(folder: Path, servers: str, shape: Shape, partitions: int, messages: int) -> list[Figure]:
    name = f"bench_{shape.rows}_{partitions}"
    stream = StreamSettings(
        kind="kafka", bootstrap_servers=(servers,), topic=name, dead_letter_topic=f"{name}-dead", group=name
    )
    create_topics(stream, partitions=partitions, replicas=1)
    size = produce(stream, shape, messages)
    with open_warehouse(WarehouseSettings(database=f"{name}_limit"), folder) as warehouse:
        put = limit(warehouse, shape, messages)
    with open_warehouse(WarehouseSettings(database=name), folder) as warehouse:
        done = ingested(stream, warehouse, messages)
    of = f"{shape.rows} rows a message of {size // messages} bytes, {partitions} partitions, {done.rows} rows"
    return [
        Figure(name="ingest.rows_per_s", value=done.rows_per_s, of=of),
        Figure(name="limit.rows_per_s", value=put.rows_per_s, of=of),
        Figure(name="ingest.ratio_to_limit", value=done.rows_per_s / put.rows_per_s, of=of),
        Figure(name="ingest.cpu_us_a_row", value=done.cpu_us_a_row, of=of),
        Figure(name="limit.cpu_us_a_row", value=put.cpu_us_a_row, of=of),
    ]
