"""A CARDHOUR_HOME and the commands that use it, each a process of its own, as a person or a supervisor starts it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from tests.services.waiting import PATIENCE_S, ask_to_stop, wait_until


class Done(NamedTuple):
    """A command that has ended."""

    pid: int
    code: int
    out: str
    errors: str


class Home:
    """A home folder, and settings beyond its file, which its commands get as CARDHOUR_… variables."""

    def __init__(self, path: Path, **settings: str) -> None:
        self.path = path
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("CARDHOUR_")}
        given = {f"CARDHOUR_{name.upper()}": value for name, value in settings.items()}
        self.environ = inherited | given | {"CARDHOUR_HOME": str(path)}

    def run(self, program: str, *arguments: str, deadline_s: int = PATIENCE_S) -> Done:
        """A command from its start to its end."""
        with self._start(program, *arguments, stderr=subprocess.PIPE) as process:
            try:
                out, errors = process.communicate(timeout=deadline_s)
            finally:
                process.kill()
            return Done(process.pid, process.returncode, out, errors)

    def json(self, program: str, *arguments: str) -> tuple[Done, list[dict[str, Any]]]:
        """A command that succeeds, and the list that it prints."""
        done = self.run(program, *arguments, "--format", "json")
        assert done.code == 0, done.errors
        rows: list[dict[str, Any]] = json.loads(done.out)
        return done, rows

    @contextmanager
    def running(self, program: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
        """A command that runs until the block ends; killed then, if the test has not stopped it. Its errors go to
        ``<program>.log`` in the home."""
        self.path.mkdir(exist_ok=True)
        with (
            self.log(program).open("a") as log,
            self._start(program, *arguments, stderr=log) as process,
        ):
            try:
                yield process
            finally:
                process.kill()

    def log(self, program: str) -> Path:
        return self.path / f"{program}.log"

    def _start(self, program: str, *arguments: str, stderr: Any) -> subprocess.Popen[str]:
        installed = Path(sys.executable).with_name(program)
        return subprocess.Popen(
            [installed, *arguments], env=self.environ, stdout=subprocess.PIPE, stderr=stderr, text=True
        )


def stop(process: subprocess.Popen[str]) -> None:
    """Ask it to end, as a supervisor does; it must do so in good order."""
    ask_to_stop(process.pid)
    assert process.wait(PATIENCE_S) == 0


def until(true: Callable[[], object], process: subprocess.Popen[str], what: str) -> None:
    """Wait until it is true while ``process`` works on it."""

    def works() -> None:
        assert process.poll() is None, f"it ended before {what}"

    wait_until(true, what, works)
