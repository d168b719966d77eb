"""The NVML door: the only module that imports ``pynvml``.

Owns calls to the driver, the meaning of its return codes, and its traps. Does not own what readings prove. Handles are
asked for again at each reading: an instance that was destroyed, or a GPU that was reset, leaves handles behind that
point elsewhere. Call costs and traps are from NVIDIA's nvml.h and the field reports of other monitoring tools.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pynvml
import structlog
from pynvml import NVMLError

from cardhour_agent.device import CardReading, Failure, NodeReading, ProcessReading
from cardhour_agent.nvml_codes import (
    FAULTS,
    INSUFFICIENT_SIZE,
    LACKING,
    NO_SAMPLES,
    NOT_FOUND,
    RESET_ACTIONS,
    SUCCESS,
    TIMEOUT,
    XID_FAULTS,
    word_of,
)
from cardhour_agent.utilisation import UtilisationSample, Watermarks
from cardhour_contract.record import ScannedCard

TRIES_MAX = 5
"""A list may outgrow its buffer between the two calls that read it; more races in a row than this are no accident."""

EVENTS_MAX = 100
"""Events taken in one reading, so that a storm of them cannot keep the sampler from its next sample."""

_log = structlog.get_logger("cardhour.nvml")


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

    def __init__(self, xid_faults: frozenset[int] = XID_FAULTS, pid_max: int | None = None) -> None:
        self._xid_faults = xid_faults
        self._pid_max = pid_max or int(Path("/proc/sys/kernel/pid_max").read_text(encoding="ascii"))
        self._open = False
        self._cards: dict[str, ScannedCard] = {}
        self._gpu_at: dict[int, ScannedCard] = {}
        self._instances_of: dict[str, tuple[ScannedCard, ...]] = {}
        self._watermarks: dict[str, Watermarks] = {}
        self._ecc_errors: dict[str, int] = {}
        self._events: Any = None
        self._watched: set[str] = set()
        self._told: set[tuple[str, ...]] = set()

    def read(self) -> NodeReading:
        try:
            if not self._open:
                pynvml.nvmlInit()
                self._open = True
                self._tell("driver", version=pynvml.nvmlSystemGetDriverVersion())
            count = pynvml.nvmlDeviceGetCount()
        except NVMLError as error:
            self._tell("driver_failed", reason=word_of(error.value))
            self.close()
            return NodeReading(failure=Failure(reason=word_of(error.value), detail=str(error)))
        struck = self._xids()
        gpus = [each for index in range(count) if (each := self._read_gpu(index, struck)) is not None]
        # Indexes move when a GPU drops off the bus: what answers at one is not also lost at another.
        answered = {card for gpu in gpus if not gpu.lost for card in gpu.cards}
        gpus = [gpu for gpu in gpus if not (gpu.lost and answered.intersection(gpu.cards))]
        return NodeReading(
            cards=tuple(card for gpu in gpus for card in gpu.cards),
            mig_parents=tuple(gpu.parent for gpu in gpus if gpu.parent),
            readings=tuple(reading for gpu in gpus for reading in gpu.readings),
        )

    def close(self) -> None:
        """Shut NVML down; the library itself stays loaded, so a replaced driver needs a new process."""
        self._events = None
        self._watched.clear()
        if self._open:
            self._open = False
            try:
                pynvml.nvmlShutdown()
            except NVMLError as error:
                self._tell("shutdown_failed", reason=word_of(error.value))

    def _read_gpu(self, index: int, struck: Mapping[str, str]) -> _GpuReading | None:
        """The GPU at an index, or its instances. Failed readings if it does not answer but was known there before;
        nothing if it cannot even be named."""
        try:
            handle = pynvml.nvmlDeviceGetHandleByIndex(index)
            uuid = pynvml.nvmlDeviceGetUUID(handle)
            gpu = self._cards.get(uuid) or self._describe(handle, uuid)
            self._gpu_at[index] = gpu
            self._watch(handle, gpu)
            fault = struck.get(uuid) or self._health(handle, gpu)
            instances = self._instances(handle, gpu)
        except NVMLError as error:
            known = self._gpu_at.get(index)
            self._tell("gpu_failed", index=str(index), card=known.card if known else "", reason=word_of(error.value))
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
        readings = [self._read_card(each, card, fault, mig=True) for each, card in instances]
        return _GpuReading(self._instances_of[uuid], readings, uuid)

    def _describe(self, handle: Any, uuid: str, parent: ScannedCard | None = None) -> ScannedCard:
        model = str(pynvml.nvmlDeviceGetName(handle))
        if parent is not None and "MIG" not in model:
            slices = pynvml.nvmlDeviceGetAttributes_v2(handle)
            model = f"{parent.model} MIG {slices.gpuInstanceSliceCount}g.{round(slices.memorySizeMB / 1024)}gb"
        # GB10 and other boards with unified memory answer NOT_SUPPORTED here, though they name processes well.
        memory = self._ask(uuid, "memory", pynvml.nvmlDeviceGetMemoryInfo, handle)
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
        mode = self._ask(gpu.card, "mig", pynvml.nvmlDeviceGetMigMode, handle)
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
                    self._tell("instance_failed", card=gpu.card, reason=word_of(error.value))
        return found

    def _read_card(self, handle: Any, card: ScannedCard, fault: str | None, *, mig: bool) -> CardReading:
        try:
            memory_of = self._processes(handle, card)
            if isinstance(memory_of, Failure):
                return CardReading(card=card.card, failure=memory_of, fault=fault)
            sm_of: dict[int, int | None] = {}
            sm_missing = "mig"
            if not mig:
                sm_of, sm_missing = self._utilisation(handle, card, frozenset(memory_of))
            energy = None if mig else self._ask(card.card, "energy", pynvml.nvmlDeviceGetTotalEnergyConsumption, handle)
        except NVMLError as error:
            self._tell("card_failed", card=card.card, reason=word_of(error.value))
            return _failed(card.card, error, fault)
        return CardReading(
            card=card.card,
            processes=tuple(
                ProcessReading(pid=pid, memory_bytes=memory, sm=sm_of.get(pid)) for pid, memory in memory_of.items()
            ),
            sm_missing=sm_missing,
            energy_mj=energy,
            fault=fault,
        )

    def _processes(self, handle: Any, card: ScannedCard) -> dict[int, int | None] | Failure:
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
                self._tell("struct_skew", card=card.card, pid=str(each.pid), memory_bytes=str(memory))
                return Failure(reason="struct_skew", detail=f"pid {each.pid} with {memory} bytes cannot be")
            before = memory_of.get(each.pid)
            memory_of[each.pid] = memory if before is None else max(before, memory or 0)
        return memory_of

    def _list(self, card: ScannedCard, what: str, function: str, handle: Any) -> list[Any] | None:
        """One process list, by the newest symbol that the driver has; ``None`` where it has none."""
        for version in ("_v3", "_v2"):
            call = getattr(pynvml, function + version, None)
            found = None if call is None else self._ask(card.card, what + version, _retried, call, handle)
            if found is not None:
                return list(found)
        return None

    def _utilisation(self, handle: Any, card: ScannedCard, pids: frozenset[int]) -> tuple[dict[int, int | None], str]:
        marks = self._watermarks.setdefault(card.card, Watermarks())
        since_us = marks.since_us(pids)
        try:
            raw = _retried(pynvml.nvmlDeviceGetProcessUtilization, handle, since_us)
        except NVMLError as error:
            if error.value not in NO_SAMPLES:
                if word_of(error.value) in FAULTS:
                    raise
                self._tell("utilisation", card=card.card, reason=word_of(error.value))
                return {}, word_of(error.value)
            raw = []
        samples = (UtilisationSample(each.pid, each.timeStamp, each.smUtil) for each in raw)
        return marks.take(samples, pids), ""

    def _health(self, handle: Any, gpu: ScannedCard) -> str | None:
        """What the card reports of itself: a reset that it needs, or new uncorrectable ECC errors."""
        uuid = gpu.card
        try:
            action = self._ask(uuid, "recovery_action", _recovery_action, handle)
            errors = self._ask(uuid, "ecc", _uncorrectable_errors, handle)
        except NVMLError as error:
            word = word_of(error.value)
            self._tell("health_failed", card=uuid, reason=word)
            return word if word in FAULTS else None
        if errors is not None:
            before, self._ecc_errors[uuid] = self._ecc_errors.get(uuid, errors), errors
            if errors > before:
                return "ecc_uncorrectable"
        return "reset_required" if action in RESET_ACTIONS else None

    def _watch(self, handle: Any, gpu: ScannedCard) -> None:
        """Have the driver keep this GPU's Xid events for us."""
        uuid = gpu.card
        if uuid in self._watched:
            return
        self._watched.add(uuid)
        try:
            if self._events is None:
                self._events = pynvml.nvmlEventSetCreate()
            pynvml.nvmlDeviceRegisterEvents(handle, pynvml.nvmlEventTypeXidCriticalError, self._events)
        except NVMLError as error:
            self._tell("xid_events", card=uuid, reason=word_of(error.value))

    def _xids(self) -> dict[str, str]:
        """Faults by card from the Xid events since the last reading."""
        struck: dict[str, str] = {}
        for _ in range(EVENTS_MAX if self._events is not None else 0):
            try:
                event = pynvml.nvmlEventSetWait_v2(self._events, 0)
                uuid = pynvml.nvmlDeviceGetUUID(event.device)
            except NVMLError as error:
                if error.value != TIMEOUT:
                    self._tell("xid_events", reason=word_of(error.value))
                break
            _log.warning("xid", card=uuid, xid=int(event.eventData))
            if event.eventData in self._xid_faults:
                struck.setdefault(uuid, f"xid:{event.eventData}")
        return struck

    def _ask(self, card: str, what: str, call: Callable[..., Any], *arguments: Any) -> Any:
        """The answer, or ``None`` with one line in the log where the question is never answered here."""
        try:
            return call(*arguments)
        except NVMLError as error:
            if word_of(error.value) not in LACKING:
                raise
            self._tell("not_measured", card=card, what=what, reason=word_of(error.value))
            return None

    def _tell(self, event: str, **details: str) -> None:
        """Log a thing once: a reading comes every few seconds."""
        key = (event, *details.values())
        if key not in self._told:
            self._told.add(key)
            _log.info(event, **details)


def _failed(card: str, error: NVMLError, fault: str | None = None) -> CardReading:
    word = word_of(error.value)
    return CardReading(
        card=card,
        failure=Failure(reason=word, detail=str(error)),
        fault=fault or (word if word in FAULTS else None),
    )


def _retried(call: Callable[..., Any], *arguments: Any) -> Any:
    """A call of two steps, again while its buffer was outgrown in between."""
    for _ in range(TRIES_MAX - 1):
        try:
            return call(*arguments)
        except NVMLError as error:
            if error.value != INSUFFICIENT_SIZE:
                raise
    return call(*arguments)


def _recovery_action(handle: Any) -> int:
    """What the driver wants done with the GPU; 0 is nothing."""
    value = pynvml.nvmlDeviceGetFieldValues(handle, [pynvml.NVML_FI_DEV_GET_GPU_RECOVERY_ACTION])[0]
    if value.nvmlReturn != SUCCESS:
        raise NVMLError(value.nvmlReturn)
    return int(value.value.uiVal)


def _uncorrectable_errors(handle: Any) -> int:
    """Since the driver was loaded."""
    return int(
        pynvml.nvmlDeviceGetTotalEccErrors(handle, pynvml.NVML_MEMORY_ERROR_TYPE_UNCORRECTED, pynvml.NVML_VOLATILE_ECC)
    )
