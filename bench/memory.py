"""Memory of ingest at full speed, over many messages: with the engine in its process, and against a server.

Owns the two measured processes and the topic that both read. Ingest runs in a process of its own (``python -m
bench.memory``), so that neither the sender nor the server counts. Against a server it runs as on a machine without the
engine: there is then no pandas, which only chDB brings along, and which pyarrow loads wherever it finds it.
"""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
from importlib.abc import MetaPathFinder
from pathlib import Path

import msgspec
import structlog
from tests.services.engine import running_engine
from tests.services.kafka_broker import running_broker

from bench.figures import Figure, resident_mib, watched
from bench.ingest import MINUTE, Counted, produce
from cardhour_contract.collector import seldom_collect
from cardhour_contract.settings import Secret, StreamSettings
from cardhour_ingest.kafka_source import KafkaSource
from cardhour_ingest.kafka_topics import create_topics
from cardhour_ingest.loop import Loop
from cardhour_ingest.memory import keep_small
from cardhour_ingest.warehouse.connect import WarehouseSettings, open_warehouse

PARTS = 4
"""The memory is read after each: a leak shows as a rise from one to the next."""

SHAPE = MINUTE
"""Small messages put the most objects into a batch."""


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """What the measured process is told."""

    bootstrap_servers: tuple[str, ...]
    name: str
    """Of the consumer group and of the database."""
    messages: int
    home: str
    url: str = ""
    token: str = ""

    @property
    def stream(self) -> StreamSettings:
        return StreamSettings(
            kind="kafka",
            bootstrap_servers=self.bootstrap_servers,
            topic="memory",
            dead_letter_topic="memory-dead",
            group=self.name,
        )

    @property
    def warehouse(self) -> WarehouseSettings:
        return WarehouseSettings(url=self.url, password=Secret(self.token), database=self.name)


class _NotInstalled(MetaPathFinder):
    """What the embedded engine would bring."""

    def find_spec(self, name: str, path: object = None, target: object = None) -> None:
        if name.partition(".")[0] in ("chdb", "pandas"):
            raise ModuleNotFoundError(name)


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """After one part of the messages."""

    messages: int
    peak_mib: float
    resident_mib: float


def measure(folder: Path, messages: int) -> list[Figure]:
    with (
        running_broker(folder / "kafka") as broker,
        running_engine(folder / "server") as server,
        server.empty_warehouse() as made,
    ):
        embedded = Job(
            bootstrap_servers=(broker.bootstrap_servers,), name="embedded", messages=messages, home=str(folder / "home")
        )
        create_topics(embedded.stream, partitions=4, replicas=1)
        produce(embedded.stream, SHAPE, messages)
        remote = msgspec.structs.replace(embedded, name=made.target.database, url=server.url, token=server.token)
        return [*_figures(remote, "against a server"), *_figures(embedded, "engine in the process")]


def _figures(job: Job, of: str) -> list[Figure]:
    command = [sys.executable, "-m", "bench.memory", msgspec.json.encode(job).decode()]
    answer = subprocess.run(command, check=True, capture_output=True).stdout
    found = []
    for each in msgspec.json.decode(answer, type=list[Reading]):
        said = f"after {each.messages} messages of {SHAPE.rows} rows, {of}"
        found.append(Figure(name="ingest.peak_mib", value=each.peak_mib, of=said))
        found.append(Figure(name="ingest.resident_mib", value=each.resident_mib, of=said))
    return found


def _ingest(job: Job) -> list[Reading]:
    """The measured process."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))  # it logs to our answer
    if job.url:
        sys.meta_path.insert(0, _NotInstalled())
        keep_small()
    seldom_collect()
    found: list[Reading] = []
    done = 0
    source = KafkaSource(job.stream)
    with open_warehouse(job.warehouse, Path(job.home)) as warehouse:
        for part in range(1, PARTS + 1):
            stop = threading.Event()
            # A part takes whole polls: what it took of the next one's messages is not waited for again.
            counted = Counted(source, job.messages * part // PARTS - done, stop)
            with watched() as watch:
                done += Loop(counted, warehouse, stop=stop).run().messages
            found.append(Reading(messages=done, peak_mib=watch.peak_mib, resident_mib=resident_mib()))
    source.close()
    return found


if __name__ == "__main__":
    sys.stdout.buffer.write(msgspec.json.encode(_ingest(msgspec.json.decode(sys.argv[1], type=Job))))
