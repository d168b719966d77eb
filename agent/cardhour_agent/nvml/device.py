"""Readings of a node through NVML: its GPUs and their instances, one after the other.

Owns the session with the driver and the order of its calls. Does not own what readings prove. Handles are asked for
again at each reading: an instance that was destroyed, or a GPU that was reset, leaves handles behind that point
elsewhere. Call costs and traps are from NVIDIA's nvml.h and the field reports of other monitoring tools.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pynvml
from pynvml import NVMLError

from cardhour_agent.device import CardReading, EndedProcess, Failure, NodeReading, ProcessReading
from cardhour_agent.nvml.accounting import Accounting, Running
from cardhour_agent.nvml.asking import Asking
from cardhour_agent.nvml.buffers import Buffers
from cardhour_agent.nvml.codes import FAULTS, NOT_FOUND, XID_FAULTS, word_of
from cardhour_agent.nvml.gpm import InstanceActivity
from cardhour_agent.nvml.health import Health
from cardhour_agent.nvml.lists import ProcessLists
from cardhour_agent.utilisation import Watermarks
from cardhour_contract.clock import Clock, SystemClock
from cardhour_contract.record import ScannedCard


class _GpuReading(NamedTuple):
    """What one GPU adds to the node's reading."""

    cards: tuple[ScannedCard, ...]
    readings: list[CardReading]
    parent: str = ""
    """The GPU's UUID where it is cut into instances."""
    lost: bool = False
    """It did not answer; the cards are those that were at its index before."""


class NvmlDevice:
    """Readings of this machine's GPUs."""

    def __init__(
        self, xid_faults: frozenset[int] = XID_FAULTS, pid_max: int | None = None, clock: Clock | None = None
    ) -> None:
        pid_max = pid_max or int(Path("/proc/sys/kernel/pid_max").read_text(encoding="ascii"))
        self._asking = Asking()
        self._health = Health(self._asking, xid_faults)
        self._buffers = Buffers()
        self._lists = ProcessLists(self._asking, self._buffers, pid_max)
        self._accounting = Accounting(self._asking, clock or SystemClock())
        self._activity = InstanceActivity(self._asking)
        self._open = False
        self._cards: dict[str, ScannedCard] = {}
        self._gpu_at: dict[int, ScannedCard] = {}
        self._instances_of: dict[str, tuple[ScannedCard, ...]] = {}
        self._watermarks: dict[str, Watermarks] = {}

    def read(self) -> NodeReading:
        try:
            if not self._open:
                pynvml.nvmlInit()
                self._open = True
                self._asking.tell("driver", version=pynvml.nvmlSystemGetDriverVersion())
            count = pynvml.nvmlDeviceGetCount()
        except NVMLError as error:
            self._asking.tell("driver_failed", reason=word_of(error.value))
            self.close()
            return NodeReading(failure=Failure(reason=word_of(error.value), detail=str(error)))
        struck = self._health.xids()
        gpus = [each for index in range(count) if (each := self._read_gpu(index, struck)) is not None]
        # Indexes move when a GPU drops off the bus: what answers at one is not also lost at another.
        answered = {card for gpu in gpus if not gpu.lost for card in gpu.cards}
        gpus = [gpu for gpu in gpus if not (gpu.lost and answered.intersection(gpu.cards))]
        self._activity.keep_only({card.card for gpu in gpus for card in gpu.cards})
        return NodeReading(
            cards=tuple(card for gpu in gpus for card in gpu.cards),
            mig_parents=tuple(gpu.parent for gpu in gpus if gpu.parent),
            readings=tuple(reading for gpu in gpus for reading in gpu.readings),
        )

    def close(self) -> None:
        """Shut NVML down; the library itself stays loaded, so a replaced driver needs a new process."""
        self._health.closed()
        if self._open:
            self._activity.close()
            self._open = False
            try:
                pynvml.nvmlShutdown()
            except NVMLError as error:
                self._asking.tell("shutdown_failed", reason=word_of(error.value))

    def _read_gpu(self, index: int, struck: Mapping[str, str]) -> _GpuReading | None:
        """The GPU at an index, or its instances. Failed readings if it does not answer but was known there before;
        nothing if it cannot even be named."""
        try:
            handle = pynvml.nvmlDeviceGetHandleByIndex(index)
            uuid = pynvml.nvmlDeviceGetUUID(handle)
            gpu = self._cards.get(uuid) or self._describe(handle, uuid)
            self._gpu_at[index] = gpu
            self._health.watch(handle, uuid)
            fault = struck.get(uuid) or self._health.of(handle, uuid)
            instances = self._instances(handle, gpu)
            active = self._activity.read(handle, gpu.card, instances) if instances else {}
        except NVMLError as error:
            known = self._gpu_at.get(index)
            self._asking.tell(
                "gpu_failed", index=str(index), card=known.card if known else "", reason=word_of(error.value)
            )
            if known is None:
                return None
            cut = self._instances_of.get(known.card)
            cards = (known,) if cut is None else cut
            readings = [_failed(each.card, error) for each in cards]
            return _GpuReading(cards, readings, parent="" if cut is None else known.card, lost=True)
        if instances is None:
            self._instances_of.pop(uuid, None)
            return _GpuReading((gpu,), [self._read_card(handle, gpu, fault, mig=False)])
        self._instances_of[uuid] = tuple(card for _, card in instances)
        readings = [
            self._read_card(each, card, fault, mig=True, active=active.get(card.card)) for each, card in instances
        ]
        return _GpuReading(self._instances_of[uuid], readings, uuid)

    def _describe(self, handle: Any, uuid: str, parent: ScannedCard | None = None) -> ScannedCard:
        model = str(pynvml.nvmlDeviceGetName(handle))
        if parent is not None and "MIG" not in model:
            slices = pynvml.nvmlDeviceGetAttributes_v2(handle)
            model = f"{parent.model} MIG {slices.gpuInstanceSliceCount}g.{round(slices.memorySizeMB / 1024)}gb"
        # GB10 and other boards with unified memory answer NOT_SUPPORTED here, though they name processes well.
        memory = self._asking.ask(uuid, "memory", pynvml.nvmlDeviceGetMemoryInfo, handle)
        card = ScannedCard(
            card=uuid,
            model=model,
            memory_bytes=None if memory is None else int(memory.total),
            parent=parent.card if parent else "",
        )
        self._cards[uuid] = card
        return card

    def _instances(self, handle: Any, gpu: ScannedCard) -> list[tuple[Any, ScannedCard]] | None:
        """MIG instances, each with its handle; ``None`` where the GPU is not cut into instances."""
        mode = self._asking.ask(gpu.card, "mig", pynvml.nvmlDeviceGetMigMode, handle)
        if mode is None or mode[0] != pynvml.NVML_DEVICE_MIG_ENABLE:
            return None
        found = []
        for index in range(pynvml.nvmlDeviceGetMaxMigDeviceCount(handle)):
            try:
                instance = pynvml.nvmlDeviceGetMigDeviceHandleByIndex(handle, index)
                uuid = pynvml.nvmlDeviceGetUUID(instance)
                found.append((instance, self._cards.get(uuid) or self._describe(instance, uuid, gpu)))
            except NVMLError as error:
                if error.value != NOT_FOUND:  # which is a hole, or the end
                    self._asking.tell("instance_failed", card=gpu.card, reason=word_of(error.value))
        return found

    def _read_card(
        self, handle: Any, card: ScannedCard, fault: str | None, *, mig: bool, active: int | None = None
    ) -> CardReading:
        """``active``: of an instance, where it is known; whose it is shows only where one process is there."""
        try:
            memory_of = self._lists.read(handle, card)
            if isinstance(memory_of, Failure):
                return CardReading(card=card.card, failure=memory_of, fault=fault)
            sm_of: dict[int, int | None] = {}
            sm_missing = "mig"
            if active is not None and len(memory_of) == 1:
                sm_of, sm_missing = dict.fromkeys(memory_of, active), ""
            running: dict[int, Running] = {}
            ended: tuple[EndedProcess, ...] = ()
            if not mig:
                running, ended = self._accounting.read(handle, card.card, frozenset(memory_of))
                sm_of, sm_missing = self._utilisation(handle, card, frozenset(memory_of))
            energy = (
                None
                if mig
                else self._asking.ask(card.card, "energy", pynvml.nvmlDeviceGetTotalEnergyConsumption, handle)
            )
        except NVMLError as error:
            self._asking.tell("card_failed", card=card.card, reason=word_of(error.value))
            return _failed(card.card, error, fault)
        return CardReading(
            card=card.card,
            processes=tuple(
                ProcessReading(
                    pid=pid,
                    memory_bytes=memory,
                    sm=sm_of.get(pid),
                    counter=running[pid].counter if pid in running else None,
                    started_us=running[pid].started_us if pid in running else None,
                )
                for pid, memory in memory_of.items()
            ),
            ended=ended,
            sm_missing=sm_missing,
            energy_mj=energy,
            fault=fault,
        )

    def _utilisation(self, handle: Any, card: ScannedCard, pids: frozenset[int]) -> tuple[dict[int, int | None], str]:
        marks = self._watermarks.setdefault(card.card, Watermarks())
        try:
            samples = self._buffers.samples(handle, marks.since_us(pids))
        except NVMLError as error:
            word = word_of(error.value)
            if word in FAULTS:
                raise
            self._asking.tell("utilisation", card=card.card, reason=word)
            return {}, word
        return marks.take(samples, pids), ""


def _failed(card: str, error: NVMLError, fault: str | None = None) -> CardReading:
    word = word_of(error.value)
    return CardReading(
        card=card,
        failure=Failure(reason=word, detail=str(error)),
        fault=fault or (word if word in FAULTS else None),
    )
