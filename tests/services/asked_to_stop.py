"""Asking a process to stop, as a supervisor does: not before it can be asked."""

from __future__ import annotations

import os
import re
import signal
import time
from pathlib import Path

DEADLINE_S = 180
"""A start takes about a second; a busy machine gets very much more."""


def ask_to_stop(pid: int) -> None:
    """SIGTERM, once the process catches it: one that is still starting would simply end, and prove nothing."""
    deadline = time.monotonic() + DEADLINE_S
    while not _catches(pid, signal.SIGTERM):
        assert time.monotonic() < deadline, f"process {pid} does not catch SIGTERM"
        time.sleep(0.05)
    os.kill(pid, signal.SIGTERM)


def _catches(pid: int, number: signal.Signals) -> bool:
    """proc(5): ``SigCgt`` has a bit for each signal that has a handler, from the lowest."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    found = re.search(r"^SigCgt:\s*([0-9a-f]+)$", status, re.MULTILINE)
    assert found is not None, f"process {pid} has ended"
    return bool(int(found[1], 16) >> (number - 1) & 1)
