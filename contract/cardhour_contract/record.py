"""What agents observe: usage records, card records, scans, faults, attributions, and the report that carries them.

Owns the words and units of metering (docs/concepts.md). Does not own bytes (``wire``) or rules that need more than
one record (the ledger). Times are UTC milliseconds, intervals half-open, missing readings ``None`` and never zero.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Literal

from msgspec import Struct

SHARE_WHOLE = 1000
"""A share is permille of a card; a process that declares none is entitled to the whole card."""

ACTIVE_WHOLE = 1_000_000
"""Utilisation is in 1e-4 percent: 1 000 000 is a card fully busy. Times milliseconds, it is ``active``."""


class Basis(IntEnum):
    """What makes a card held. Records of the other basis inform, they do not bill; imported rows count on either."""

    PROCESS = 0
    ALLOCATION = 1
    IMPORTED = 2


class CardState(IntEnum):
    """What a card record says of its interval. All but OBSERVED are reasons for unobserved time."""

    OBSERVED = 0
    NVML_FAILED = 1
    SPOOL_FULL = 2
    ABSENT = 3
    MIG_PARENT = 4


class UsageRecord(Struct, frozen=True, kw_only=True):
    """One process, or one allocation, on one card for one interval, with integrals over that interval."""

    card: str
    """NVML UUID, never an index."""
    process: int
    """``identity.process_key``."""
    owner: str
    """``kind:name``, such as ``k8s:team-a``, ``user:alice``, ``system:xorg``, ``unknown:exited``."""
    workload: str
    """Name inside the owner; ``identity.unnamed_workload`` where there is none."""
    share: int = SHARE_WHOLE
    """Permille of the card, 1 to 1000."""
    started_at_ms: int
    ended_at_ms: int
    basis: Basis = Basis.PROCESS
    bridged: bool = False
    """Held time across a gap that samples on both sides prove (metering: at most ``bridge_max``)."""
    active: int | None = None
    """∫ SM utilisation dt, in 1e-4 percent × ms (at most 1 000 000 × length); ``None`` = not measured."""
    memory: int | None = None
    """∫ device memory dt, in byte × ms; ``None`` = not measured."""


class CardRecord(Struct, frozen=True, kw_only=True):
    """One card for one interval: observed, or why not."""

    card: str
    started_at_ms: int
    ended_at_ms: int
    state: CardState = CardState.OBSERVED
    energy_mj: int | None = None
    """Energy used in the interval, millijoule; ``None`` = not measured or the driver was reloaded in between."""


class ScannedCard(Struct, frozen=True, kw_only=True):
    """One card as a scan of its node lists it."""

    card: str
    model: str
    """NVML product name, with the MIG profile for an instance."""
    memory_bytes: int | None = None
    parent: str = ""
    """UUID of the GPU that a MIG instance is cut from; empty for a whole GPU."""


class Scan(Struct, frozen=True, kw_only=True):
    """The cards a node has, at a time. A failed scan is not a Scan."""

    at_ms: int
    cards: tuple[ScannedCard, ...]


class Fault(Struct, frozen=True, kw_only=True):
    """A card out of order, from an event until the first later scan that finds it healthy.

    Sent when it opens (``closed_at_ms`` is None) and again, with the same ``opened_at_ms``, when it closes.
    """

    card: str
    opened_at_ms: int
    closed_at_ms: int | None = None
    reason: str
    """``xid:79``, ``gpu_lost``, ``ecc_uncorrectable``, ``reset_required``."""


class Attribution(Struct, frozen=True, kw_only=True):
    """A late answer: who a process reported as ``unknown:…`` really was. Replaces unknown in all its records."""

    process: int
    owner: str
    workload: str
    share: int = SHARE_WHOLE


class Process(Struct, frozen=True, kw_only=True):
    """What a process key stands for; sent once, when the process is first seen."""

    process: int
    pid: int
    start_ticks: int
    """Clock ticks after boot at which it started (/proc/PID/stat field 22)."""
    uid: int | None = None
    command: str = ""
    cgroup: str = ""
    container_id: str = ""


class Report(Struct, frozen=True, kw_only=True):
    """One node's batch: everything proved since its last report."""

    node: str
    cluster: str
    boot_id: str
    basis: Literal["process", "allocation"] = "process"
    """What makes this node's cards held."""
    started_at_ms: int
    ended_at_ms: int
    wall_ms: int
    """The node's wall clock when the report was made."""
    monotonic_ms: int
    ntp_synced: bool | None = None
    """Whether the kernel calls its clock synchronised; ``None`` = could not be read."""
    usage: tuple[UsageRecord, ...] = ()
    cards: tuple[CardRecord, ...] = ()
    scan: Scan | None = None
    faults: tuple[Fault, ...] = ()
    attributions: tuple[Attribution, ...] = ()
    processes: tuple[Process, ...] = ()
