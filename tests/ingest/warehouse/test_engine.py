"""One process owns the engine's folder; other commands use it through that process, or wait, or say who has it."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest
from tests.services.engine import EngineProcess, running_engine

from cardhour_contract.errors import InvariantBroken, Refuse
from cardhour_ingest.warehouse.client import Warehouse
from cardhour_ingest.warehouse.connect import OWNER_WAIT_MS, WarehouseSettings, open_warehouse
from cardhour_ingest.warehouse.engine import NOTICE, notice

TOLD = 42
"""Exit status of a child that got the expected error."""

SHORT_COMMAND = """
import json, os, sys
from pathlib import Path
from cardhour_contract.clock import SystemClock, VirtualClock
from cardhour_contract.errors import Refuse
from cardhour_ingest.warehouse import connect
from cardhour_ingest.warehouse.connect import WarehouseSettings, open_warehouse
home, how, statement = sys.argv[1:]
connect.OWNER_WAIT_MS *= 1 if how == "impatient" else 36
clock = VirtualClock(0) if how == "impatient" else SystemClock()
try:
    warehouse = open_warehouse(WarehouseSettings(), Path(home), clock)
except Refuse as refusal:
    print(json.dumps({"refused": str(refusal), "waited_ms": clock.monotonic_ms()}))
    sys.exit(2)
with warehouse:
    value = warehouse.value(statement)
    print(json.dumps({"pid": os.getpid(), "embedded": warehouse.target.embedded, "value": value}), flush=True)
    if how == "hold":
        sys.stdin.read()
"""


def start(home: Path, how: str = "short", statement: str = "SELECT count() FROM migration") -> subprocess.Popen[str]:
    """A command that opens the warehouse and says what it found.

    ``hold`` keeps it until its input ends; an ``impatient`` one waits on a clock that flies, and the others wait for
    minutes: an engine on a busy machine takes its time to close.
    """
    return subprocess.Popen(
        [sys.executable, "-c", SHORT_COMMAND, str(home), how, statement],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def answer(command: subprocess.Popen[str]) -> dict[str, Any]:
    out, errors = command.communicate()
    assert out, errors
    found: dict[str, Any] = json.loads(out)
    return found


@contextmanager
def holding(home: Path) -> Iterator[subprocess.Popen[str]]:
    """A command that has the engine open and does not serve it."""
    command = start(home, "hold")
    assert command.stdout is not None
    assert json.loads(command.stdout.readline())["embedded"]
    try:
        yield command
    finally:
        command.communicate()


def test_a_command_alone_opens_the_engine_itself(tmp_path: Path) -> None:
    assert answer(start(tmp_path))["embedded"] is True


def test_a_second_command_uses_the_engine_of_the_first(tmp_path: Path) -> None:
    with running_engine(tmp_path) as process:
        second = answer(start(tmp_path))
    assert second["embedded"] is False
    assert second["pid"] != process.pid
    assert second["value"] > 0


def test_two_short_commands_do_not_fail_each_other(tmp_path: Path) -> None:
    with holding(tmp_path):
        second = start(tmp_path)
    assert answer(second)["embedded"] is True


def test_an_owner_that_does_not_serve_is_named(tmp_path: Path) -> None:
    with holding(tmp_path) as owner:
        second = answer(start(tmp_path, "impatient"))
    assert f"in use by process {owner.pid} ({sys.executable} -c" in second["refused"]
    assert second["waited_ms"] == OWNER_WAIT_MS


def test_after_a_crash_the_next_command_opens_the_engine_itself(tmp_path: Path) -> None:
    process = EngineProcess(tmp_path)
    with Warehouse(process.target()) as warehouse:
        warehouse.command("INSERT INTO node (node) VALUES ('kept')")
    process.kill()
    assert (tmp_path / NOTICE).exists(), "a killed owner leaves its notice behind"
    next_command = answer(start(tmp_path, statement="SELECT node FROM node"))
    assert (next_command["embedded"], next_command["value"]) == (True, "kept")
    assert not (tmp_path / NOTICE).exists()


def test_a_notice_of_an_earlier_owner_counts_for_nothing(tmp_path: Path) -> None:
    process = EngineProcess(tmp_path)
    process.kill()
    left_behind = (tmp_path / NOTICE).read_bytes()
    with holding(tmp_path):
        (tmp_path / NOTICE).write_bytes(left_behind)
        assert notice(tmp_path) is None


def test_the_token_is_for_this_user_alone_and_goes_with_the_engine(tmp_path: Path) -> None:
    with running_engine(tmp_path) as process:
        file = tmp_path / NOTICE
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert json.loads(file.read_text()) == {"pid": process.pid, "url": process.url, "token": process.token}
        assert process.stop() == 0
        assert not file.exists()


def test_an_engine_cannot_be_served_twice(tmp_path: Path) -> None:
    with running_engine(tmp_path) as process:
        second = subprocess.run(
            [sys.executable, "-m", "tests.services.engine", str(tmp_path)], capture_output=True, text=True, input=""
        )
        assert f"already served by process {process.pid}" in second.stderr


def test_one_process_one_folder(engine: Path, tmp_path: Path) -> None:
    with pytest.raises(Refuse, match="one folder a process"):
        open_warehouse(WarehouseSettings(), tmp_path)
    with open_warehouse(WarehouseSettings(), engine / ".." / engine.name) as same:
        assert same.target.embedded


def test_the_folder_is_held_until_the_last_connection_closes(tmp_path: Path) -> None:
    program = f"""
import subprocess, sys
from pathlib import Path
from cardhour_ingest.warehouse.connect import WarehouseSettings, open_warehouse
from tests.ingest.warehouse.test_engine import answer, start
home = Path({str(tmp_path)!r})
first = open_warehouse(WarehouseSettings(), home)
second = first.another()
first.close()
first.close()
assert second.value("SELECT 1") == 1
assert "in use by" in answer(start(home, "impatient"))["refused"]
second.close()
assert answer(start(home))["embedded"]
"""
    subprocess.run([sys.executable, "-c", program], check=True)


def test_the_folder_may_be_a_link_to_a_larger_disk(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "warehouse").symlink_to(tmp_path / "disk")
    with running_engine(tmp_path / "home") as process, Warehouse(process.target()) as warehouse:
        assert warehouse.value("SELECT count() FROM node") == 0


def test_a_home_that_cannot_be_one_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert "Set CARDHOUR_HOME" in answer(start(tmp_path / "file"))["refused"]


def _open_in_child(home: Path) -> None:
    try:
        open_warehouse(WarehouseSettings(), home)
    except InvariantBroken:
        os._exit(TOLD)


def test_a_forked_child_is_told_so_instead_of_hanging(engine: Path) -> None:
    child = get_context("fork").Process(target=_open_in_child, args=(engine,))
    child.start()
    child.join(180)
    assert child.exitcode == TOLD
