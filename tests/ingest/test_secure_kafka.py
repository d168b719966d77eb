"""Through a broker that admits only whom it knows: by client certificate, and by password over TLS."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import trustme
from click.testing import CliRunner
from msgspec import structs

from cardhour_agent import key_file
from cardhour_agent.key_file import KeyFile
from cardhour_agent.shipper import Shipper, probe
from cardhour_contract.clock import SystemClock
from cardhour_contract.errors import Refuse
from cardhour_contract.settings import Secret, StreamSettings
from cardhour_contract.spool import Entry, Spool
from cardhour_contract.stream import problems_of
from cardhour_contract.wire import encode_packed
from cardhour_ingest.__main__ import cli
from cardhour_ingest.kafka_source import KafkaSource
from cardhour_ingest.kafka_topics import check_topic, create_topics
from cardhour_ingest.loop import Limits, Loop
from cardhour_ingest.trust import KeyRing
from cardhour_ingest.warehouse.client import Warehouse
from cardhour_ingest.warehouse.node_keys import enrolment, record
from tests.ingest.crashes import Watched
from tests.ingest.reports import NODE, report
from tests.ingest.streams import DEADLINE_S, SESSION_MS
from tests.services.kafka_broker import KafkaBroker

_numbers = count(1)


@pytest.fixture(params=["certificate", "password"])
def secure(own_broker: KafkaBroker, request: pytest.FixtureRequest) -> StreamSettings:
    """Settings of topics of this test's own; they do not exist yet."""
    known = own_broker.by_certificate if request.param == "certificate" else own_broker.by_password
    name = f"secure-{request.param}-{next(_numbers)}"
    return structs.replace(known, topic=name, dead_letter_topic=f"{name}-dead", group=name)


def test_from_the_agent_to_the_warehouse(secure: StreamSettings, warehouse: Warehouse, tmp_path: Path) -> None:
    """The topics, the agent and ingest, all through the listener that knows them; and signed all the way."""
    create_topics(secure, partitions=1, replicas=1)
    check_topic(secure)
    assert probe(secure) == ""
    key = key_file.create(tmp_path / "node.key")
    record(warehouse, enrolment(warehouse, NODE, key.public), "lin")
    with Spool(tmp_path / "spool.db") as spool:
        spool.append([Entry(NODE, "boot-1", 0, encode_packed(report()))])
    assert Shipper(secure, tmp_path / "spool.db", key=KeyFile(tmp_path / "node.key")).drain(DEADLINE_S) == 0
    stop = threading.Event()
    source = KafkaSource(secure, session_timeout_ms=SESSION_MS)
    keys = KeyRing(warehouse, required=True, clock=SystemClock())
    totals = Loop(
        Watched(source, commit=stop.set), warehouse, keys=keys, limits=Limits(batch_age_ms=0), stop=stop
    ).run()
    source.close()
    assert (totals.messages, totals.dead_letters, totals.usage_rows) == (1, 0, 1)


def settings_file(folder: Path, known: StreamSettings) -> None:
    (folder / "cardhour.toml").write_text(
        f"""[stream]
kind = "kafka"
bootstrap_servers = ["{known.bootstrap_servers[0]}"]
topic = "by-command"
dead_letter_topic = "by-command-dead"
security_protocol = "SASL_SSL"
sasl_mechanism = "SCRAM-SHA-512"
username = "{known.username}"
ca_file = "{known.ca_file}"
"""
    )


def test_topics_are_made_by_the_command_with_the_settings_of_the_file(own_broker: KafkaBroker, tmp_path: Path) -> None:
    settings_file(tmp_path, own_broker.by_password)
    environment = {"CARDHOUR_HOME": str(tmp_path), "CARDHOUR_STREAM_PASSWORD": own_broker.by_password.password.reveal()}
    done = CliRunner().invoke(cli, ["topics", "--partitions", "1"], env=environment, catch_exceptions=False)
    assert done.output == "Created by-command.\nCreated by-command-dead.\n"


@pytest.mark.parametrize("program", ["cardhour_ingest topics", "cardhour_agent doctor"])
def test_a_wrong_password_is_told_as_one(own_broker: KafkaBroker, tmp_path: Path, program: str) -> None:
    """The client itself says only that it timed out."""
    settings_file(tmp_path, own_broker.by_password)
    environment = {"CARDHOUR_HOME": str(tmp_path), "CARDHOUR_STREAM_PASSWORD": "guessed", "CARDHOUR_AGENT_NODE": "n01"}
    command = [sys.executable, "-m", *program.split()]
    done = subprocess.run(
        command, env={**os.environ, **environment}, capture_output=True, text=True, timeout=DEADLINE_S
    )
    told = done.stdout + done.stderr
    assert done.returncode == 1
    assert "are username 'fleet', its password and sasl_mechanism right?" in told
    assert "guessed" not in told


def test_a_broker_of_another_authority_is_not_talked_to(own_broker: KafkaBroker, tmp_path: Path) -> None:
    trustme.CA().cert_pem.write_to_path(str(tmp_path / "other.pem"))
    wrong = structs.replace(own_broker.by_password, ca_file=str(tmp_path / "other.pem"))
    with pytest.raises(Refuse, match="is not to be trusted"):
        create_topics(wrong, partitions=1, replicas=1)
    assert "must be the authority that signed it" in probe(wrong)


@pytest.mark.parametrize("file", ["ca_file", "certificate_file"])
def test_a_file_that_is_not_there_is_named(own_broker: KafkaBroker, file: str) -> None:
    wrong = structs.replace(own_broker.by_certificate, **{file: "nowhere.pem"})
    with pytest.raises(Refuse, match=r"cannot be used \(.*nowhere.pem"):
        create_topics(wrong, partitions=1, replicas=1)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"kind": "kafak"}, "write spool or kafka"),
        ({"bootstrap_servers": ()}, "names no broker"),
        ({"bootstrap_servers": ("broker",)}, "'broker' is not host:port"),
        ({"security_protocol": "TLS"}, "write one of PLAINTEXT, SSL"),
        ({"security_protocol": "SASL_SSL", "sasl_mechanism": "PLAIN"}, "give username and password"),
        ({"security_protocol": "SASL_SSL", "username": "u", "password": Secret("p")}, "write one of PLAIN, SCRAM"),
        ({"certificate_file": "client.pem"}, "goes with key_file"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(changes: dict[str, Any], problem: str) -> None:
    good = StreamSettings(kind="kafka", bootstrap_servers=("broker-1:9093", "[::1]:9093"))
    assert problems_of(good) == []
    (found,) = problems_of(structs.replace(good, **changes))
    assert problem in found
