"""Waiting for what another process does."""

from __future__ import annotations

import os
import select
from collections.abc import Callable

from cardhour_contract.clock import SystemClock

PATIENCE_MS = 180_000
"""For anything awaited: it takes seconds, and a busy machine gets many times that."""

PATIENCE_S = PATIENCE_MS // 1000


def wait_until(happened: Callable[[], bool]) -> None:
    """Look again until it has happened."""
    clock = SystemClock()
    deadline_ms = clock.monotonic_ms() + PATIENCE_MS
    while not happened():
        assert clock.monotonic_ms() < deadline_ms, "it has not happened"
        clock.sleep_ms(50)


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
