"""The sampler: samples in, records out. Pure: it reads no clock, no file and no device.

Owns what samples prove, report boundaries, and what must be remembered over a restart of the agent. Does not own
where samples come from (``observer``) or where reports go (``runner``).

Two consecutive successful samples that both saw a process on a card prove the time between them. The first sample that
sees it starts its time; its exit, or else the last sample that saw it, ends it. A failed sample proves nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from msgspec import Struct, structs

from cardhour_agent.card_sample import CardSample, Held
from cardhour_agent.faults import FaultBook
from cardhour_agent.identity import Identity
from cardhour_agent.output import Output, Policy
from cardhour_agent.track import CardTrack
from cardhour_contract.errors import InvariantBroken
from cardhour_contract.moment import QUARTER_MS
from cardhour_contract.record import (
    Attribution,
    CardRecord,
    CardState,
    Fault,
    Process,
    Report,
    Scan,
    ScannedCard,
    UsageRecord,
)

__all__ = ["Batch", "CardSample", "Held", "LastSeen", "Policy", "Sample", "Sampler", "SeenHold"]

R = TypeVar("R", UsageRecord, CardRecord)

SCAN_EVERY_MS = 3_600_000
"""An unchanged scan is repeated hourly, so that the warehouse can tell an absent card from a silent node."""


class Sample(Struct, frozen=True, kw_only=True):
    """A node at one instant."""

    at_ms: int
    """Anchored time; never before the previous sample's."""
    cards: tuple[ScannedCard, ...] | None = None
    """The node's cards; ``None`` = the driver did not answer, so that every known card failed."""
    mig_parents: tuple[str, ...] = ()
    readings: tuple[CardSample, ...] = ()
    exits: Mapping[int, int] = {}
    """Processes known to have ended since the last sample, by key, with the anchored time of it."""
    late_answers: tuple[Attribution, ...] = ()


class Batch(Struct, frozen=True, kw_only=True):
    """What one report carries; ``[started_at_ms, ended_at_ms)`` is the time since the last one."""

    started_at_ms: int
    ended_at_ms: int
    usage: tuple[UsageRecord, ...] = ()
    cards: tuple[CardRecord, ...] = ()
    scan: Scan | None = None
    faults: tuple[Fault, ...] = ()
    attributions: tuple[Attribution, ...] = ()
    processes: tuple[Process, ...] = ()


class SeenHold(Struct, frozen=True, kw_only=True):
    """A process that held a card; its time before ``until_ms`` is in a report."""

    card: str
    identity: Identity
    until_ms: int


class LastSeen(Struct, frozen=True, kw_only=True):
    """What a later run of the agent must know: to bridge a restart, and to close faults."""

    holds: tuple[SeenHold, ...] = ()
    faults: tuple[Fault, ...] = ()


class Sampler:
    """State between samples of one node."""

    def __init__(self, policy: Policy, last_seen: LastSeen | None = None) -> None:
        if QUARTER_MS % policy.report_ms:
            raise InvariantBroken(f"a report of {policy.report_ms} ms does not divide a quarter hour")
        self._policy = policy
        self._output = Output(policy)
        self._tracks: dict[str, CardTrack] = {}
        self._away: dict[str, CardState] = {}
        self._listed: tuple[ScannedCard, ...] | None = None
        self._scan: Scan | None = None
        self._scan_due_ms = 0
        self._sampled_ms: int | None = None
        self._reported_ms = 0
        self._exits: dict[int, int] = {}
        """Ends that are not settled yet: the process holds a card still, or the driver lists it still."""
        self._lost: dict[str, list[CardRecord]] = {}
        """Card records of reports that could not be spooled, by card."""
        remembered = last_seen or LastSeen()
        self._faults = FaultBook(remembered.faults)
        for each in remembered.holds:
            self._track(each.card).resume(each.identity, each.until_ms)

    def observe(self, sample: Sample) -> Batch | None:
        """Take in a sample; at the first one at or beyond a report boundary, the batch up to that boundary."""
        at_ms = sample.at_ms
        if self._sampled_ms is None:
            self._reported_ms = at_ms
        elif at_ms < self._sampled_ms:
            raise InvariantBroken(f"a sample of {at_ms} after one of {self._sampled_ms}: time must be anchored")
        self._sampled_ms = at_ms
        exits = {**sample.exits, **self._exits}  # a process that stays listed is found to have ended each time
        if sample.cards is None:
            for track in self._tracks.values():
                if track.card not in self._away:
                    track.observe(CardSample(card=track.card, failed=True), at_ms, exits)
        else:
            if sample.cards is not self._listed and sample.cards != self._listed:
                self._relist(sample)
            for reading in sample.readings:
                self._tracks[reading.card].observe(reading, at_ms, exits)
                if reading.fault is not None:
                    self._faults.observe(reading.card, reading.fault, at_ms)
            if at_ms >= self._scan_due_ms or self._faults.open:
                self._take_scan(sample)
        for card, state in self._away.items():
            self._tracks[card].observe_as(state, at_ms)
        self._exits = self._unsettled(exits, sample) if exits else {}
        for each in sample.late_answers:
            self._output.attributions[each.process] = each
        boundary_ms = at_ms - at_ms % self._policy.report_ms
        return self._cut(boundary_ms) if boundary_ms > self._reported_ms else None

    def flush(self) -> Batch | None:
        """The batch of all that is proven so far; used when the agent stops, and at a wall-clock step."""
        if self._sampled_ms is None or (self._sampled_ms == self._reported_ms and not self._news()):
            return None
        return self._cut(self._sampled_ms)

    def restart_at(self, at_ms: int) -> Batch | None:
        """The wall clock was stepped: what the old anchor proves; the last sample now counts as taken at ``at_ms``."""
        batch = self.flush()
        if self._sampled_ms is not None:
            shift_ms = at_ms - self._sampled_ms
            self._exits = {key: exit_ms + shift_ms for key, exit_ms in self._exits.items()}
        for track in self._tracks.values():
            track.restart(at_ms)
        self._sampled_ms = self._reported_ms = at_ms
        self._scan_due_ms = at_ms
        return batch

    def lost(self, report: Report) -> None:
        """A report could not be spooled: its time is told as ``spool_full`` later, its facts are sent again."""
        self._faults.news[:0] = report.faults
        for attribution in report.attributions:
            self._output.attributions.setdefault(attribution.process, attribution)
        for process in report.processes:
            self._output.announced.discard(process.process)
        for identity in (hold.identity for track in self._tracks.values() for hold in track.holds.values()):
            self._output.announce(identity)
        if report.scan is not None:
            self._scan_due_ms = 0
        for record in report.cards:
            self._lose(record)

    def last_seen(self) -> LastSeen:
        """What to remember once the batches given out so far are durable."""
        holds = [
            SeenHold(card=track.card, identity=hold.identity, until_ms=hold.run.start_ms if hold.run else hold.seen_ms)
            for track in self._tracks.values()
            for hold in track.holds.values()
        ]
        return LastSeen(holds=tuple(holds), faults=tuple(self._faults.open.values()))

    def _unsettled(self, exits: Mapping[int, int], sample: Sample) -> dict[int, int]:
        """Ends to be told again with the next sample: of this one, of processes that are listed still, or may be."""
        if sample.cards is None or any(each.failed for each in sample.readings):
            return dict(exits)
        listed = {each.identity.key for reading in sample.readings for each in reading.held}
        return {key: at_ms for key, at_ms in exits.items() if key in listed or key in sample.exits}

    def _news(self) -> bool:
        """Whether there is something to say even of no time."""
        output = self._output
        return bool(self._scan or self._faults.news or output.processes or output.attributions or self._lost)

    def _track(self, card: str) -> CardTrack:
        track = self._tracks.get(card)
        if track is None:
            track = self._tracks[card] = CardTrack(card, self._policy, self._output)
        return track

    def _relist(self, sample: Sample) -> None:
        """The node's cards changed: what went away is absent, or is now cut into instances."""
        present = {each.card for each in sample.cards or ()}
        for card in (*present, *sample.mig_parents):
            self._track(card)
        parents = frozenset(sample.mig_parents)
        self._away = {
            card: CardState.MIG_PARENT if card in parents else CardState.ABSENT
            for card in self._tracks
            if card not in present
        }
        self._listed = sample.cards
        self._scan_due_ms = 0

    def _take_scan(self, sample: Sample) -> None:
        """Keep the scan for the next report where it is due; it closes the faults of healthy cards in any case."""
        at_ms = sample.at_ms
        healthy = (each.card for each in sample.readings if not each.failed and each.fault is None)
        closed = self._faults.scanned(healthy, at_ms) if self._faults.open else False
        if closed or at_ms >= self._scan_due_ms:
            self._scan = Scan(at_ms=at_ms, cards=sample.cards or ())
            self._scan_due_ms = at_ms + SCAN_EVERY_MS

    def _lose(self, record: CardRecord) -> None:
        """Remember it, joined to the one before it within a quarter hour: a long outage must stay small in memory."""
        state = CardState.SPOOL_FULL if record.state is CardState.OBSERVED else record.state
        start_ms = record.started_at_ms
        kept = self._lost.setdefault(record.card, [])
        if (
            kept
            and kept[-1].ended_at_ms == start_ms
            and kept[-1].state is state
            and kept[-1].started_at_ms // QUARTER_MS == start_ms // QUARTER_MS
        ):
            start_ms = kept.pop().started_at_ms
        kept.append(structs.replace(record, started_at_ms=start_ms, state=state, energy_mj=None))

    def _cut(self, until_ms: int) -> Batch:
        for track in self._tracks.values():
            track.settle(until_ms)
        output = self._output
        usage, output.usage = _up_to(output.usage, until_ms)
        cards, output.cards = _up_to(output.cards, until_ms)
        if self._lost:
            cards = [*(each for kept in self._lost.values() for each in kept), *cards]
            self._lost = {}
        batch = Batch(
            started_at_ms=self._reported_ms,
            ended_at_ms=until_ms,
            usage=tuple(usage),
            cards=tuple(cards),
            scan=self._scan,
            faults=self._faults.take_news(),
            attributions=tuple(output.attributions.values()),
            processes=tuple(output.processes),
        )
        self._reported_ms = until_ms
        self._scan = None
        output.attributions.clear()
        if output.processes:
            output.processes.clear()
            output.announced = {key for track in self._tracks.values() for key in track.holds}
        return batch


def _up_to(records: list[R], until_ms: int) -> tuple[list[R], list[R]]:
    """Those that end by ``until_ms``, and the rest, which belong to a later report."""
    return [r for r in records if r.ended_at_ms <= until_ms], [r for r in records if r.ended_at_ms > until_ms]
