"""Cards that are held because they are assigned: what samples make of what is assigned."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from msgspec import structs

from cardhour_agent import allocations
from cardhour_agent.allocations import Allocations
from cardhour_agent.config import AgentSettings
from cardhour_agent.resolve.answer import Answer, NoAnswer
from cardhour_agent.resolve.assigned import Assigned
from cardhour_agent.resolve.enabled import enabled_allocations
from cardhour_agent.sampler import CardSample
from cardhour_contract.clock import VirtualClock
from cardhour_contract.record import Basis
from tests.agent.watch import CARD, Watch, held, identity

CARDS = frozenset({CARD})


class Told:
    """An assigner that says what it is told to."""

    name = "told"

    def __init__(self) -> None:
        self.answer: list[Assigned] | None = []
        self.hangs: threading.Event | None = None

    def falls_silent(self) -> None:
        self.answer = None

    def find(self, cards: frozenset[str]) -> list[Assigned]:
        if self.hangs is not None:
            self.hangs.wait()
        if self.answer is None:
            raise NoAnswer("unreachable", "gone")
        return self.answer


PROMISED = Assigned(card=CARD, answer=Answer(owner="k8s:team-a", workload="train"), name="k8s/team-a/train/main")


class Node:
    """Samples of one card, with what the assigners say at each."""

    def __init__(self, *assigners: Told, system: tuple[str, ...] = ()) -> None:
        self.watch = Watch()
        self.allocations = Allocations("n", "boot", assigners, system)

    def sample(self, at_s: float, *, failed: bool = False) -> None:
        known = self.allocations.read(frozenset({CARD}))
        found = CardSample(card=CARD, held=known.held.get(CARD, ()), assigned_known=known.complete)
        self.watch.samples(at_s, CardSample(card=CARD, failed=True) if failed else found)

    def close(self) -> list[tuple[float, float, bool]]:
        """The allocation's records, in seconds, and whether they are bridged."""
        self.allocations.close()
        start = self.watch.ends().batches[0].started_at_ms
        return [
            ((each.started_at_ms - start) / 1000, (each.ended_at_ms - start) / 1000, each.bridged)
            for each in self.watch.usage
        ]


def test_an_assignment_holds_its_card_without_any_process_from_first_to_last_sight() -> None:
    told = Told()
    node = Node(told)
    node.sample(0)
    told.answer = [PROMISED]
    for at_s in (10, 20, 30):
        node.sample(at_s)
    told.answer = []
    node.sample(40)
    assert node.close() == [(10, 30, False)]
    (record,) = node.watch.usage
    assert (record.basis, record.owner, record.workload) == (Basis.ALLOCATION, "k8s:team-a", "train")
    assert (record.active, record.memory) == (None, None), "what it uses, its processes tell"
    (process,) = (each for batch in node.watch.batches for each in batch.processes)
    assert (process.process, process.command) == (record.process, "k8s/team-a/train/main")


def silent_until(at_s: int) -> list[tuple[float, float, bool]]:
    """The records of an assignment whose assigner says nothing from 20 s on until ``at_s``."""
    told = Told()
    node = Node(told)
    told.answer = [PROMISED]
    node.sample(0)
    node.sample(10)
    told.falls_silent()
    for silent_s in range(20, at_s, 10):
        node.sample(silent_s)
    told.answer = [PROMISED]
    node.sample(at_s)
    node.sample(at_s + 10)
    return node.close()


def test_who_does_not_answer_for_a_moment_ends_nothing() -> None:
    first, *gap, last = silent_until(120)
    assert (first, last) == ((0, 10, False), (120, 130, False))
    assert gap
    assert all(bridged for _, _, bridged in gap), "the gap is bridged, and says so"


def test_beyond_the_bridge_nothing_is_guessed() -> None:
    assert silent_until(400) == [(0, 10, False), (400, 410, False)]


def test_one_that_does_not_answer_costs_the_others_nothing() -> None:
    told, silent = Told(), Told()
    silent.answer = None
    node = Node(told, silent)
    told.answer = [PROMISED]
    node.sample(0)
    node.sample(10)
    assert node.close() == [(0, 10, False)]


def test_one_that_hangs_holds_no_sample_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(allocations, "WAIT_S", 0.01)
    told = Told()
    told.hangs = threading.Event()
    node = Node(told)
    node.sample(0)
    known = node.allocations.read(frozenset({CARD}))
    assert known.held == {}
    assert not known.complete
    told.hangs.set()
    node.close()


def test_a_failed_sample_of_the_card_is_a_gap_for_its_assignment_too() -> None:
    told = Told()
    node = Node(told)
    told.answer = [PROMISED]
    node.sample(0)
    node.sample(10, failed=True)
    node.sample(20)
    assert node.close() == [(0, 20, True)]


def test_the_operators_own_namespaces_are_nobodys() -> None:
    told = Told()
    told.answer = [structs.replace(PROMISED, answer=Answer(owner="k8s:kube-system", workload="mps"))]
    known = Allocations("n", "boot", [told], ["k8s:kube-system"]).read(frozenset({CARD}))
    assert known.held[CARD][0].identity.owner == "system:kube-system"


def test_a_process_and_the_assignment_it_uses_are_two_records() -> None:
    watch = Watch()
    who = identity("p")
    promised = Allocations("n", "b", [_told(PROMISED)]).read(frozenset({CARD})).held[CARD]
    for at_s in (0, 10):
        watch.samples(at_s, CardSample(card=CARD, held=(held(who), *promised)))
    watch.ends()
    assert sorted(each.basis for each in watch.usage) == [Basis.PROCESS, Basis.ALLOCATION]


def test_assigners_are_asked_only_where_assignment_makes_a_card_held(tmp_path: Path) -> None:
    clock = VirtualClock(0)
    assert enabled_allocations(AgentSettings(node="n"), tmp_path, "b", clock) is None
    given = AgentSettings(
        node="n", basis="allocation", pod_resources_socket=tmp_path / "none" / "kubelet.sock", resolvers=("kubernetes",)
    )
    asked = enabled_allocations(given, tmp_path, "b", clock)
    assert asked is not None
    assert asked.read(CARDS).complete
    asked.close()


def _told(*found: Assigned) -> Told:
    told = Told()
    told.answer = list(found)
    return told
