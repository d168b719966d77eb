"""One card's track: who was seen on it by the last sample, and the records that two samples prove.

Owns the time between two samples of one card and its integrals. Does not own where records are cut (``output``),
reports, faults or identities. The rate of the sample that ends a stretch holds for the whole stretch: an SM utilisation
is the driver's own mean since the last reading; memory moves in steps, and either end would do. A stretch cut in two
so has parts that add up to it exactly. A stretch that was not measured gets a record of its own, so that ``None``
never mixes with a number.
"""

from __future__ import annotations

from collections.abc import Mapping

from cardhour_agent.card_sample import CardSample, Ended, Held, mean_since
from cardhour_agent.device import UseCounter
from cardhour_agent.identity import Identity
from cardhour_agent.output import Output, Policy
from cardhour_contract.record import Basis, CardRecord, CardState, UsageRecord

LISTED_AFTER_MS = 500
"""How long after its noted start a process may come onto the lists. One that began longer before a sample that did not
see it was away from the card then, and nobody noted since when it is back."""

NOTHING_USED = UseCounter(sm_sum=0, samples=0)


class _Run:
    """A record in the making: touching stretches that may stand in one."""

    __slots__ = ("active", "bridged", "end_ms", "identity", "memory", "start_ms")

    def __init__(
        self, identity: Identity, start_ms: int, active: int | None, memory: int | None, bridged: bool
    ) -> None:
        self.identity = identity
        self.start_ms = self.end_ms = start_ms
        self.active, self.memory = active, memory
        self.bridged = bridged


class _Hold:
    """A process that the last successful sample saw on the card."""

    __slots__ = ("begun_ms", "counter", "identity", "run", "seen_ms")

    def __init__(self, identity: Identity, seen_ms: int) -> None:
        self.identity = identity
        self.seen_ms = seen_ms
        self.run: _Run | None = None
        self.counter: UseCounter | None = None
        """As the last successful sample read it."""
        self.begun_ms = seen_ms
        """No earlier: the driver may note a start in the moment between a sample's time and its reading."""


class CardTrack:
    """State of one card between samples. Times given must not go back, except through ``restart``."""

    def __init__(self, card: str, policy: Policy, output: Output) -> None:
        self.card = card
        self.holds: dict[int, _Hold] = {}
        self._policy = policy
        self._output = output
        self._tried_ms: int | None = None
        self._succeeded_ms: int | None = None
        self._energy_mj: int | None = None
        self._state = CardState.OBSERVED
        self._state_start_ms = self._state_end_ms = 0
        self._state_energy_mj: int | None = None

    def resume(self, identity: Identity, seen_ms: int) -> None:
        """Before the first sample: a process that held the card when an earlier run of the agent last looked."""
        self.holds[identity.key] = _Hold(identity, seen_ms)

    def observe(self, sample: CardSample, at_ms: int, exits: Mapping[int, int]) -> None:
        """Take in one sample. ``exits``: processes known to have ended, by key, with the time of it."""
        tried_ms, succeeded_ms = self._tried_ms, self._succeeded_ms
        self._tried_ms = at_ms
        follows = tried_ms is not None and at_ms - tried_ms <= self._policy.consecutive_ms
        if sample.failed:
            if tried_ms is not None and follows:
                self._card_stretch(CardState.NVML_FAILED, tried_ms, at_ms, None)
            self._energy_mj = None
            return
        proved = follows and succeeded_ms == tried_ms
        if tried_ms is not None and follows:
            state = CardState.OBSERVED if proved else CardState.NVML_FAILED
            self._card_stretch(state, tried_ms, at_ms, self._energy_since(sample.energy_mj) if proved else None)
        self._succeeded_ms = at_ms
        self._energy_mj = sample.energy_mj
        # What the driver lists of a process that had ended by then is stale.
        listed = [each for each in sample.held if exits.get(each.identity.key, at_ms) >= at_ms]
        for each in listed:
            self._see(each, at_ms, tried_ms if proved else None, succeeded_ms)
        if sample.ended and succeeded_ms is not None:
            self._take_ended(sample.ended, succeeded_ms, at_ms, exits)
        if len(self.holds) > len(listed):
            gone = [key for key, hold in self.holds.items() if hold.seen_ms != at_ms and not _open(hold, sample)]
            self._leave(gone, at_ms, exits)

    def observe_as(self, state: CardState, at_ms: int) -> None:
        """A sample in which this is no card: absent, or cut into instances."""
        if self.holds:
            self._leave(list(self.holds), at_ms, {})
        if self._tried_ms is not None and at_ms - self._tried_ms <= self._policy.consecutive_ms:
            self._card_stretch(state, self._tried_ms, at_ms, None)
        self._tried_ms = at_ms
        self._succeeded_ms = self._energy_mj = None

    def settle(self, until_ms: int) -> None:
        """Close the records that end at or before ``until_ms``; what is held goes on."""
        for hold in self.holds.values():
            if hold.run is not None and hold.run.end_ms <= until_ms:
                self._close(hold)
        if self._state_end_ms <= until_ms:
            self._close_state()

    def restart(self, at_ms: int) -> None:
        """A new time axis: the sample just taken counts as taken at ``at_ms``. Settle first."""
        if self._tried_ms is None:
            return
        shift_ms = at_ms - self._tried_ms
        for hold in self.holds.values():
            hold.seen_ms += shift_ms
            hold.begun_ms += shift_ms
        if self._succeeded_ms is not None:
            self._succeeded_ms += shift_ms
        self._tried_ms = at_ms

    def _energy_since(self, energy_mj: int | None) -> int | None:
        """Energy since the last sample; a counter that went down has a new epoch, and proves nothing."""
        before_mj = self._energy_mj
        if energy_mj is None or before_mj is None or energy_mj < before_mj:
            return None
        return energy_mj - before_mj

    def _see(self, held: Held, at_ms: int, proved_since_ms: int | None, succeeded_ms: int | None) -> None:
        """``proved_since_ms``: the sample before this one, where the two prove the time between them; ``succeeded_ms``:
        the last one that succeeded."""
        identity = held.identity
        hold = self.holds.get(identity.key)
        if hold is not None:
            counted = mean_since(hold.counter, held.counter)
            if hold.seen_ms == proved_since_ms:
                sm = held.sm if counted is None else counted
                self._stretch(hold, at_ms, sm, held.memory_bytes, bridged=False)
            elif at_ms - hold.seen_ms <= self._policy.bridge_max_ms:
                self._stretch(hold, at_ms, counted, None, bridged=True)
            else:
                self._close(hold)
            hold.seen_ms, hold.counter = at_ms, held.counter
            if hold.identity is not identity:
                self._change(hold, identity)
            return
        self._output.announce(identity)
        hold = self.holds[identity.key] = _Hold(identity, at_ms)
        hold.counter = held.counter
        start_ms = held.started_at_ms
        if start_ms is None or succeeded_ms is None or start_ms < succeeded_ms - LISTED_AFTER_MS:
            return
        hold.begun_ms = start_ms
        hold.seen_ms = min(start_ms, at_ms)
        self._stretch(hold, at_ms, mean_since(NOTHING_USED, held.counter), None, bridged=False)
        hold.seen_ms = at_ms

    def _take_ended(self, ended: tuple[Ended, ...], succeeded_ms: int, at_ms: int, exits: Mapping[int, int]) -> None:
        """Processes that lived between two successful samples, and the ends of those that the first of the two saw.

        Whatever lies outside the two samples is dropped: it was counted before, or the driver means something else by
        its times; what a sample did not see did not hold the card then, unless it had only just begun.
        """
        for each in ended:
            identity = each.identity
            end_ms = min(each.ended_at_ms, at_ms, exits.get(identity.key, at_ms))
            hold = self.holds.get(identity.key)
            if hold is None:
                if max(each.started_at_ms, succeeded_ms) >= end_ms:
                    continue
                listed_late = succeeded_ms - each.started_at_ms <= LISTED_AFTER_MS
                self._output.announce(identity)
                hold = _Hold(identity, each.started_at_ms if listed_late else succeeded_ms)
                self._stretch(hold, end_ms, each.sm, None, bridged=False)
            elif hold.seen_ms < at_ms:
                del self.holds[identity.key]
                self._stretch(hold, end_ms, None, None, bridged=False)
            else:
                continue  # its pid is on the card again, or still
            self._close(hold)

    def _change(self, hold: _Hold, identity: Identity) -> None:
        """A new answer holds from the sample that gave it; what was reported as unknown is attributed as well."""
        if not identity.holds_as(hold.identity):
            self._close(hold)
            if hold.identity.is_unknown and not identity.is_unknown:
                self._output.attribute(identity)
        if identity.process != hold.identity.process:
            self._output.announce(identity, again=True)
        hold.identity = identity

    def _leave(self, keys: list[int], at_ms: int, exits: Mapping[int, int]) -> None:
        """Holds end at the last sample that saw them, or at their exit, at most up to the next due sample."""
        for key in keys:
            hold = self.holds.pop(key)
            exit_ms = exits.get(key)
            if exit_ms is not None:
                end_ms = min(exit_ms, at_ms, hold.seen_ms + self._policy.sample_ms)
                self._stretch(hold, end_ms, None, None, bridged=False)
            self._close(hold)

    def _stretch(self, hold: _Hold, end_ms: int, sm: int | None, memory_bytes: int | None, *, bridged: bool) -> None:
        """Add ``[hold.seen_ms, end_ms)`` at constant rates, cutting where records must be cut."""
        start_ms = max(hold.seen_ms, hold.begun_ms)
        if start_ms >= end_ms:
            return
        run = hold.run
        if run is not None and (
            run.bridged != bridged
            or (run.active is None) != (sm is None)
            or (run.memory is None) != (memory_bytes is None)
        ):
            self._close(hold)
            run = None
        for cut_ms in (*self._output.cuts(start_ms, end_ms), end_ms):
            if cut_ms == start_ms:
                break
            if run is None:
                run = hold.run = _Run(
                    hold.identity, start_ms, None if sm is None else 0, None if memory_bytes is None else 0, bridged
                )
            if sm is not None and run.active is not None:
                run.active += sm * (cut_ms - start_ms)
            if memory_bytes is not None and run.memory is not None:
                run.memory += memory_bytes * (cut_ms - start_ms)
            run.end_ms = start_ms = cut_ms
            if cut_ms != end_ms or cut_ms % self._policy.report_ms == 0:
                self._close(hold)
                run = None

    def _close(self, hold: _Hold) -> None:
        run, hold.run = hold.run, None
        if run is not None:
            identity = run.identity
            self._output.usage.append(
                UsageRecord(
                    card=self.card,
                    process=identity.key,
                    owner=identity.owner,
                    workload=identity.workload,
                    share=identity.share,
                    started_at_ms=run.start_ms,
                    ended_at_ms=run.end_ms,
                    basis=identity.basis,
                    bridged=run.bridged,
                    active=run.active,
                    memory=run.memory,
                )
            )

    def _card_stretch(self, state: CardState, start_ms: int, end_ms: int, energy_mj: int | None) -> None:
        """Add ``[start_ms, end_ms)`` in one state; energy is shared out by time, the remainder to the last part."""
        whole_ms = end_ms - start_ms
        for cut_ms in (*self._output.cuts(start_ms, end_ms), end_ms):
            if cut_ms == start_ms:
                break
            part_mj = None
            if energy_mj is not None:
                part_mj = energy_mj * (cut_ms - start_ms) // whole_ms
                energy_mj -= part_mj
                whole_ms -= cut_ms - start_ms
            same = self._state is state and self._state_end_ms == start_ms
            if not same or (self._state_energy_mj is None) != (part_mj is None) or self._state_start_ms == start_ms:
                self._close_state()
                self._state, self._state_start_ms, self._state_energy_mj = state, start_ms, part_mj
            elif part_mj is not None and self._state_energy_mj is not None:
                self._state_energy_mj += part_mj
            self._state_end_ms = start_ms = cut_ms
            if cut_ms != end_ms or cut_ms % self._policy.report_ms == 0:
                self._close_state()

    def _close_state(self) -> None:
        if self._state_end_ms > self._state_start_ms:
            self._output.cards.append(
                CardRecord(
                    card=self.card,
                    started_at_ms=self._state_start_ms,
                    ended_at_ms=self._state_end_ms,
                    state=self._state,
                    energy_mj=self._state_energy_mj,
                )
            )
        self._state_start_ms = self._state_end_ms


def _open(hold: _Hold, sample: CardSample) -> bool:
    """Whether it may hold the card still, although the sample did not see it: nobody could be asked about it."""
    return hold.identity.basis is Basis.ALLOCATION and not sample.assigned_known
