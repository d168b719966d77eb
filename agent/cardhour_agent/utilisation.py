"""Which utilisation samples count: the driver's replies, made safe.

Owns a watermark per (card, pid) and the refusal of garbage. Does not own the call (``nvml`` does). The driver keeps an
undocumented buffer in which each pid has timestamps of its own; one watermark for a whole card would skip the slow
ones. Known garbage: values above 100, samples older than asked for, samples of pids that left long ago.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

PERCENT_UNITS = 10_000
"""1e-4 percent in a percent."""


class UtilisationSample(NamedTuple):
    """One sample as the driver gives it."""

    pid: int
    at_us: int
    """CPU time of the driver, microseconds."""
    sm_percent: int


class Watermarks:
    """The newest accepted sample of each process of one card."""

    def __init__(self) -> None:
        self._accepted_us: dict[int, int] = {}
        self._newest_us = 0

    def since_us(self, pids: Iterable[int]) -> int:
        """From when to ask for samples; 0 is everything that the driver still has."""
        return min((self._accepted_us.get(pid, self._newest_us) for pid in pids), default=self._newest_us)

    def take(self, samples: Iterable[UtilisationSample], pids: frozenset[int]) -> dict[int, int | None]:
        """Mean SM utilisation of each of ``pids`` since the last call, in 1e-4 percent.

        A process without a sample used nothing: the driver keeps samples only of those that did (nvml.h). One whose
        samples were all refused is ``None``.
        """
        accepted: dict[int, list[int]] = {}
        refused: set[int] = set()
        marks = {pid: self._accepted_us.get(pid, self._newest_us) for pid in pids}
        for pid, at_us, sm_percent in samples:
            if pid not in pids or at_us <= self._accepted_us.get(pid, self._newest_us):
                continue
            marks[pid] = max(marks[pid], at_us)
            if sm_percent > 100:
                refused.add(pid)
            else:
                accepted.setdefault(pid, []).append(sm_percent)
        self._accepted_us = marks
        self._newest_us = max(marks.values(), default=self._newest_us)
        means: dict[int, int | None] = {pid: None if pid in refused else 0 for pid in pids}
        means.update({pid: sum(each) * PERCENT_UNITS // len(each) for pid, each in accepted.items()})
        return means
