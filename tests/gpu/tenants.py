"""Starting tenants, and what each said about itself.

Owns their processes. Does not own what they do (``tenant``).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

PROGRAM = Path(__file__).with_name("tenant.py")


class Tenant:
    """One CUDA process."""

    def __init__(self, name: str, seconds: float, busy: float = 0.0, linger: float = 0.0) -> None:
        self.name = name
        self.said: dict[str, dict[str, Any]] = {}
        """By event; the last of each."""
        self._process = subprocess.Popen(
            [sys.executable, str(PROGRAM), str(seconds), str(busy), str(linger)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ,
        )
        self.exited_ns = 0
        """When it had been waited for, by this process's clock."""

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def created_ns(self) -> int:
        """By when it had its context."""
        return int(self.said["created"]["at_ns"])

    @property
    def left_ns(self) -> int:
        """From when on it had none."""
        return int(self.said.get("destroyed", self.said["ends"])["at_ns"])

    def until(self, event: str) -> dict[str, Any]:
        """Wait until it has said this. Raises RuntimeError with what it said last where it ended before."""
        assert self._process.stdout is not None
        while event not in self.said:
            line = self._process.stdout.readline()
            if not line:
                _, errors = self._process.communicate()
                raise RuntimeError(f"{self.name} ended before '{event}': {errors.strip()[-400:]}")
            said = json.loads(line)
            self.said[said["event"]] = said
        return self.said[event]

    def launches(self) -> dict[str, Any]:
        """Times of empty kernels, now; of one that was started with negative seconds."""
        assert self._process.stdin is not None
        self.said.pop("launches", None)
        self._process.stdin.write("again\n")
        self._process.stdin.flush()
        return self.until("launches")

    def end(self) -> None:
        """Wait for its end; one that waits to be asked again is let go."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self.until("ends")
        self._process.wait(60)
        self.exited_ns = time.time_ns()

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()
        self.exited_ns = self.exited_ns or time.time_ns()


@contextmanager
def tenants(*kinds: tuple[str, float, float, float]) -> Iterator[list[Tenant]]:
    """All of them at once, each ready when this is entered."""
    started = [Tenant(*each) for each in kinds]
    try:
        for each in started:
            each.until("ready")
        yield started
    finally:
        for each in started:
            each.kill()
