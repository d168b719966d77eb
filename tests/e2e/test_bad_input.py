"""What people and senders get wrong, at the command line and on a real topic: one sentence or one dead letter, and
nothing else is touched.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from kafka import KafkaConsumer, KafkaProducer

from cardhour_contract.moment import MINUTE_MS
from cardhour_contract.settings import StreamSettings
from cardhour_contract.wire import Envelope, encode_packed, envelope_headers
from cardhour_ingest.warehouse import engine
from cardhour_ingest.warehouse.client import Warehouse
from tests.e2e.homes import Home, stop, until
from tests.e2e.test_invoice import served, served_engine
from tests.ingest.reports import report
from tests.services.waiting import PATIENCE_S

HEADER = "owner,card,model,started_at,ended_at,share"
GOOD = "k8s:team-a,GPU-1,A100,2026-05-01T00:00:00Z,2026-05-01T01:00:00Z,0.5"

RANDOM = bytes.fromhex("c1ff00d3a97e5b20f4018c66e2b9173d")
"""Sixteen bytes that came out of a random generator, and begin with one that msgpack never uses."""


def table(*rows: str, header: str = HEADER) -> bytes:
    return "\n".join([header, *rows, ""]).encode()


BAD = {
    "truncated": (
        gzip.compress(table(*(GOOD.replace("GPU-1", f"GPU-{number}") for number in range(500))))[:-20],
        ": the gzip data end too early, after line ",
    ),
    "wrong header": (table(GOOD, header=HEADER.replace("model", "modell")), ", line 1, column 'modell': "),
    "end before start": (
        table(GOOD, GOOD.replace("01T01:", "01T00:").replace("01T00:00:00Z,2026", "01T02:00:00Z,2026")),
        ", line 3, column ended_at: 2026-05-01T00:00:00Z is before started_at 2026-05-01T02:00:00Z",
    ),
    "share of 1.2": (table(GOOD, GOOD.replace("0.5", "1.2")), ", line 3, column share: '1.2' is not above 0 and at"),
    "no offset": (
        table(GOOD, GOOD.replace("01T00:00:00Z", "01T00:00:00")),
        ", line 3, column started_at: '2026-05-01T00:00:00' has no offset",
    ),
    "line of 5 MB": (table(GOOD, "x" * 5_000_000), ", line 3: the line is longer than"),
}
"""What is wrong → the file's content, and what follows its name in the sentence."""


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """A home whose engine is shared, so that a refused import need not open it each time."""
    home = Home(tmp_path_factory.mktemp("office"))
    with served_engine(home):
        yield home


@pytest.mark.parametrize("wrong", BAD)
def test_a_bad_file_is_refused_whole_with_its_place(office: Home, tmp_path: Path, wrong: str) -> None:
    content, told = BAD[wrong]
    path = tmp_path / ("usage.csv.gz" if wrong == "truncated" else "usage.csv")
    path.write_bytes(content)
    refused = office.run("cardhour", "import", str(path))
    assert refused.code == 2
    sentences = [each for each in refused.errors.splitlines() if each.startswith("cardhour: ")]
    assert sentences[0].startswith(f"cardhour: {path}{told}")
    assert "Traceback" not in refused.errors
    # A misspelt column is told as one that nobody knows and one that is missing, and then what a header has.
    assert len(sentences) == (3 if wrong == "wrong header" else 1)
    assert all(str(path) in each for each in sentences)
    with Warehouse(served(office.path)) as warehouse:
        for facts in ("usage_record", "card", "dirty_hour", "ingest_batch"):
            assert warehouse.value(f"SELECT count() FROM {facts}") == 0, facts


def test_random_bytes_on_the_topic_are_a_dead_letter_and_what_follows_arrives(
    stream: StreamSettings, tmp_path: Path
) -> None:
    home = Home(
        tmp_path,
        stream_kind="kafka",
        stream_bootstrap_servers=",".join(stream.bootstrap_servers),
        stream_topic=stream.topic,
        stream_dead_letter_topic=stream.dead_letter_topic,
        stream_group=stream.group,
        ingest_batch_age_ms="100",
    )
    send(stream, RANDOM, headers=[])
    send(stream, RANDOM, headers=envelope_headers(Envelope(id="node-1/boot-1/1", source="/nodes/node-1")))
    good = Envelope(id="node-1/boot-1/2", source="/nodes/node-1")
    send(stream, encode_packed(report()), headers=envelope_headers(good))

    with home.running("cardhour-ingest", "run") as ingest:
        until((tmp_path / engine.NOTICE).exists, ingest, "the engine is shared")
        with Warehouse(served(tmp_path)) as warehouse:
            until(lambda: warehouse.value("SELECT count() FROM usage_record"), ingest, "the good message is stored")
            until(
                lambda: warehouse.value("SELECT uniqExact(letter) FROM dead_letter") == 2,
                ingest,
                "both letters are stored",
            )
            rows = warehouse.rows("SELECT DISTINCT reason, path, source_id FROM dead_letter ORDER BY source_id")
            held_ms = warehouse.value("SELECT max(end_ms) - min(start_ms) FROM usage_record")
        stop(ingest)

    assert [(row["reason"], row["path"], row["source_id"]) for row in rows] == [
        ("bad_envelope", "headers.ce_specversion", ""),
        ("bad_payload", "$", "node-1/boot-1/1"),
    ]
    assert held_ms == MINUTE_MS
    assert published(stream, 2) == {(RANDOM, b"bad_envelope"), (RANDOM, b"bad_payload")}


def send(stream: StreamSettings, body: bytes, *, headers: list[tuple[str, bytes]]) -> None:
    with closing(KafkaProducer(bootstrap_servers=list(stream.bootstrap_servers))) as producer:
        producer.send(stream.topic, value=body, key=b"node-1", headers=headers).get(timeout=PATIENCE_S)


def published(stream: StreamSettings, wanted: int) -> set[tuple[bytes, bytes]]:
    """Bodies and reasons in the dead-letter topic, read until there are so many; one may be there twice."""
    options = {"auto_offset_reset": "earliest", "consumer_timeout_ms": PATIENCE_S * 1000}
    found: set[tuple[bytes, bytes]] = set()
    with closing(
        KafkaConsumer(stream.dead_letter_topic, bootstrap_servers=list(stream.bootstrap_servers), **options)
    ) as consumer:
        for letter in consumer:
            found.add((letter.value, dict(letter.headers)["reason"]))
            if len(found) == wanted:
                break
    return found
