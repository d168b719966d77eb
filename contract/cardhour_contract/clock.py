"""Clocks, passed in wherever time is read, so that a month can pass in a test.

Owns reading time. Does not own what times mean.
"""

from __future__ import annotations

import time
from typing import Protocol

MS_NS = 1_000_000


class Clock(Protocol):
    """Wall time for anchors, monotonic time for cadence, and a way to wait."""

    def now_ms(self) -> int:
        """UTC wall clock, milliseconds since 1970. May step either way."""
        ...

    def monotonic_ms(self) -> int:
        """Milliseconds since an arbitrary start. Never steps back."""
        ...

    def sleep_ms(self, duration_ms: int) -> None:
        """Wait; a virtual clock moves on instead."""
        ...


class SystemClock:
    """The machine's own clocks. Monotonic time counts suspended time too, where the system can tell."""

    _monotonic = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)

    def now_ms(self) -> int:
        return time.time_ns() // MS_NS

    def monotonic_ms(self) -> int:
        return time.clock_gettime_ns(self._monotonic) // MS_NS

    def sleep_ms(self, duration_ms: int) -> None:
        if duration_ms > 0:
            time.sleep(duration_ms / 1000)


class VirtualClock:
    """A clock that moves only when told to. ``step_ms`` moves the wall clock alone, as NTP would."""

    def __init__(self, now_ms: int) -> None:
        self._now_ms = now_ms
        self._monotonic_ms = 0

    def now_ms(self) -> int:
        return self._now_ms

    def monotonic_ms(self) -> int:
        return self._monotonic_ms

    def sleep_ms(self, duration_ms: int) -> None:
        self._now_ms += max(0, duration_ms)
        self._monotonic_ms += max(0, duration_ms)

    def step_ms(self, by_ms: int) -> None:
        self._now_ms += by_ms
