"""Waiting for what another process does, and asking it to stop, as a supervisor does."""

from __future__ import annotations

import os
import re
import select
import signal
from collections.abc import Callable
from pathlib import Path

from cardhour_contract.clock import SystemClock

PATIENCE_MS = 180_000
"""For anything awaited: it takes seconds, and a busy machine gets many times that."""

PATIENCE_S = PATIENCE_MS // 1000


def wait_until(happened: Callable[[], object], what: str = "it", check: Callable[[], object] = lambda: None) -> None:
    """Look again until it has happened. ``check`` raises where it never will."""
    clock = SystemClock()
    deadline_ms = clock.monotonic_ms() + PATIENCE_MS
    while not happened():
        check()
        assert clock.monotonic_ms() < deadline_ms, f"not within {PATIENCE_S} s: {what}"
        clock.sleep_ms(100)


def wait_for_end(pid: int) -> None:
    """A process that is not ours to wait for: by its pidfd."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        assert poll.poll(PATIENCE_MS), f"pid {pid} goes on"
    finally:
        os.close(descriptor)


def ask_to_stop(pid: int) -> None:
    """SIGTERM, once the process catches it: one that is still starting would simply end, and prove nothing."""
    wait_until(lambda: _catches(pid, signal.SIGTERM), f"process {pid} catches SIGTERM")
    os.kill(pid, signal.SIGTERM)


def _catches(pid: int, number: signal.Signals) -> bool:
    """proc(5): ``SigCgt`` has a bit for each signal that has a handler, from the lowest."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    found = re.search(r"^SigCgt:\s*([0-9a-f]+)$", status, re.MULTILINE)
    assert found is not None, f"process {pid} does not say which signals it catches"
    return bool(int(found[1], 16) >> (number - 1) & 1)
