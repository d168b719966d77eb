"""Accounting mode: what the driver itself noted of the processes on a card, where an administrator switched it on.

Owns which entries are asked for, and what of them can be believed. It is the only source in NVML that knows a process
that began and ended between two readings, and, from drivers that have the ``_v2`` call, a counter of use that misses
nothing between readings. Does not own what that proves (``track``). The driver keeps the entries in a circular buffer;
of two processes with one pid it answers for the one that ended last; ``time`` is 0 until a process has ended (nvml.h).
With MIG the mode is off.
"""

from __future__ import annotations

from itertools import islice
from typing import Any, NamedTuple

import pynvml
from pynvml import NVMLError

from cardhour_agent.device import EndedProcess, UseCounter
from cardhour_agent.nvml.asking import Asking, retried
from cardhour_agent.nvml.codes import FAULTS, LACKING, NOT_FOUND, word_of
from cardhour_agent.utilisation import PERCENT_UNITS
from cardhour_contract.clock import Clock

ASKED_MAX = 500
"""Entries asked for in one reading: a full buffer that is met for the first time is read in a few."""

AGAIN_MAX = 10
"""Known entries asked for again in one reading, in turn: their pid may have lived, and ended, a second time."""

KEPT_MS = 900_000
"""How long an ended process is told of, at each reading: an answer that came too late must not have been the only one.
What was counted before is not counted again."""

SUM_UNITS = 100
"""``sumGpuUtil`` is in percent × 100; ours is 1e-4 percent."""


class Running(NamedTuple):
    """What the driver notes of a process that is on a card."""

    started_us: int
    counter: UseCounter | None


class Accounting:
    """The accounting entries of one node's cards."""

    def __init__(self, asking: Asking, clock: Clock) -> None:
        self._asking = asking
        self._clock = clock
        self._known: dict[str, dict[int, EndedProcess]] = {}
        self._running: dict[str, dict[int, Running]] = {}
        self._has_v2 = True

    def read(
        self, handle: Any, card: str, listed: frozenset[int]
    ) -> tuple[dict[int, Running], tuple[EndedProcess, ...]]:
        """The listed processes, and processes that have ended, listed or not. Nothing where the mode is off."""
        try:
            if self._asking.ask(card, "accounting", pynvml.nvmlDeviceGetAccountingMode, handle):
                running = self._listed(handle, card, listed)
                return running, self._ended(handle, card, frozenset(running))
        except NVMLError as error:
            if word_of(error.value) in FAULTS:
                raise
            self._asking.tell("accounting", card=card, reason=word_of(error.value))
        self._known.pop(card, None)
        self._running.pop(card, None)
        return {}, ()

    def _listed(self, handle: Any, card: str, listed: frozenset[int]) -> dict[int, Running]:
        """Without counters, which change, a process is asked about once. One that has ended is listed wrongly."""
        before = self._running.get(card, {})
        now = self._running[card] = {}
        for pid in listed:
            if not self._has_v2 and pid in before:
                now[pid] = before[pid]
                continue
            stats = self._stats(handle, card, pid)
            if stats is not None and stats.isRunning:
                counter = (
                    UseCounter(sm_sum=stats.sumGpuUtil * SUM_UNITS, samples=stats.sampleCount) if self._has_v2 else None
                )
                now[pid] = Running(started_us=stats.startTime, counter=counter)
        return now

    def _ended(self, handle: Any, card: str, listed: frozenset[int]) -> tuple[EndedProcess, ...]:
        known = self._known.setdefault(card, {})
        present = set(retried(pynvml.nvmlDeviceGetAccountingPids, handle)) - listed
        for pid in known.keys() - present:
            del known[pid]
        again = list(islice(known, AGAIN_MAX))
        for pid in (*islice((each for each in present if each not in known), ASKED_MAX), *again):
            known.pop(pid, None)  # so that its new answer goes to the end of the turn
            ended = self._entry(handle, card, pid)
            if ended is not None:
                known[pid] = ended
        since_us = (self._clock.now_ms() - KEPT_MS) * 1000
        return tuple(each for each in known.values() if each.start_us + each.lived_ms * 1000 >= since_us)

    def _entry(self, handle: Any, card: str, pid: int) -> EndedProcess | None:
        stats = self._stats(handle, card, pid)
        if stats is None or stats.isRunning or not stats.time:
            return None
        sm: int | None = stats.gpuUtilization * PERCENT_UNITS
        if self._has_v2 and stats.sampleCount:
            sm = stats.sumGpuUtil * SUM_UNITS // stats.sampleCount
        # Not measured is 0xFFFFFFFF here, which the wrapper passes on.
        return EndedProcess(
            pid=pid,
            start_us=stats.startTime,
            lived_ms=stats.time,
            sm=sm if sm is not None and sm <= 100 * PERCENT_UNITS else None,
        )

    def _stats(self, handle: Any, card: str, pid: int) -> Any:
        """The newest form of an entry that the driver has; ``None`` where it has no entry of this pid."""
        try:
            if self._has_v2:
                try:
                    return pynvml.nvmlDeviceGetAccountingStats_v2(handle, pid)
                except NVMLError as error:
                    if word_of(error.value) not in LACKING:
                        raise
                    self._has_v2 = False
                    self._asking.tell("not_measured", card=card, what="accounting_v2", reason=word_of(error.value))
            return pynvml.nvmlDeviceGetAccountingStats(handle, pid)
        except NVMLError as error:
            if error.value != NOT_FOUND:
                raise
            return None
