"""A real Apache Kafka broker for tests: one JVM, KRaft mode, from the Maven artefacts in ``kafka/pom.xml``.

Owns resolving the class path, formatting a data folder, and starting, stopping and killing the process. Does not own
topics (the ``topics`` fixture does) and knows nothing of CardHour. docs/development/kafka.md has the reasons.
"""

from __future__ import annotations

import base64
import fcntl
import hashlib
import os
import secrets
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kafka.admin import KafkaAdminClient
from kafka.errors import KafkaError

from cardhour_contract.settings import Secret, StreamSettings
from tests.services.certificates import write_certificates
from tests.services.ports import TRIES, free_ports

HERE = Path(__file__).parent / "kafka"
CACHE = Path(__file__).parents[2] / ".cache" / "kafka"

COPY_DEPENDENCIES = "org.apache.maven.plugins:maven-dependency-plugin:3.9.0:copy-dependencies"
"""With its version: a bare ``dependency:`` takes whatever old one the installed Maven pins."""

JVM_FLAGS = [
    "-Xms64m",
    "-Xmx512m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-XX:-UsePerfData",
    "-Xshare:auto",
    "-Djava.awt.headless=true",
]
"""For a short life on a small machine: one collector thread, no optimising compiler."""

START_DEADLINE_S = 180
"""A start takes about 3 s; a busy two-core machine gets twenty times that."""
SESSION_MS, MORTAL_MS = 30_000, 3_000
"""How long a broker may be silent before its own controller counts it out, which a stall of a busy machine must not do;
and as little as that for one that is killed, since it may not come back before."""

USER, PASSWORD = "fleet", "fleet-secret"
"""Known to the listener for passwords."""


class UnavailableError(RuntimeError):
    """The broker cannot run on this machine. The text says what is missing."""


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

    def start(self) -> None:
        """Start, and return once the broker answers a metadata request. A second start keeps ports and data."""
        jars = class_path()
        if self._ports:
            self._launch(jars)
            return
        write_certificates(self._certificates)
        for left in reversed(range(TRIES)):
            self._ports = free_ports("port", "controller_port", "ssl_port", "sasl_port")
            self._format(jars)
            try:
                self._launch(jars)
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

    def _format(self, jars: str) -> None:
        data = self._folder / "data"
        shutil.rmtree(data, ignore_errors=True)
        settings = (HERE / "server.properties").read_text(encoding="utf-8")
        given = {"folder": data, "certificates": self._certificates, "session_ms": self._session_ms}
        for name, value in {**self._ports, **given}.items():
            settings = settings.replace(f"{{{name}}}", str(value))
        self._folder.mkdir(parents=True, exist_ok=True)
        self._settings.write_text(settings, encoding="utf-8")
        formatted = subprocess.run(
            [
                *_java(jars),
                *("kafka.tools.StorageTool", "format", "-t", _cluster_id(), "-c", str(self._settings)),
                *("-S", f"SCRAM-SHA-512=[name={USER},password={PASSWORD}]"),
            ],
            capture_output=True,
            text=True,
        )
        if formatted.returncode:
            raise UnavailableError(f"the broker's folder could not be formatted: {formatted.stdout}{formatted.stderr}")

    @property
    def _settings(self) -> Path:
        return self._folder / "server.properties"

    def _launch(self, jars: str) -> None:
        with self._log.open("ab") as log:  # a file, since a full pipe would stop the broker
            self._process = subprocess.Popen(
                [*_java(jars), "kafka.Kafka", str(self._settings)],
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
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


def class_path() -> str:
    """``<cache>/<hash of pom.xml>/*``, resolved by Maven once: a file lock keeps parallel runs apart."""
    for program in ("java", "mvn"):
        if shutil.which(program) is None:
            raise UnavailableError(f"{program} is not installed (a JDK 17 and Maven are needed to run a Kafka broker)")
    pom = HERE / "pom.xml"
    jars = CACHE / hashlib.sha256(pom.read_bytes()).hexdigest()
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not jars.is_dir():
            _resolve(pom, jars)
    return f"{jars}/*"


def _resolve(pom: Path, jars: Path) -> None:
    """Into a folder of another name first, so that a run cut short leaves nothing that looks complete."""
    partial = jars.with_suffix(".partial")
    shutil.rmtree(partial, ignore_errors=True)
    resolved = subprocess.run(
        [
            "mvn",
            "-B",
            "-q",
            "-f",
            str(pom),
            COPY_DEPENDENCIES,
            "-DincludeScope=runtime",
            f"-DoutputDirectory={partial}",
        ],
        capture_output=True,
        text=True,
    )
    if resolved.returncode:
        raise UnavailableError(f"Maven could not resolve the Kafka broker: {resolved.stdout[-2000:]}")
    partial.rename(jars)


def _java(jars: str) -> list[str]:
    return ["java", *JVM_FLAGS, "-cp", jars, f"-Dlog4j2.configurationFile={HERE / 'log4j2.properties'}"]


def _cluster_id() -> str:
    """Sixteen random bytes in URL-safe base64; never a leading ``-``, which would read as an option."""
    while True:
        text = base64.urlsafe_b64encode(secrets.token_bytes(16)).decode().rstrip("=")
        if not text.startswith("-"):
            return text


def named_broker() -> str | None:
    """``host:port`` of the broker that CARDHOUR_TEST_KAFKA names, if any."""
    return os.environ.get("CARDHOUR_TEST_KAFKA") or None
