"""A real PostgreSQL for tests: a server of our own, on a free port of 127.0.0.1, thrown away afterwards.

Owns finding the programs, making a data folder, starting and stopping the server. Does not own databases in it. Found
in this order: ``CARDHOUR_TEST_POSTGRES`` names a running one by URL; programs on the PATH or in Debian's folders.
PostgreSQL refuses to run as root, so a root test run starts it as a system user.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.services.memory import GIB, in_memory
from tests.services.ports import TRIES, free_port

NAMED = "CARDHOUR_TEST_POSTGRES"

START_DEADLINE_S = 180
"""A start takes under a second; a busy two-core machine gets sixty."""

SETTINGS = {
    # The data folder lives for one test run, and no test takes the power away.
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "max_connections": "60",
    "shared_buffers": "32MB",
    "autovacuum": "off",
    "max_wal_size": "128MB",
}

SYSTEM_USERS = ("postgres", "nobody")


class UnavailableError(RuntimeError):
    """PostgreSQL cannot run on this machine. The text says what is missing."""


@contextmanager
def postgres_server() -> Iterator[str]:
    """URL of a server's ``postgres`` database: the one that is named, or one started for the block."""
    if named := os.environ.get(NAMED):
        yield named
        return
    programs, user = _programs(), _system_user()
    # Not under pytest's own folder: each pytest that starts makes that private again, and the server loses its data.
    with tempfile.TemporaryDirectory(prefix="cardhour-postgres-", dir=in_memory(GIB)) as folder:
        if user is not None:
            shutil.chown(folder, user)
        with _running(programs, Path(folder), {"user": user} if user is not None else {}) as url:
            yield url


@contextmanager
def _running(programs: Path, folder: Path, as_user: dict[str, str]) -> Iterator[str]:
    data, log = folder / "data", folder / "postgres.log"
    initdb: list[str | Path] = [
        programs / "initdb",
        "-D",
        data,
        "-U",
        "test",
        "-A",
        "trust",
        "-E",
        "UTF8",
        "--locale=C",
        "--no-sync",
    ]
    _run(initdb, as_user)
    options = f"-h 127.0.0.1 -k {folder} " + " ".join(f"-c {key}={value}" for key, value in SETTINGS.items())
    control: list[str | Path] = [programs / "pg_ctl", "-D", data, "-l", log, "-w", "-t", str(START_DEADLINE_S)]
    port = _started([*control, "-o", options], as_user)
    try:
        yield f"postgresql://test@127.0.0.1:{port}/postgres"
    finally:
        _run([*control, "-m", "immediate", "stop"], as_user)


def _started(control: list[str | Path], as_user: dict[str, str]) -> int:
    """Start it; the port that it listens on."""
    for left in reversed(range(TRIES)):
        port = free_port()
        try:
            _run([*control, "-o", f"-p {port}", "start"], as_user)
        except UnavailableError:
            if not left:
                raise
        else:
            return port
    raise AssertionError("one of the tries returns or raises")


def _programs() -> Path:
    on_path = shutil.which("initdb")
    if on_path and (Path(on_path).resolve().parent / "pg_ctl").exists():
        return Path(on_path).resolve().parent
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda found: int(found.parts[-3]))
    if not installed:
        raise UnavailableError(f"no PostgreSQL: install the Debian package postgresql, or name a server in {NAMED}")
    return installed[-1].parent


def _system_user() -> str | None:
    """A user to run as; ``None`` where we are not root and can run it ourselves."""
    if os.geteuid() != 0:
        return None
    known = {entry.pw_name for entry in pwd.getpwall()}
    for name in SYSTEM_USERS:
        if name in known:
            return name
    raise UnavailableError(f"PostgreSQL does not run as root, and none of {', '.join(SYSTEM_USERS)} exists here")


def _run(command: list[str | Path], as_user: dict[str, str]) -> None:
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        cwd="/",
        stdin=subprocess.DEVNULL,
        timeout=2 * START_DEADLINE_S,
        user=as_user.get("user"),
    )
    if done.returncode:
        raise UnavailableError(f"{Path(command[0]).name} failed: {(done.stderr or done.stdout).strip()[-500:]}")
