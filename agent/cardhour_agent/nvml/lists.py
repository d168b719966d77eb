"""Who has a context on a card: the compute, graphics and MPS lists, united.

Owns the lists' symbols, their union, and the refusal of replies that cannot be. Does not own what use these processes
make of the card (``utilisation``), or who they are.
"""

from __future__ import annotations

from typing import Any

import pynvml

from cardhour_agent.device import Failure
from cardhour_agent.nvml.asking import Asking, retried
from cardhour_contract.record import ScannedCard


class ProcessLists:
    """The process lists of one node's cards."""

    def __init__(self, asking: Asking, pid_max: int) -> None:
        self._asking = asking
        self._pid_max = pid_max

    def read(self, handle: Any, card: ScannedCard) -> dict[int, int | None] | Failure:
        """Memory by pid, over the compute, graphics and MPS lists; a pid in several counts once, with its largest.

        Drivers 535.43 to 535.86 grew the struct behind an unchanged symbol: every field after the first row is then
        another row's. One impossible value discards the whole reply.
        """
        memory_of: dict[int, int | None] = {}
        compute = self._list(card, "compute", "nvmlDeviceGetComputeRunningProcesses", handle)
        if compute is None:
            return Failure(reason="process_list_not_supported")
        graphics = self._list(card, "graphics", "nvmlDeviceGetGraphicsRunningProcesses", handle) or []
        mps = self._list(card, "mps", "nvmlDeviceGetMPSComputeRunningProcesses", handle) or []
        for each in (*compute, *graphics, *mps):
            memory = each.usedGpuMemory
            if not 0 < each.pid <= self._pid_max or (
                memory is not None and card.memory_bytes is not None and memory > card.memory_bytes
            ):
                self._asking.tell("struct_skew", card=card.card, pid=str(each.pid), memory_bytes=str(memory))
                return Failure(reason="struct_skew", detail=f"pid {each.pid} with {memory} bytes cannot be")
            before = memory_of.get(each.pid)
            memory_of[each.pid] = memory if before is None else max(before, memory or 0)
        return memory_of

    def _list(self, card: ScannedCard, what: str, function: str, handle: Any) -> list[Any] | None:
        """One process list, by the newest symbol that the driver has; ``None`` where it has none."""
        for version in ("_v3", "_v2"):
            call = getattr(pynvml, function + version, None)
            found = None if call is None else self._asking.ask(card.card, what + version, retried, call, handle)
            if found is not None:
                return list(found)
        return None
