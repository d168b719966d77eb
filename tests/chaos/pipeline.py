"""The whole pipeline on this machine: agents → a Kafka broker → ingest → the engine over HTTP → the ledger.

Owns which processes there are, their settings, and waiting until everything has passed. Does not own what is done to
them, nor what must come out (``verdict``).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.errors import KafkaError

from cardhour_contract.settings import StreamSettings
from cardhour_contract.spool import Spool
from cardhour_contract.wire import Headers
from cardhour_ingest.warehouse.client import Warehouse
from cardhour_ingest.warehouse.rollup import roll_up
from tests.chaos.processes import Service
from tests.chaos.tape import Tape
from tests.chaos.world import SAMPLE_MS, World
from tests.services.waiting import PATIENCE_S, wait_until

PARTITIONS = 3


class Pipeline:
    """Agents of a world, ingest processes, and the stores between them and the ledger."""

    def __init__(
        self, folder: Path, world: World, stream: StreamSettings, warehouse: Warehouse, *, url: str = ""
    ) -> None:
        self.world = world
        self.stream = stream
        self.warehouse = warehouse
        self.bad: list[bytes] = []
        """Bodies that were planted to be rejected."""
        self._folder = folder
        self._environ = self._settings(url or warehouse.target.url)
        self.agents = {name: self._agent(name) for name in world.nodes}
        self.tapes = {name: Tape(agent.folder) for name, agent in self.agents.items()}
        for tape in self.tapes.values():
            tape.begin(world.from_ms)
        self.ingests = [self.another_ingest()]

    def another_ingest(self, group: str = "", database: str = "") -> Service:
        """One more member of the group, or the first of another. Started by the caller, ended with the pipeline."""
        made = getattr(self, "ingests", [])
        environ = dict(self._environ)
        if group:
            environ |= {"CARDHOUR_STREAM_GROUP": group}
        if database:
            environ |= {"CARDHOUR_WAREHOUSE_DATABASE": database}
        service = Service("ingest", self._folder / f"ingest-{len(made) + 1}", environ)
        made.append(service)
        return service

    @property
    def services(self) -> list[Service]:
        return [*self.agents.values(), *self.ingests]

    def plant(
        self, *bodies: bytes, headers: Headers | None = None, partition: int | None = None, node: str = ""
    ) -> None:
        """Put messages into the topic that no reader can accept; with ``node``, where that node's reports are."""
        producer = KafkaProducer(bootstrap_servers=list(self.stream.bootstrap_servers), max_request_size=2**21)
        try:
            for body in bodies:
                key = node.encode() or None
                sent = producer.send(self.stream.topic, body, key=key, headers=headers or [], partition=partition)
                sent.get(timeout=PATIENCE_S)
                self.bad.append(body)
        finally:
            producer.close()

    def grant(self, part: float) -> None:
        """Let the nodes' time run up to this part of the world's span."""
        samples = (self.world.to_ms - self.world.from_ms) // SAMPLE_MS
        self.grant_until(self.world.from_ms + int(samples * part) * SAMPLE_MS)

    def grant_another(self, part: float) -> None:
        """Let the nodes' time run on by one sample, but not beyond this part of the world's span."""
        world = self.world
        last_ms = world.from_ms + int((world.to_ms - world.from_ms) * part)
        for tape in self.tapes.values():
            tape.grant(min(tape.limit_ms + SAMPLE_MS, last_ms // SAMPLE_MS * SAMPLE_MS))

    def grant_until(self, at_ms: int) -> None:
        for tape in self.tapes.values():
            tape.grant(at_ms)

    def await_played(self) -> None:
        """Until the nodes' time has come to its limit, and what its last sample proved is spooled."""
        tapes = self.tapes.values()
        wait_until(lambda: all(tape.rested_ms >= tape.limit_ms for tape in tapes), "played", self.check)

    def await_shipped(self) -> None:
        """Until all that the agents have reported is in the topic."""
        self.await_played()
        for agent in self.agents.values():
            with Spool(agent.folder / "spool.db") as spool:
                wait_until(partial(_is_empty, spool), "shipped", self.check)

    def await_ingested(self, group: str = "") -> None:
        """Until every message of the topic is committed."""
        reads = partial(lag, self.stream, group or self.stream.group)
        wait_until(lambda: reads() == 0, "the group has read everything", self.check)

    def finish(self) -> None:
        """Play to the end, let everything through, stop in good order, and bring the ledger up to date."""
        self.grant_until(self.world.to_ms)
        self.await_shipped()
        for agent in self.agents.values():
            agent.stop()
        self.await_ingested()
        for ingest in self.ingests:
            if ingest.running:
                ingest.stop()
        roll_up(self.warehouse)

    def check(self) -> None:
        for each in self.services:
            each.check()

    def end(self) -> None:
        for each in self.services:
            each.end()

    def _agent(self, name: str) -> Service:
        environ = self._environ | {
            "CARDHOUR_AGENT_NODE": name,
            "CARDHOUR_AGENT_SCENARIO": str(self.world.path),
            "CARDHOUR_AGENT_SAMPLE_INTERVAL_S": str(SAMPLE_MS // 1000),
            "CARDHOUR_AGENT_REPORT_INTERVAL_S": str(SAMPLE_MS // 1000),
        }
        return Service("agent", self._folder / name, environ)

    def _settings(self, url: str) -> dict[str, str]:
        stream, target = self.stream, self.warehouse.target
        return {
            "CARDHOUR_STREAM_KIND": "kafka",
            "CARDHOUR_STREAM_BOOTSTRAP_SERVERS": ",".join(stream.bootstrap_servers),
            "CARDHOUR_STREAM_TOPIC": stream.topic,
            "CARDHOUR_STREAM_DEAD_LETTER_TOPIC": stream.dead_letter_topic,
            "CARDHOUR_STREAM_GROUP": stream.group,
            "CARDHOUR_WAREHOUSE_URL": url,
            "CARDHOUR_WAREHOUSE_PASSWORD": target.password.reveal(),
            "CARDHOUR_WAREHOUSE_DATABASE": target.database,
            "CARDHOUR_INGEST_BATCH_AGE_MS": "100",
            "CARDHOUR_INGEST_ROLLUP_EVERY_S": "2",
        }


@contextmanager
def running(pipeline: Pipeline, bad: Sequence[bytes] = ()) -> Iterator[Pipeline]:
    """All of it started; whatever is left is killed at the end."""
    try:
        pipeline.plant(*bad)
        for each in pipeline.services:
            each.start()
        yield pipeline
    finally:
        pipeline.end()


def lag(stream: StreamSettings, group: str) -> int | None:
    """Messages of the topic that the group has not committed; ``None`` while the broker does not answer."""
    partitions = [TopicPartition(stream.topic, number) for number in range(PARTITIONS)]
    try:
        consumer = KafkaConsumer(
            bootstrap_servers=list(stream.bootstrap_servers), group_id=group, enable_auto_commit=False
        )
    except KafkaError:
        return None
    try:
        ends = consumer.end_offsets(partitions)
        return sum(int(ends[each]) - int(consumer.committed(each) or 0) for each in partitions)
    except KafkaError:
        return None
    finally:
        consumer.close(autocommit=False)


def _is_empty(spool: Spool) -> bool:
    return not spool.depth().reports
