"""The page that the ledger keeps for one card and one hour, as plain integers.

Owns its fields, their order and its conservation. Does not own how they are found: ``reference`` and the engine do.
"""

from __future__ import annotations

from dataclasses import dataclass

QUARTERS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What one owner, or one workload of an owner, had of a card in one quarter of the hour."""

    quarter: int
    """0 to 3."""
    node: str
    owner: str
    workload: str | None
    """``None`` in the entries by owner."""
    held_us: int
    """Union of its time on the card, faulted time included."""
    billable_us: int
    active_us: int
    memory_mib_ms: int
    measured_us: int
    """Time in which utilisation was read, added over processes."""
    bridged_us: int
    """The part of ``held_us`` that only bridged rows prove."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unobserved:
    """Time of a quarter in which nobody saw the card, and why."""

    quarter: int
    reason: str
    us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One card, one hour. Per-quarter tuples have ``QUARTERS`` members; entries are sorted."""

    by_owner: tuple[Entry, ...]
    by_workload: tuple[Entry, ...]
    idle_us: tuple[int, ...]
    faulted_us: tuple[int, ...]
    rounding_us: tuple[int, ...]
    unobserved: tuple[Unobserved, ...]

    def total_us(self, quarter: int) -> int:
        """What must be exactly a quarter hour."""
        billable_us = sum(each.billable_us for each in self.by_owner if each.quarter == quarter)
        unobserved_us = sum(each.us for each in self.unobserved if each.quarter == quarter)
        other_us = self.idle_us[quarter] + self.faulted_us[quarter] + self.rounding_us[quarter]
        return billable_us + unobserved_us + other_us
