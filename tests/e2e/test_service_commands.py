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

STOP_S = 180
"""A stop takes about a second; a busy machine gets very much more."""


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


def test_the_portal_answers_until_it_is_stopped(tmp_path: Path) -> None:
    with running("web", tmp_path) as ready:
        address = ready.removeprefix("Portal: ").strip()
        with urllib.request.urlopen(f"{address}sign-in/", timeout=STOP_S) as answer:
            assert answer.status == 200
            assert b"<form" in answer.read()


def test_the_scheduler_looks_for_months_until_it_is_stopped(tmp_path: Path) -> None:
    with running("scheduler", tmp_path) as ready:
        assert ready == "Looking for months to close, every 15 minutes.\n"
