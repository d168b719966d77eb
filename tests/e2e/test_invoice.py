"""One scenario, one invoice counted by hand (README.md), on both ways from a card to it.

Through the stream: agent, engine, ingest and close are processes of their own, between them a Kafka broker and
ClickHouse's protocol; ingest is killed with a batch stored and not committed, and a message comes twice. On one
machine: spool, engine in the process, no server.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from kafka import KafkaConsumer, KafkaProducer, TopicPartition

from cardhour_contract.moment import parse_rfc3339
from cardhour_contract.settings import StreamSettings
from cardhour_contract.spool import Spool
from cardhour_ingest.warehouse import engine
from cardhour_ingest.warehouse.client import Target, Warehouse
from cardhour_ingest.warehouse.usage import attention, balance
from tests.e2e.homes import Home, stop, until
from tests.services.waiting import PATIENCE_S

HERE = Path(__file__).parent
MONTH = "2026-05"
PLAYED = ("2026-05-10T00:00:00Z", "2026-05-10T02:00:00Z")
REPORTS = 120
A, B = "GPU-aaaaaaaa-0000-4000-8000-000000000001", "GPU-bbbbbbbb-0000-4000-8000-000000000002"

USAGE = {
    (A, "k8s:team-a"): (3_600_250_000, 3_250_249_333),
    (A, "k8s:team-b"): (600_001_000, 250_000_333),
    (A, "k8s:team-c"): (300_001_000, 100_000_333),
    (B, "k8s:team-a"): (3_600_000_000, 3_000_000_000),
    (B, "k8s:team-b"): (900_000_000, 900_000_000),
}
"""Card and owner → held_us, billable_us: README.md."""

PLAY = ("cardhour-agent", "--scenario", str(HERE / "scenario.toml"), "--from", PLAYED[0], "--to", PLAYED[1])

STORED = "SELECT uniqExact(batch) FROM ingest_batch"
"""Reports in the warehouse, however many copies there are of each."""


def test_through_kafka_and_clickhouse(stream: StreamSettings, tmp_path: Path) -> None:
    names = {
        "stream_kind": "kafka",
        "stream_bootstrap_servers": ",".join(stream.bootstrap_servers),
        "stream_topic": stream.topic,
        "stream_dead_letter_topic": stream.dead_letter_topic,
        "stream_group": stream.group,
    }
    node = Home(tmp_path / "node", agent_node="node-1", **names)
    with served_engine(Home(tmp_path / "engine")) as (engine_pid, target), closing(consumer(stream)) as topic:
        server = {"warehouse_url": target.url, "warehouse_password": target.password.reveal()}
        services = Home(tmp_path / "services", **names, **server, ingest_batch_age_ms="100", ingest_rollup_every_s="1")
        office = Home(tmp_path / "office", **server)
        assert services.run("cardhour-ingest", "migrate").code == 0
        with Warehouse(target) as warehouse:
            refuse_marks(warehouse)
            with services.running("cardhour-ingest", "run") as first:
                played = node.run(*PLAY)
                assert played.code == 0, played.errors
                deliver_again(topic, stream)
                arrived = end_offset(stream.topic, stream)
                assert arrived > REPORTS
                until(lambda: warehouse.value(STORED), first, "a batch is stored")
                first.kill()
                first.wait()
            assert committed(topic, stream) == 0, "killed with facts stored, and nothing marked or committed"
            assert warehouse.value("SELECT count() FROM card_hour") == 0

            accept_marks(warehouse)
            with services.running("cardhour-ingest", "run") as second:
                until(lambda: committed(topic, stream) == arrived, second, "every message is stored")
                stop(second)
            closed = issued_month(office, warehouse)
            assert warehouse.value(STORED) == REPORTS
    assert len({played.pid, engine_pid, first.pid, second.pid, closed}) == 5
    assert end_offset(stream.dead_letter_topic, stream) == 0


def test_on_one_machine_without_a_server(tmp_path: Path) -> None:
    home = Home(tmp_path, agent_node="node-1", ingest_batch_age_ms="100", ingest_rollup_every_s="1")
    assert home.run(*PLAY).code == 0
    with home.running("cardhour-ingest", "run") as ingest, Spool(tmp_path / "spool.db") as spool:
        until(lambda: spool.depth().reports == 0, ingest, "every report is stored")
        with Warehouse(served(tmp_path)) as warehouse:
            issued_month(home, warehouse)
        stop(ingest)
    # Nobody serves the engine now: the command opens it itself, and finds what was issued.
    _, invoices = home.json("cardhour", "close", MONTH)
    assert_golden(invoices)


def issued_month(office: Home, warehouse: Warehouse) -> int:
    """Issue the month from ``office``, and hold everything that it rests on against the sums by hand; its pid."""
    applied = office.run("cardhour", "catalog", "apply", str(HERE / "catalog.toml"), "--yes")
    assert applied.code == 0, applied.errors
    closed, invoices = office.json("cardhour", "close", MONTH, "--issue")
    assert_golden(invoices)
    assert [re.sub(r"\d{4}-", "", each["number"], count=1) for each in invoices] == ["INV-0001", "INV-0002"]

    _, again = office.json("cardhour", "close", MONTH, "--issue")
    assert again == invoices
    assert warehouse.value("SELECT uniqExact(invoice) FROM billed_quarter") == len(invoices)

    _, rows = office.json("cardhour", "usage", "--from", PLAYED[0], "--to", PLAYED[1], "--by", "card,owner")
    assert {(row["card"], row["owner"]): (row["held_us"], row["billable_us"]) for row in rows} == USAGE
    assert_everything_is_accounted_for(warehouse)
    return closed.pid


def assert_golden(invoices: list[dict[str, Any]]) -> None:
    """Every figure that was written down; what else an invoice says is not of this count."""
    golden: list[dict[str, Any]] = json.loads((HERE / "golden" / "invoices.json").read_text())
    assert [only(invoice, golden[0]) for invoice in invoices] == golden


def only(found: Any, like: Any) -> Any:
    """``found`` with the keys of ``like``, at every depth."""
    if isinstance(like, dict):
        return {name: only(found[name], value) for name, value in like.items()}
    return [only(each, like[0]) for each in found] if isinstance(like, list) else found


def assert_everything_is_accounted_for(warehouse: Warehouse) -> None:
    span = parse_rfc3339(PLAYED[0]), parse_rfc3339(PLAYED[1])
    whole = balance(warehouse, *span)
    assert whole.billable_us == sum(billable_us for _, billable_us in USAGE.values()) == 7_500_249_999
    assert (whole.idle_us, whole.faulted_us, whole.rounding_us) == (6_299_750_000, 600_000_000, 1)
    assert (whole.unobserved_us, whole.span_us) == (0, 14_400_000_000)
    # Outside these two hours there are pages too, of silence alone: a fault might have lasted a day.
    month = parse_rfc3339("2026-05-01T00:00:00Z"), parse_rfc3339("2026-06-01T00:00:00Z")
    assert balance(warehouse, *month).billable_us == whole.billable_us
    missing = attention(warehouse, *month)
    assert (missing.dead_letters, missing.breached_pages) == (0, 0)


@contextmanager
def served_engine(home: Home) -> Iterator[tuple[int, Target]]:
    """The engine as a server, which the other processes know by its address only."""
    with home.running("cardhour-ingest", "engine") as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("Serving at http://127.0.0.1:")
        yield process.pid, served(home.path)
        stop(process)


def served(home: Path) -> Target:
    """Where the engine of a home is served."""
    notice = engine.notice(home)
    assert notice is not None, f"the engine in {home} is not served"
    return Target(url=notice.url, password=notice.secret)


def refuse_marks(warehouse: Warehouse) -> None:
    """Make the engine answer as an overloaded one does where ingest stores marks, between its facts and its commit."""
    warehouse.command("ALTER TABLE dirty_hour MODIFY SETTING max_parts_in_total = 0")


def accept_marks(warehouse: Warehouse) -> None:
    warehouse.command("ALTER TABLE dirty_hour RESET SETTING max_parts_in_total")


def consumer(stream: StreamSettings) -> KafkaConsumer:
    """A look at the topic and at what the group has committed, without joining the group."""
    return KafkaConsumer(
        bootstrap_servers=list(stream.bootstrap_servers), group_id=stream.group, enable_auto_commit=False
    )


def partitions(topic: KafkaConsumer, name: str) -> list[TopicPartition]:
    return [TopicPartition(name, number) for number in topic.partitions_for_topic(name) or ()]


def committed(topic: KafkaConsumer, stream: StreamSettings) -> int:
    """How many messages the group is done with."""
    return sum(topic.committed(each) or 0 for each in partitions(topic, stream.topic))


def end_offset(name: str, stream: StreamSettings) -> int:
    """How many messages a topic has ever got."""
    with closing(consumer(stream)) as topic:
        return sum(topic.end_offsets(partitions(topic, name)).values())


def deliver_again(topic: KafkaConsumer, stream: StreamSettings) -> None:
    """Put a copy of one message behind all others: what a sender does that never got its acknowledgement."""
    topic.assign(partitions(topic, stream.topic))
    topic.seek_to_beginning()
    polled: dict[TopicPartition, list[Any]] = {}
    while not polled:
        polled = topic.poll(timeout_ms=1_000)
    first = next(iter(polled.values()))[0]
    producer = KafkaProducer(bootstrap_servers=list(stream.bootstrap_servers))
    with closing(producer):
        producer.send(
            first.topic, value=first.value, key=first.key, headers=list(first.headers), partition=first.partition
        ).get(timeout=PATIENCE_S)
