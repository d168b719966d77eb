"""Who an ended process was that the driver noted (accounting mode), and when it held its card.

Owns the join of such notes with identities, and their place on the time axis of samples. Does not own what they prove
(``track``). A process that no sample saw is known by its pid and the start that the driver noted, in place of ticks;
/proc has forgotten it, so its owner is unknown until a resolver answers late.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from cardhour_agent.card_sample import Ended
from cardhour_agent.device import EndedProcess
from cardhour_agent.identity import UNKNOWN, Identity
from cardhour_agent.timeline import STEP_MS, Tick
from cardhour_contract.identity import process_key, unnamed_workload
from cardhour_contract.record import Process


class Accounted:
    """The ended processes of one node. Remembers who had which pid at the last sample."""

    def __init__(self, node: str, boot_id: str) -> None:
        self._node = node
        self._boot_id = boot_id
        self._before: Mapping[int, Identity] = {}

    def sampled(self, identity_of: Mapping[int, Identity], *, complete: bool) -> None:
        """A sample saw these pids, on whatever card; where cards failed, those of before may still be on them."""
        self._before = identity_of if complete else {**self._before, **identity_of}

    def join(self, ended: Iterable[EndedProcess], now: Mapping[int, Identity], tick: Tick) -> tuple[Ended, ...]:
        """``now``: the pids that this sample saw. A pid that it or the last one saw is that process; else a new one.

        The driver's times are of the wall clock. Where that was just stepped they cannot be placed.
        """
        offset_ms = tick.at_ms - tick.wall_ms
        if abs(offset_ms) > STEP_MS:
            return ()
        return tuple(
            Ended(
                identity=now.get(each.pid) or self._before.get(each.pid) or self._unseen(each),
                started_at_ms=each.start_us // 1000 + offset_ms,
                ended_at_ms=each.start_us // 1000 + each.lived_ms + offset_ms,
                sm=each.sm,
            )
            for each in ended
        )

    def _unseen(self, ended: EndedProcess) -> Identity:
        key = process_key(self._node, self._boot_id, ended.pid, ended.start_us)
        return Identity(
            key=key,
            owner=f"{UNKNOWN}exited",
            workload=unnamed_workload(key),
            process=Process(process=key, pid=ended.pid, start_ticks=0),
        )
