"""Time of samples: an anchor on the wall clock, and monotonic time from there.

Owns the anchor. A wall clock that is stepped (by hand, by NTP at boot) must neither stretch nor repeat what was held,
so a sample's time is ``anchor + monotonic difference``; only when wall and monotonic have drifted more than a second
apart does a new anchor start, and the sampler is told so. After a step back, wall time that was already reported
passes again: the union counts it once, in the customer's favour.
"""

from __future__ import annotations

from typing import NamedTuple

from cardhour_contract.clock import Clock

STEP_MS = 1_000
"""More than NTP slews in minutes, less than anyone bills: a difference above it is a step."""


class Tick(NamedTuple):
    """The time of one sample."""

    at_ms: int
    """On the anchor that the previous sample used: differences of two of them are elapsed time."""
    restart_at_ms: int | None
    """Set when a new anchor starts here: the time from which the next sample counts."""
    wall_ms: int
    monotonic_ms: int

    def until_due_ms(self, monotonic_ms: int, interval_ms: int) -> int:
        """How long after ``monotonic_ms`` the sample after this one is due.

        Due times are multiples of the interval on the anchored axis, which runs with monotonic time: a sample falls on
        each report boundary, and a slow sample delays none after it. It reads no clock: a tick that nobody takes a
        sample at could swallow a step of the wall clock.
        """
        taken_ms = self.at_ms if self.restart_at_ms is None else self.restart_at_ms
        at_ms = taken_ms + monotonic_ms - self.monotonic_ms
        return interval_ms - at_ms % interval_ms


class Timeline:
    """Gives each sample its time; anchored at the first one."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._offset_ms: int | None = None

    def tick(self) -> Tick:
        wall_ms, monotonic_ms = self._clock.now_ms(), self._clock.monotonic_ms()
        measured_ms = wall_ms - monotonic_ms
        if self._offset_ms is None:
            self._offset_ms = measured_ms
        at_ms = monotonic_ms + self._offset_ms
        if abs(measured_ms - self._offset_ms) <= STEP_MS:
            return Tick(at_ms, None, wall_ms, monotonic_ms)
        self._offset_ms = measured_ms
        return Tick(at_ms, wall_ms, wall_ms, monotonic_ms)
