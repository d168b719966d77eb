"""What the driver noted of processes (accounting mode), put on the time axis of samples and joined with who they are.

Owns that join. Does not own what notes prove (``track``). A process that no sample saw is known by its pid and the
start that the driver noted, in place of ticks; /proc has forgotten it, so its owner is unknown until a resolver answers
late.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from cardhour_agent.card_sample import Ended
from cardhour_agent.device import CardReading, EndedProcess
from cardhour_agent.identity import UNKNOWN, Identity
from cardhour_agent.timeline import STEP_MS, Tick
from cardhour_contract.identity import process_key, unnamed_workload
from cardhour_contract.record import Process

SAME_START_US = 1_000_000
"""Notes of one process may differ by this in its start. A pid that was on a card at one sample, ended, was given out
again and has ended again by the next began later than that."""


class Accounted:
    """The noted processes of one node. Remembers who had which pid at the last sample."""

    def __init__(self, node: str, boot_id: str) -> None:
        self._node = node
        self._boot_id = boot_id
        self._before: Mapping[int, Identity] = {}
        self._started_us: dict[tuple[str, int], int] = {}
        """Of the processes that the last sample saw, by card and pid."""
        self._told: dict[str, dict[tuple[int, int], Identity]] = {}
        """Who an ended process was, by card, then by pid and start: it is told of in many readings."""

    def sampled(
        self, identity_of: Mapping[int, Identity], readings: Iterable[CardReading], unread: frozenset[int]
    ) -> None:
        """A sample saw these pids, on whatever card; ``unread`` may still be on the cards that it could not read."""
        started_us = {
            (reading.card, each.pid): each.started_us
            for reading in readings
            for each in reading.processes
            if each.started_us is not None
        }
        if unread:
            identity_of = {**{pid: each for pid, each in self._before.items() if pid in unread}, **identity_of}
            started_us = {**{key: us for key, us in self._started_us.items() if key[1] in unread}, **started_us}
        self._before, self._started_us = identity_of, started_us

    def join(
        self, card: str, ended: Iterable[EndedProcess], now: Mapping[int, Identity], tick: Tick
    ) -> tuple[Ended, ...]:
        """``now``: the pids that this sample saw. A pid that it or the last one saw is that process; else a new one."""
        told = self._told.get(card, {})
        fresh = self._told[card] = {}
        found = []
        for each in ended:
            started_at_ms = placed_ms(each.start_us, tick)
            if started_at_ms is None:
                break
            name = (each.pid, each.start_us)
            identity = fresh[name] = told.get(name) or self._identify(card, each, now)
            found.append(
                Ended(
                    identity=identity,
                    started_at_ms=started_at_ms,
                    ended_at_ms=started_at_ms + each.lived_ms,
                    sm=each.sm,
                )
            )
        return tuple(found)

    def _identify(self, card: str, ended: EndedProcess, now: Mapping[int, Identity]) -> Identity:
        seen_us = self._started_us.get((card, ended.pid))
        if seen_us is not None and ended.start_us > seen_us + SAME_START_US:
            return self._unseen(ended)
        return now.get(ended.pid) or self._before.get(ended.pid) or self._unseen(ended)

    def _unseen(self, ended: EndedProcess) -> Identity:
        key = process_key(self._node, self._boot_id, ended.pid, ended.start_us)
        return Identity(
            key=key,
            owner=f"{UNKNOWN}exited",
            workload=unnamed_workload(key),
            process=Process(process=key, pid=ended.pid, start_ticks=0),
        )


def placed_ms(wall_us: int | None, tick: Tick) -> int | None:
    """The anchored time of a wall-clock time; ``None`` where that clock was just stepped, so that it has no place."""
    offset_ms = tick.at_ms - tick.wall_ms
    if wall_us is None or abs(offset_ms) > STEP_MS:
        return None
    # One millisecond is what rounding makes of two clocks that agree.
    return wall_us // 1000 + (offset_ms if abs(offset_ms) > 1 else 0)
