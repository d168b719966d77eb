"""What tracks give out, and the rule where records are cut.

Owns the sampling policy, closed records on their way to a report, and who was already announced. Does not own what
proves a record (``track``) or when a report ends (``sampler``).
"""

from __future__ import annotations

from msgspec import Struct

from cardhour_agent.identity import Identity
from cardhour_contract.moment import QUARTER_MS
from cardhour_contract.record import Attribution, CardRecord, Process, UsageRecord


class Policy(Struct, frozen=True, kw_only=True):
    """The times that decide what samples prove."""

    sample_ms: int = 10_000
    """Time between two due samples."""
    report_ms: int = 60_000
    """Reports end at multiples of it from the epoch; it divides a quarter hour."""
    bridge_max_ms: int = 300_000
    """The longest gap across which the same process on the same card counts as held."""

    @property
    def consecutive_ms(self) -> int:
        """Samples further apart than this are not consecutive: a due one was missed."""
        return 2 * self.sample_ms


class Output:
    """Records as they are closed, and the rule where they must be cut."""

    def __init__(self, policy: Policy) -> None:
        self.usage: list[UsageRecord] = []
        self.cards: list[CardRecord] = []
        self.processes: list[Process] = []
        self.attributions: dict[int, Attribution] = {}
        self.announced: set[int] = set()
        self._report_ms = policy.report_ms
        self._asked = (0, 0)
        self._cuts: tuple[int, ...] = ()

    def announce(self, identity: Identity, *, again: bool = False) -> None:
        """Say once what a process key stands for."""
        if again or identity.key not in self.announced:
            self.announced.add(identity.key)
            self.processes.append(identity.process)

    def attribute(self, identity: Identity) -> None:
        self.attributions[identity.key] = Attribution(
            process=identity.key, owner=identity.owner, workload=identity.workload, share=identity.share
        )

    def cuts(self, start_ms: int, end_ms: int) -> tuple[int, ...]:
        """Where a stretch is cut: at its last report boundary, and at each quarter hour before that."""
        if self._asked != (start_ms, end_ms):
            self._asked = (start_ms, end_ms)
            self._cuts = self._find_cuts(start_ms, end_ms)
        return self._cuts

    def _find_cuts(self, start_ms: int, end_ms: int) -> tuple[int, ...]:
        boundary_ms = end_ms - end_ms % self._report_ms
        if boundary_ms <= start_ms:
            return ()
        first_quarter_ms = start_ms - start_ms % QUARTER_MS + QUARTER_MS
        return (*range(first_quarter_ms, boundary_ms, QUARTER_MS), boundary_ms)
