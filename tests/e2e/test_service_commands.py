"""The services of an installation with servers, each as the process that a container or systemd starts."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

STOP_S = 180
"""A stop takes about a second; a busy machine gets very much more."""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One installation for all: whichever service is first makes its store."""
    return tmp_path_factory.mktemp("home")


@contextmanager
def running(command: str, home: Path) -> Iterator[str]:
    """``cardhour COMMAND`` until the block ends, then SIGTERM; yields the line by which it says that it is ready."""
    environment = os.environ | {"CARDHOUR_HOME": str(home), "CARDHOUR_WEB_PORT": "0"}
    program = Path(sys.executable).with_name("cardhour")
    with subprocess.Popen([program, command], env=environment, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline()
            process.send_signal(signal.SIGTERM)
            assert process.wait(STOP_S) == 0, "a stop that was asked for is no failure"
        finally:
            process.kill()


def test_the_portal_answers_until_it_is_stopped(home: Path) -> None:
    with running("web", home) as ready:
        address = ready.removeprefix("Portal: ").strip()
        with urllib.request.urlopen(f"{address}sign-in/", timeout=STOP_S) as answer:
            assert answer.status == 200
            assert b"<form" in answer.read()


def test_a_portal_of_several_processes_stops_where_one_of_them_dies(home: Path) -> None:
    environment = os.environ | {"CARDHOUR_HOME": str(home), "CARDHOUR_WEB_PORT": "0", "CARDHOUR_WEB_PROCESSES": "2"}
    program = Path(sys.executable).with_name("cardhour")
    pipe = subprocess.PIPE
    with subprocess.Popen([program, "web"], env=environment, stdout=pipe, stderr=pipe, text=True) as process:
        try:
            assert process.stdout is not None
            address = process.stdout.readline().removeprefix("Portal: ").strip()
            with urllib.request.urlopen(f"{address}sign-in/", timeout=STOP_S) as answer:
                assert answer.status == 200
            workers = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
            assert len(workers) == 2
            os.kill(int(workers[0]), signal.SIGKILL)
            said = process.communicate(timeout=STOP_S)[1]
        finally:
            process.kill()
    assert process.returncode == 1
    assert "a process of the portal ended by itself, with exit code -9" in said
    assert not Path(f"/proc/{workers[1]}").exists(), "half a portal that looks alive is worse than none"


def test_the_scheduler_looks_for_months_until_it_is_stopped(home: Path) -> None:
    with running("scheduler", home) as ready:
        assert ready == "Looking for months to close, every 15 minutes.\n"
