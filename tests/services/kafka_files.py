"""What a broker of the tests is run from: jars, a formatted data folder, and an archive of loaded classes, all kept.

Owns making them once, and the JVM's command line. Does not own a broker's life (``kafka_broker``). Each is made under
another name first, so that a run cut short leaves nothing that looks complete; a file lock keeps parallel runs apart.
"""

from __future__ import annotations

import base64
import fcntl
import hashlib
import secrets
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.services.ports import free_ports

HERE = Path(__file__).parent / "kafka"
CACHE = Path(__file__).parents[2] / ".cache" / "kafka"
POM, PROPERTIES = HERE / "pom.xml", HERE / "server.properties"

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

USER, PASSWORD = "fleet", "fleet-secret"
"""Known to the listener for passwords."""


class UnavailableError(RuntimeError):
    """The broker cannot run on this machine. The text says what is missing."""


def class_path() -> str:
    """``<cache>/<hash of pom.xml>/*``, resolved by Maven once."""
    for program in ("java", "mvn"):
        if shutil.which(program) is None:
            raise UnavailableError(f"{program} is not installed (a JDK 17 and Maven are needed to run a Kafka broker)")
    jars = CACHE / _digest(POM.read_bytes())
    with _locked():
        if not jars.is_dir():
            _made(jars, _resolve)
    return f"{jars}/*"


def formatted() -> Path:
    """A data folder as Kafka formats it, for brokers to begin with a copy: formatting takes as long as half a start."""
    command = java()
    folder = CACHE / f"formatted-{_digest(POM.read_bytes(), PROPERTIES.read_bytes(), USER.encode(), PASSWORD.encode())}"
    with _locked():
        if not folder.is_dir():
            _made(folder, lambda partial: _format(command, partial))
    return folder


def archive() -> Path:
    """Where the classes that a broker loads are kept as the JVM has them in memory, if anybody has made it
    (``python -m tests.services``): a start then takes half the time. Its name carries Kafka's and the JDK's versions.
    """
    program = Path(shutil.which("java") or "java").resolve()
    made = program.stat()
    jdk = f"{program} {made.st_size} {made.st_mtime_ns}"
    return CACHE / f"classes-{_digest(POM.read_bytes(), jdk.encode())}.jsa"


def make_archive(run: Callable[[str], None]) -> None:
    """``run`` runs a broker with a flag of the JVM, and has it end in good order. What no JVM can start from (a disk
    may have been full) is not kept: one that is given it crashes.
    """
    wanted = archive()
    partial = wanted.with_suffix(f".{secrets.token_hex(4)}")
    run(f"-XX:ArchiveClassesAtExit={partial}")
    trial = [*java(f"-XX:SharedArchiveFile={partial}", "-Xshare:on"), "kafka.Kafka", "--version"]
    if subprocess.run(trial, capture_output=True, cwd=CACHE).returncode == 0:  # a crash leaves a report where it is
        partial.rename(wanted)
    partial.unlink(missing_ok=True)
    for other in CACHE.glob("classes-*.jsa"):
        if other != wanted:
            other.unlink(missing_ok=True)


def java(*flags: str) -> list[str]:
    """The command line up to the class."""
    jars = class_path()
    kept = archive()
    known = [f"-XX:SharedArchiveFile={kept}"] if kept.exists() and not flags else []
    return ["java", *JVM_FLAGS, *known, *flags, "-cp", jars, f"-Dlog4j2.configurationFile={HERE / 'log4j2.properties'}"]


def server_properties(**given: object) -> str:
    """The broker's settings with these values in their places."""
    text = PROPERTIES.read_text(encoding="utf-8")
    for name, value in given.items():
        text = text.replace(f"{{{name}}}", str(value))
    return text


def _made(path: Path, make: Callable[[Path], None]) -> None:
    partial = path.with_name(f"{path.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    make(partial)
    partial.rename(path)


def _resolve(jars: Path) -> None:
    scope = ["-DincludeScope=runtime", f"-DoutputDirectory={jars}"]
    command = ["mvn", "-B", "-q", "-f", str(POM), COPY_DEPENDENCIES, *scope]
    resolved = subprocess.run(command, capture_output=True, text=True)
    if resolved.returncode:
        raise UnavailableError(f"Maven could not resolve the Kafka broker: {resolved.stdout[-2000:]}")


def _format(command: list[str], data: Path) -> None:
    settings = data.with_suffix(".properties")
    ports = free_ports("port", "controller_port", "ssl_port", "sasl_port")
    text = server_properties(**ports, folder=data, certificates=data, session_ms=30_000)
    settings.write_text(text, encoding="utf-8")
    tool = ["kafka.tools.StorageTool", "format", "-t", _cluster_id(), "-c", str(settings)]
    user = ["-S", f"SCRAM-SHA-512=[name={USER},password={PASSWORD}]"]
    done = subprocess.run([*command, *tool, *user], capture_output=True, text=True)
    settings.unlink()
    if done.returncode:
        raise UnavailableError(f"the broker's folder could not be formatted: {done.stdout}{done.stderr}")


def _cluster_id() -> str:
    """Sixteen random bytes in URL-safe base64; never a leading ``-``, which would read as an option."""
    while True:
        text = base64.urlsafe_b64encode(secrets.token_bytes(16)).decode().rstrip("=")
        if not text.startswith("-"):
            return text


def _digest(*parts: bytes) -> str:
    return hashlib.sha256(b"\0".join(parts)).hexdigest()


@contextmanager
def _locked() -> Iterator[None]:
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
