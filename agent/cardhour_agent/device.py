"""What a device source can tell: cards, the processes on them, use, energy, health.

Owns the readings and the protocol that NVML and the simulation both follow. Does not own what readings prove (the
sampler does) or who a pid is (identity). A failure is a value beside the readings of the other cards, never a zero and
never an exception: one bad GPU must not hide its neighbours.
"""

from __future__ import annotations

from typing import Protocol

from msgspec import Struct

from cardhour_contract.record import ScannedCard


class Failure(Struct, frozen=True, kw_only=True):
    """Why something could not be read."""

    reason: str
    """A stable word, such as ``gpu_lost``, ``not_permitted``, ``struct_skew``."""
    detail: str = ""


class UseCounter(Struct, frozen=True, kw_only=True, gc=False):
    """A counter of one process's use that the driver keeps, whether or not anyone reads it."""

    sm_sum: int
    """Sum of the SM utilisation of all samples so far, 1e-4 percent each."""
    samples: int


class EndedProcess(Struct, frozen=True, kw_only=True, gc=False):
    """A process that has left a card, as the driver noted it (accounting mode)."""

    pid: int
    start_us: int
    """Microseconds since 1970, by the node's wall clock."""
    lived_ms: int
    """How long its context on the card was active."""
    sm: int | None = None
    """Mean SM utilisation over that time, 1e-4 percent."""


class ProcessReading(Struct, frozen=True, kw_only=True, gc=False):
    """One process with a context on a card."""

    pid: int
    """As the host numbers it."""
    memory_bytes: int | None = None
    """Device memory; ``None`` = the driver does not say."""
    sm: int | None = None
    """SM utilisation since the last reading, in 1e-4 percent; ``None`` = not measured (``CardReading.sm_missing``)."""
    counter: UseCounter | None = None
    """Where the driver keeps one."""
    started_us: int | None = None
    """Where the driver notes it (accounting mode): microseconds since 1970, by the node's wall clock."""


class CardReading(Struct, frozen=True, kw_only=True):
    """One card at one instant."""

    card: str
    """NVML UUID."""
    failure: Failure | None = None
    """Set when the process lists could not be read: then nothing is known about who holds the card."""
    processes: tuple[ProcessReading, ...] = ()
    ended: tuple[EndedProcess, ...] = ()
    """Processes that have left the card, where the driver notes them; each is told of in many readings."""
    sm_missing: str = ""
    """Why utilisations are ``None``, where the whole card has none: ``not_supported``, ``mig``, an error's word."""
    energy_mj: int | None = None
    """The driver's counter since it was loaded, millijoule; a decrease is a new epoch. ``None`` = not measured."""
    fault: str | None = None
    """Why the card is out of order (``xid:79``, ``gpu_lost``, …); ``None`` = it answers and reports nothing wrong."""


class NodeReading(Struct, frozen=True, kw_only=True):
    """Every card of a node at one instant."""

    failure: Failure | None = None
    """Set when the driver itself does not answer; then nothing below is known."""
    cards: tuple[ScannedCard, ...] = ()
    """What can be rented: whole GPUs and MIG instances, in the driver's order."""
    mig_parents: tuple[str, ...] = ()
    """GPUs that are cut into instances: not cards while they are."""
    readings: tuple[CardReading, ...] = ()
    """One for each of ``cards``, in the same order."""


class GpuModes(Struct, frozen=True, kw_only=True):
    """How an administrator has set one GPU up; ``None`` = the driver does not say."""

    card: str
    model: str
    persistence: bool | None = None
    accounting: bool | None = None
    mig: bool = False
    processes_failure: str = ""
    """Why this account cannot list its processes; empty where it can."""


class Inspection(Struct, frozen=True, kw_only=True):
    """The driver and its settings, for whoever looks at the installation."""

    failure: Failure | None = None
    driver: str = ""
    """Version."""
    gpus: tuple[GpuModes, ...] = ()


class Device(Protocol):
    """A source of readings."""

    def read(self) -> NodeReading:
        """Read every card now. Failures are values in the answer."""
        ...

    def close(self) -> None:
        """Let go of the driver."""
        ...
