"""Who has a context on a card: the compute, graphics and MPS lists, united.

Owns the lists' symbols, their union, and the refusal of replies that cannot be. Does not own what use these processes
make of the card (``utilisation``), or who they are.
"""

from __future__ import annotations

from typing import Any

from cardhour_agent.device import Failure
from cardhour_agent.nvml.asking import Asking
from cardhour_agent.nvml.buffers import Buffers
from cardhour_contract.record import ScannedCard

Rows = list[tuple[int, int | None]]
"""Pids, each with its memory."""


class ProcessLists:
    """The process lists of one node's cards."""

    def __init__(self, asking: Asking, buffers: Buffers, pid_max: int) -> None:
        self._asking = asking
        self._buffers = buffers
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
        for pid, memory in (*compute, *graphics, *mps):
            if not 0 < pid <= self._pid_max or (
                memory is not None and card.memory_bytes is not None and memory > card.memory_bytes
            ):
                self._asking.tell("struct_skew", card=card.card, pid=str(pid), memory_bytes=str(memory))
                return Failure(reason="struct_skew", detail=f"pid {pid} with {memory} bytes cannot be")
            before = memory_of.get(pid)
            memory_of[pid] = memory if before is None else max(before, memory or 0)
        return memory_of

    def _list(self, card: ScannedCard, what: str, function: str, handle: Any) -> Rows | None:
        """One process list, by the newest symbol that the driver has; ``None`` where it has none."""
        for version in ("_v3", "_v2"):
            found: Rows | None = self._asking.ask(
                card.card, what + version, self._buffers.processes, function + version, handle
            )
            if found is not None:
                return found
        return None
