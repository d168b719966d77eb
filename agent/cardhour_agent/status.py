"""What the agent has done since it started, in plain numbers.

Owns the counts. Written by the sampling thread alone, read by whoever shows them (``metrics``, ``notify``). Not what is
billed: bills come from records.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from cardhour_agent.device import NodeReading
from cardhour_contract.interval import Interval, union
from cardhour_contract.record import Report


class Status:
    """Counts of one run of the agent."""

    def __init__(self) -> None:
        self.samples = 0
        self.failures: Counter[str] = Counter()
        """Samples in which the driver did not answer, by reason."""
        self.card_failures: Counter[tuple[str, str]] = Counter()
        """Samples in which one card did not answer, by card and reason."""
        self.succeeded_at_ms: int | None = None
        """Wall clock at the last sample that the driver answered."""
        self.cards = 0
        self.models: dict[str, str] = {}
        """By card; cards that went away stay, as their counts do."""
        self.held_ms: Counter[str] = Counter()
        """Time in which anyone held a card, by card."""
        self.told_ms: Counter[tuple[str, str]] = Counter()
        """Time that card records tell of, by card and state."""
        self.reports = 0

    def sampled(self, reading: NodeReading, wall_ms: int) -> None:
        self.samples += 1
        if reading.failure is not None:
            self.failures[reading.failure.reason] += 1
            return
        self.succeeded_at_ms = wall_ms
        self.cards = len(reading.cards)
        self.models.update({each.card: each.model for each in reading.cards})
        for each in reading.readings:
            if each.failure is not None:
                self.card_failures[each.card, each.failure.reason] += 1

    def line(self) -> str:
        """For the service manager's one line."""
        reports = f"{self.reports} reports made"
        if self.succeeded_at_ms is None:
            return f"NVML has not answered yet; {reports}"
        return f"{self.cards} cards; {reports}"

    def reported(self, reports: Iterable[Report]) -> None:
        for report in reports:
            self.reports += 1
            held: dict[str, list[Interval]] = {}
            for usage in report.usage:
                held.setdefault(usage.card, []).append(Interval(usage.started_at_ms, usage.ended_at_ms))
            for card, intervals in held.items():
                self.held_ms[card] += sum(each.end_ms - each.start_ms for each in union(intervals))
            for record in report.cards:
                self.told_ms[record.card, record.state.name.lower()] += record.ended_at_ms - record.started_at_ms
