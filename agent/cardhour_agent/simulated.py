"""The simulated machine: plays one node of a scenario on a clock, and answers who its processes are.

Owns readings and identities made from a scenario; it follows the protocols that NVML and /proc follow, so everything
behind them is the real thing. Does not own the scenario's file. Between two changes of the scenario a reading differs
only in energy, so that a month of samples costs what its changes cost.
"""

from __future__ import annotations

from bisect import bisect_right

from msgspec import structs

from cardhour_agent.device import CardReading, Failure, NodeReading, ProcessReading
from cardhour_agent.identity import UNKNOWN, Identity
from cardhour_agent.observer import NodeName
from cardhour_agent.scenario import Scenario, SimulatedCard, SimulatedNode, SimulatedProcess
from cardhour_contract.clock import Clock
from cardhour_contract.errors import InvariantBroken
from cardhour_contract.identity import key_of, process_key, unnamed_workload
from cardhour_contract.moment import to_ms
from cardhour_contract.record import ACTIVE_WHOLE, Attribution, Process, ScannedCard

START_TICK_MS = 10
"""Simulated start ticks count 10 ms from the epoch: distinct, and the same in every run."""


def node_name(scenario: Scenario, node: SimulatedNode) -> NodeName:
    """How a simulated node signs its reports; the same scenario always has the same boot."""
    boot_id = node.boot_id or f"simulated-{key_of(scenario.name, node.id):016x}"
    return NodeName(node=node.id, cluster=node.cluster, boot_id=boot_id, basis=node.basis)


class _Player:
    """One process of the scenario, its times in ms and its answers made once."""

    __slots__ = ("cards", "end_ms", "known", "known_from_ms", "pid", "reading", "sm", "start_ms", "unknown")

    def __init__(self, name: NodeName, process: SimulatedProcess) -> None:
        self.start_ms, self.end_ms, self.known_from_ms = process.start_ms, process.end_ms, process.known_from_ms
        self.pid, self.cards, self.sm = process.pid, process.cards, process.sm
        self.reading = ProcessReading(pid=process.pid, memory_bytes=process.memory_bytes, sm=process.sm)
        start_ticks = self.start_ms // START_TICK_MS
        key = process_key(name.node, name.boot_id, process.pid, start_ticks)
        self.known = Identity(
            key=key,
            owner=process.owner,
            workload=process.workload or unnamed_workload(key),
            share=process.share,
            process=Process(process=key, pid=process.pid, start_ticks=start_ticks, command=process.command),
        )
        self.unknown = structs.replace(
            self.known, owner=UNKNOWN + process.unknown_reason, workload=unnamed_workload(key), share=1000
        )

    def identity_at(self, at_ms: int) -> Identity:
        return self.known if at_ms >= self.known_from_ms else self.unknown


class SimulatedMachine:
    """A Device and its Identities in one, for one node of a scenario."""

    def __init__(self, scenario: Scenario, node: str, clock: Clock) -> None:
        self._node = scenario.find(node)
        self.name = node_name(scenario, self._node)
        self._clock = clock
        self._players = sorted((_Player(self.name, each) for each in self._node.process), key=lambda p: p.start_ms)
        self._cards = tuple(
            ScannedCard(card=each.uuid, model=each.model, memory_bytes=each.memory_bytes, parent=each.parent)
            for each in self._node.card
        )
        self._troubles: list[tuple[int, int, str, str | None]] = [
            (to_ms(each.start), to_ms(each.end), each.card, each.reason) for each in self._node.fault
        ]
        self._troubles += [(to_ms(each.start), to_ms(each.end), each.card, None) for each in self._node.gap]
        self._changes = sorted(
            {at_ms for p in self._players for at_ms in (p.start_ms, p.end_ms, p.known_from_ms)}
            | {at_ms for start_ms, end_ms, _, _ in self._troubles for at_ms in (start_ms, end_ms)}
        )
        self._powered = any(each.idle_watts is not None for each in self._node.card)
        self._rewind()

    def read(self) -> NodeReading:
        now_ms = self._clock.now_ms()
        if now_ms < self._valid_from_ms:
            self._rewind()
        if now_ms >= self._valid_until_ms:
            self._play_to(now_ms)
        if not self._powered or self._reading.failure is not None:
            return self._reading
        elapsed_ms = now_ms - self._valid_from_ms
        readings = tuple(
            [
                each
                if (power_mw := self._power_mw[index]) is None or each.failure is not None
                else CardReading(
                    card=each.card,
                    processes=each.processes,
                    energy_mj=(self._energy_uj[index] + power_mw * elapsed_ms) // 1000,
                    fault=each.fault,
                )
                for index, each in enumerate(self._reading.readings)
            ]
        )
        return NodeReading(cards=self._cards, readings=readings)

    def close(self) -> None:
        """Nothing is held."""

    def identify(self, pid: int) -> Identity:
        identity = self._identities.get(pid)
        if identity is None:
            raise InvariantBroken(f"the simulation was asked about pid {pid}, which is on no card now")
        return identity

    def sampled(self, unread: frozenset[int] = frozenset()) -> None:
        """Nothing is cached."""

    def exits(self) -> dict[int, int]:
        if not self._exits:
            return {}
        offset_ms = self._clock.now_ms() - self._clock.monotonic_ms()
        exits = {key: at_ms - offset_ms for key, at_ms in self._exits.items()}
        self._exits.clear()
        return exits

    def late_answers(self) -> tuple[Attribution, ...]:
        if not self._late:
            return ()
        late = tuple(
            Attribution(process=each.key, owner=each.owner, workload=each.workload, share=each.share)
            for each in self._late
        )
        self._late.clear()
        return late

    def _rewind(self) -> None:
        """Before the scenario begins."""
        self._next_player = 0
        self._active: list[_Player] = []
        self._exits: dict[int, int] = {}
        self._late: list[Identity] = []
        self._identities: dict[int, Identity] = {}
        self._energy_uj = [0] * len(self._cards)
        self._power_mw: list[int | None] = [None] * len(self._cards)
        self._valid_from_ms = 0
        self._valid_until_ms = self._changes[0] if self._changes else 2**63
        self._show(0)

    def _play_to(self, now_ms: int) -> None:
        """Pass every change up to ``now_ms``, one by one, so that energy does not depend on when it is read."""
        changes = self._changes
        last = bisect_right(changes, now_ms)
        for index in range(bisect_right(changes, self._valid_from_ms), last):
            at_ms = changes[index]
            for card, power_mw in enumerate(self._power_mw):
                self._energy_uj[card] += (power_mw or 0) * (at_ms - self._valid_from_ms)
            self._valid_from_ms = at_ms
            self._pass(at_ms)
        self._valid_until_ms = changes[last] if last < len(changes) else 2**63
        self._show(self._valid_from_ms)

    def _pass(self, at_ms: int) -> None:
        """One change: who starts, who ends, who becomes known; and the power from here on."""
        players = self._players
        while self._next_player < len(players) and players[self._next_player].start_ms <= at_ms:
            self._active.append(players[self._next_player])
            self._next_player += 1
        for each in self._active:
            if each.end_ms <= at_ms:
                self._exits[each.known.key] = each.end_ms
        self._active = [each for each in self._active if each.end_ms > at_ms]
        self._late += (p.known for p in players[: self._next_player] if p.known_from_ms == at_ms > p.start_ms)
        if self._powered:
            self._power_mw = [self._power_of(each) for each in self._node.card]

    def _power_of(self, card: SimulatedCard) -> int | None:
        if card.idle_watts is None:
            return None
        busy = min(ACTIVE_WHOLE, sum(each.sm or 0 for each in self._active if card.uuid in each.cards))
        return card.idle_watts * 1000 + max(0, card.busy_watts - card.idle_watts) * busy // 1000

    def _show(self, at_ms: int) -> None:
        """The reading from ``at_ms`` until the next change."""
        self._identities = {each.pid: each.identity_at(at_ms) for each in self._active}
        troubles = [each for each in self._troubles if each[0] <= at_ms < each[1]]
        failed = {card for _, _, card, reason in troubles if reason in (None, "gpu_lost")}
        if "" in failed:
            self._reading = NodeReading(failure=Failure(reason="simulated_gap"))
            return
        faults = {card: reason for _, _, card, reason in troubles if reason is not None}
        readings = [
            CardReading(card=card, failure=Failure(reason="simulated_gap"), fault=faults.get(card))
            if card in failed
            else CardReading(
                card=card,
                processes=tuple(each.reading for each in self._active if card in each.cards),
                fault=faults.get(card),
            )
            for card in (each.card for each in self._cards)
        ]
        self._reading = NodeReading(cards=self._cards, readings=tuple(readings))
