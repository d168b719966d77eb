"""A real Apache Kafka broker for tests: one JVM, KRaft mode, from the Maven artefacts in ``kafka/pom.xml``.

Owns starting, stopping and killing the process. Does not own what it is run from (``kafka_files``) nor topics (the
``stream`` fixture does), and knows nothing of CardHour. docs/development/kafka.md has the reasons.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from kafka.admin import KafkaAdminClient
from kafka.errors import KafkaError

from cardhour_contract.settings import Secret, StreamSettings
from tests.services.certificates import write_certificates
from tests.services.kafka_files import PASSWORD, USER, UnavailableError, formatted, java, server_properties
from tests.services.ports import TRIES, free_ports

START_DEADLINE_S = 180
"""A start takes about 2 s; a busy two-core machine gets twenty times that."""
SESSION_MS, MORTAL_MS = 30_000, 3_000
"""How long a broker may be silent before its own controller counts it out, which a stall of a busy machine must not do;
and as little as that for one that is killed, since it may not come back before."""


class KafkaBroker:
    """One broker process on 127.0.0.1. ``folder`` keeps its data, so it can be killed and started again."""

    def __init__(self, folder: Path, *, mortal: bool = False) -> None:
        self._folder = folder
        self._session_ms = MORTAL_MS if mortal else SESSION_MS
        self._log = folder / "broker.log"
        self._ports: dict[str, int] = {}
        self._certificates = folder / "certificates"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def bootstrap_servers(self) -> str:
        return f"127.0.0.1:{self._ports['port']}"

    @property
    def by_certificate(self) -> StreamSettings:
        """How a client with a certificate of the broker's authority reaches it."""
        return StreamSettings(
            kind="kafka",
            bootstrap_servers=(f"127.0.0.1:{self._ports['ssl_port']}",),
            security_protocol="SSL",
            ca_file=str(self._certificates / "authority.pem"),
            certificate_file=str(self._certificates / "client.pem"),
            key_file=str(self._certificates / "client.key"),
        )

    @property
    def by_password(self) -> StreamSettings:
        """How the one user that it knows reaches it."""
        return StreamSettings(
            kind="kafka",
            bootstrap_servers=(f"127.0.0.1:{self._ports['sasl_port']}",),
            security_protocol="SASL_SSL",
            sasl_mechanism="SCRAM-SHA-512",
            username=USER,
            password=Secret(PASSWORD),
            ca_file=str(self._certificates / "authority.pem"),
        )

    def start(self, *flags: str) -> None:
        """Start, and return once the broker answers a metadata request. A second start keeps ports and data.

        flags: of the JVM, beside those that every start has.
        """
        if self._ports:
            self._launch(flags)
            return
        write_certificates(self._certificates)
        for left in reversed(range(TRIES)):
            self._ports = free_ports("port", "controller_port", "ssl_port", "sasl_port")
            self._prepare()
            try:
                self._launch(flags)
                return
            except UnavailableError:
                if not left:
                    raise

    def kill(self) -> None:
        """SIGKILL: what had not been flushed stays in the page cache, so this is a crash, not a power loss."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()

    def stop(self) -> None:
        """SIGTERM, and a good end: half a minute where clients are connected."""
        process, self._process = self._process, None
        if process is not None:
            process.terminate()
            process.wait()

    def _prepare(self) -> None:
        """A fresh data folder, and the settings that name it and the ports."""
        data = self._folder / "data"
        shutil.rmtree(data, ignore_errors=True)
        shutil.copytree(formatted(), data)
        given = {"folder": data, "certificates": self._certificates, "session_ms": self._session_ms}
        self._settings.write_text(server_properties(**self._ports, **given), encoding="utf-8")

    @property
    def _settings(self) -> Path:
        return self._folder / "server.properties"

    def _launch(self, flags: Sequence[str]) -> None:
        command = [*java(*flags), "kafka.Kafka", str(self._settings)]
        with self._log.open("ab") as log:  # a file, since a full pipe would stop the broker
            self._process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, start_new_session=True)
        deadline = time.monotonic() + START_DEADLINE_S
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                raise UnavailableError(f"the broker did not start; its log ends:\n{self.log_tail()}")
            time.sleep(0.05)

    def _answers(self) -> bool:
        """A TCP connection comes first: the listener opens only once the broker is caught up and unfenced."""
        try:
            socket.create_connection(("127.0.0.1", self._ports["port"]), timeout=1).close()
            admin = KafkaAdminClient(bootstrap_servers=self.bootstrap_servers)
        except (OSError, KafkaError):
            return False
        try:
            return bool(admin.describe_cluster()["brokers"])
        finally:
            admin.close()

    def log_tail(self, lines: int = 30) -> str:
        return "\n".join(self._log.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])


@contextmanager
def running_broker(folder: Path, *, mortal: bool = False) -> Iterator[KafkaBroker]:
    """A started broker, killed at the end: its data is thrown away, and one with clients takes half a minute to leave.
    A ``mortal`` one may be killed before, and is soon back.

    Raises UnavailableError with the reason where it cannot run.
    """
    broker = KafkaBroker(folder, mortal=mortal)
    broker.start()
    try:
        yield broker
    finally:
        broker.kill()


def named_broker() -> str | None:
    """``host:port`` of the broker that CARDHOUR_TEST_KAFKA names, if any."""
    return os.environ.get("CARDHOUR_TEST_KAFKA") or None
