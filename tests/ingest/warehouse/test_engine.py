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
from threading import Event

import pytest
from tests.services.engine import EngineProcess, running_engine

from cardhour_contract.clock import VirtualClock
from cardhour_contract.errors import InvariantBroken, Refuse
from cardhour_ingest.warehouse import engine
from cardhour_ingest.warehouse.connect import OWNER_WAIT_MS, WarehouseSettings, open_warehouse
from cardhour_ingest.warehouse.engine_http import serve_engine

SHORT_COMMAND = """
import json, os, sys
from pathlib import Path
from cardhour_ingest.warehouse.connect import WarehouseSettings, open_warehouse
with open_warehouse(WarehouseSettings(), Path(sys.argv[1])) as warehouse:
    done = warehouse.value("SELECT count() FROM migration WHERE state = 'done'")
    print(json.dumps({"pid": os.getpid(), "embedded": warehouse.target.embedded, "migrations": done}), flush=True)
    if sys.argv[2:]:
        sys.stdin.read()
"""


def start(home: Path, *extra: str) -> subprocess.Popen[str]:
    """A command that opens the warehouse and says how; with ``hold``, it keeps it until its input ends."""
    return subprocess.Popen(
        [sys.executable, "-c", SHORT_COMMAND, str(home), *extra],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def answer(command: subprocess.Popen[str]) -> dict[str, int]:
    out, errors = command.communicate()
    assert command.returncode == 0, errors
    found: dict[str, int] = json.loads(out)
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
    assert second["migrations"] > 0


def test_two_short_commands_do_not_fail_each_other(tmp_path: Path) -> None:
    with holding(tmp_path):
        second = start(tmp_path)
    assert answer(second)["embedded"] is True


def test_an_owner_that_does_not_serve_is_named(tmp_path: Path) -> None:
    clock = VirtualClock(0)
    with holding(tmp_path) as owner, pytest.raises(Refuse) as refusal:
        open_warehouse(WarehouseSettings(), tmp_path, clock)
    assert f"process {owner.pid} (" in str(refusal.value)
    assert "open_warehouse(WarehouseSettings(), Path(sys.argv[1]))" in str(refusal.value)
    assert clock.monotonic_ms() == OWNER_WAIT_MS


def test_after_a_crash_the_next_command_opens_the_engine_itself(tmp_path: Path) -> None:
    process = EngineProcess(tmp_path)
    with process.empty_warehouse() as warehouse:
        warehouse.command("INSERT INTO cardhour.node (node) VALUES ('kept')")
    process.kill()
    assert (tmp_path / engine.NOTICE).exists(), "a killed owner leaves its notice behind"
    assert engine.notice(tmp_path) is not None, "nor does the lock file change"
    with open_warehouse(WarehouseSettings(), tmp_path) as warehouse:
        assert warehouse.target.embedded
        assert warehouse.value("SELECT node FROM node") == "kept"
        assert engine.notice(tmp_path) is None


def test_a_notice_of_an_earlier_owner_counts_for_nothing(tmp_path: Path) -> None:
    process = EngineProcess(tmp_path)
    process.kill()
    left_behind = (tmp_path / engine.NOTICE).read_bytes()
    with holding(tmp_path):
        (tmp_path / engine.NOTICE).write_bytes(left_behind)
        assert engine.notice(tmp_path) is None


def test_the_token_is_for_this_user_alone_and_goes_with_the_engine(tmp_path: Path) -> None:
    with running_engine(tmp_path) as process:
        file = tmp_path / engine.NOTICE
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert json.loads(file.read_text()) == {"pid": process.pid, "url": process.url, "token": process.token}
        assert process.stop() == 0
        assert not file.exists()


def test_an_engine_cannot_be_served_twice(tmp_path: Path) -> None:
    with running_engine(tmp_path) as process, pytest.raises(Refuse, match=f"already served by process {process.pid}"):
        serve_engine(tmp_path, Event())


def test_one_process_one_folder(tmp_path: Path) -> None:
    with open_warehouse(WarehouseSettings(), tmp_path / "a"):
        with pytest.raises(Refuse, match="one folder a process"):
            open_warehouse(WarehouseSettings(), tmp_path / "b")
        with open_warehouse(WarehouseSettings(), tmp_path / "a" / ".." / "a") as same:
            assert same.target.embedded


def test_the_folder_is_held_until_the_last_connection_closes(tmp_path: Path) -> None:
    first = open_warehouse(WarehouseSettings(), tmp_path)
    second = first.another()
    first.close()
    first.close()
    assert second.value("SELECT 1") == 1
    refused = start(tmp_path)
    assert "in use by process" in refused.communicate()[1]
    second.close()
    assert answer(start(tmp_path))["embedded"] is True


def _open_in_child(home: Path) -> None:
    try:
        open_warehouse(WarehouseSettings(), home)
    except InvariantBroken:
        os._exit(42)


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_child_is_told_so_instead_of_hanging(tmp_path: Path) -> None:
    with open_warehouse(WarehouseSettings(), tmp_path):
        child = get_context("fork").Process(target=_open_in_child, args=(tmp_path,))
        child.start()
        child.join(20)
        assert child.exitcode == 42
