"""The services of a pipeline as processes of their own, to be killed and started again.

Owns starting, killing, stopping and awaiting one service. Does not own when (``campaign``).
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from tests.chaos.steps import Order, Steps
from tests.services.waiting import PATIENCE_S, ask_to_stop

ROOT = Path(__file__).parents[2]


class Service:
    """One service, which may live many times. ``folder`` is its CARDHOUR_HOME, and has its logs."""

    def __init__(self, role: str, folder: Path, environ: Mapping[str, str]) -> None:
        self.folder = folder
        self.steps = Steps(folder)
        self._role = role
        self._environ = {**environ, "CARDHOUR_HOME": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
        self._process: subprocess.Popen[bytes] | None = None
        self.killed = 0
        folder.mkdir(parents=True, exist_ok=True)

    @property
    def running(self) -> bool:
        return self._process is not None

    @property
    def pid(self) -> int:
        assert self._process is not None, f"{self.folder.name} is not running"
        return self._process.pid

    def start(self, **environ: str) -> None:
        """Start it; a crash of an earlier life must be behind it."""
        assert self._process is None, f"{self.folder.name} runs already"
        command = [sys.executable, "-m", "tests.chaos.launcher", self._role, str(self.folder), "run"]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                command, cwd=ROOT, env=os.environ | self._environ | environ, stderr=log, stdin=subprocess.DEVNULL
            )

    def kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)
        self.await_death()

    def kill_at(self, step: str, delay_ms: int = 0) -> None:
        """Have it kill itself at its next passage of a step. ``await_death`` tells when it has."""
        self.steps.give(Order(step=step, delay_ms=delay_ms))

    def await_death(self) -> None:
        status = self.await_end()
        assert status == -signal.SIGKILL, f"{self.folder.name} ended with {status}: {self.log_tail()}"
        self.killed += 1

    def ends_within(self, wait_s: float) -> bool:
        assert self._process is not None, f"{self.folder.name} is not running"
        try:
            self._process.wait(wait_s)
        except subprocess.TimeoutExpired:
            return False
        return True

    def await_end(self) -> int:
        assert self._process is not None, f"{self.folder.name} is not running"
        try:
            status = self._process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{self.folder.name} never ended: {self._where()}") from None
        self._process = None
        return status

    def await_stopped(self, step: str) -> None:
        """Have it stop at its next passage of a step, and wait until it stands still there."""
        self.steps.give(Order(step=step, action="stop"))
        os.waitid(os.P_PID, self.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
        self.check()

    def go_on(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    def stop(self) -> None:
        """SIGTERM, and a good end."""
        ask_to_stop(self.pid)
        status = self.await_end()
        assert status == 0, f"{self.folder.name} ended with {status}: {self.log_tail()}"

    def _where(self) -> str:
        """What its threads are doing, and the last steps that it took."""
        os.kill(self.pid, signal.SIGUSR1)
        time.sleep(1)  # for the traces to be written; this is the end of a failed test
        return f"{self.log_tail(120)}\n{self.steps.read()[-4:]}"

    def check(self) -> None:
        """Fails if it has ended by itself."""
        if self._process is not None and (status := self._process.poll()) is not None:
            raise AssertionError(f"{self.folder.name} ended with {status}: {self.log_tail()}")

    def end(self) -> None:
        """Whatever state it is in."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()

    def log(self) -> str:
        return (self.folder / "log").read_text(encoding="utf-8", errors="replace")

    def log_tail(self, lines: int = 20) -> str:
        return "\n".join(self.log().splitlines()[-lines:])
