"""One card as one sample saw it: the driver's reading, joined with who the processes are.

Owns the shape of it. Does not own what two of them prove (``track``).
"""

from __future__ import annotations

from msgspec import Struct

from cardhour_agent.device import UseCounter
from cardhour_agent.identity import Identity
from cardhour_contract.record import ACTIVE_WHOLE


class Held(Struct, frozen=True, kw_only=True, gc=False):
    """One process on a card, as one sample saw it."""

    identity: Identity
    memory_bytes: int | None = None
    sm: int | None = None
    """1e-4 percent."""
    counter: UseCounter | None = None
    started_at_ms: int | None = None
    """Where the driver notes it."""


class Ended(Struct, frozen=True, kw_only=True, gc=False):
    """One process that has left a card, with times that the driver noted."""

    identity: Identity
    started_at_ms: int
    ended_at_ms: int
    sm: int | None = None
    """1e-4 percent, over that time."""


class CardSample(Struct, frozen=True, kw_only=True):
    """One card, as one sample saw it."""

    card: str
    failed: bool = False
    held: tuple[Held, ...] = ()
    ended: tuple[Ended, ...] = ()
    energy_mj: int | None = None
    fault: str | None = None
    assigned_known: bool = True
    """Whether all who assign cards answered: an allocation that is not in ``held`` has then ended."""


def mean_since(before: UseCounter | None, now: UseCounter | None) -> int | None:
    """Mean SM utilisation between two readings of a counter, in 1e-4 percent; ``None`` where they do not tell."""
    if before is None or now is None or now.samples <= before.samples or now.sm_sum < before.sm_sum:
        return None
    mean = (now.sm_sum - before.sm_sum) // (now.samples - before.samples)
    return mean if mean <= ACTIVE_WHOLE else None
