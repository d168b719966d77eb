"""Reports on their way to the disk: what survives, and what is said where there was no room."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from cardhour_agent.last_seen import LastSeenFile
from cardhour_agent.observer import Observer
from cardhour_agent.outbox import Outbox
from cardhour_agent.sampler import LastSeen, Policy, Sampler
from cardhour_agent.scenario import Scenario, SimulatedCard, SimulatedNode
from cardhour_agent.simulated import SimulatedMachine
from cardhour_agent.timeline import Tick, Timeline
from cardhour_contract.clock import VirtualClock
from cardhour_contract.moment import MINUTE_MS, QUARTER_MS
from cardhour_contract.record import Report
from cardhour_contract.spool import Spool
from cardhour_contract.unpack import unpack
from cardhour_contract.wire import PACKED, decode
from tests.agent.test_observer import fault, process
from tests.agent.watch import T0

ROOMY, TINY = 10_000_000, 1


class Node:
    """A simulated node with a real spool; ``run`` samples it every 10 s."""

    def __init__(self, folder: Path, clock: VirtualClock, bytes_max: int = ROOMY) -> None:
        self.clock = clock
        node = SimulatedNode(
            id="node-1",
            cluster="lab",
            card=(SimulatedCard(uuid="GPU-1", model="A100"),),
            process=(process(7, -60, 600),),
            fault=(fault(3.5, 5, "xid:48"),),
        )
        machine = SimulatedMachine(Scenario(name="outbox", node=(node,)), "node-1", clock)
        timeline = Timeline(clock)
        self.spool = Spool(folder / "spool.db", bytes_max=bytes_max)
        self.file = LastSeenFile(self.spool.path, machine.name.boot_id)
        self.sampler = Sampler(Policy(), self.file.read(timeline.tick()))
        self.observer = Observer(machine.name, machine, machine, self.sampler, timeline)
        self.woken = 0
        self.outbox = Outbox(self.spool, self.file, self.sampler, self._wake)

    def _wake(self) -> None:
        self.woken += 1

    def room(self, bytes_max: int) -> None:
        self.spool.close()
        self.spool = Spool(self.spool.path, bytes_max=bytes_max)
        self.outbox = Outbox(self.spool, self.file, self.sampler, self._wake)

    def run(self, minutes: int) -> Node:
        for _ in range(minutes * 6):
            self.outbox.put(self.observer.observe(), self.observer.tick)
            self.clock.sleep_ms(10_000)
        return self

    def stop(self) -> None:
        self.outbox.put(self.observer.observe(), self.observer.tick)
        self.outbox.put(self.observer.flush(), self.observer.tick)
        self.spool.close()


def reports(folder: Path) -> list[Report]:
    with Spool(folder / "spool.db") as spool:
        return [unpack(decode(each.entry.body, PACKED)) for each in spool.read()]


def held_ms(folder: Path, *, bridged: bool) -> int:
    return sum(
        each.ended_at_ms - each.started_at_ms
        for report in reports(folder)
        for each in report.usage
        if each.bridged is bridged
    )


@pytest.fixture
def clock() -> Iterator[VirtualClock]:
    yield VirtualClock(T0)


def test_a_restarted_agent_bridges_from_its_file(tmp_path: Path, clock: VirtualClock) -> None:
    Node(tmp_path, clock).run(10).stop()
    clock.sleep_ms(2 * MINUTE_MS)
    Node(tmp_path, clock).run(10).stop()
    assert held_ms(tmp_path, bridged=False) == 20 * MINUTE_MS
    assert held_ms(tmp_path, bridged=True) == 2 * MINUTE_MS


def test_a_long_absence_is_not_bridged(tmp_path: Path, clock: VirtualClock) -> None:
    Node(tmp_path, clock).run(10).stop()
    clock.sleep_ms(6 * MINUTE_MS)
    Node(tmp_path, clock).run(10).stop()
    assert held_ms(tmp_path, bridged=True) == 0
    assert held_ms(tmp_path, bridged=False) == 20 * MINUTE_MS


def test_a_killed_agent_loses_at_most_what_the_bridge_restores(tmp_path: Path, clock: VirtualClock) -> None:
    Node(tmp_path, clock).run(10).spool.close()  # no flush: 50 s are proven, but not reported
    Node(tmp_path, clock).run(10).stop()
    assert held_ms(tmp_path, bridged=False) + held_ms(tmp_path, bridged=True) == 20 * MINUTE_MS


def test_a_wall_clock_that_stepped_while_the_agent_was_away_forbids_the_bridge(
    tmp_path: Path, clock: VirtualClock
) -> None:
    Node(tmp_path, clock).run(10).stop()
    clock.step_ms(-MINUTE_MS)
    clock.sleep_ms(2 * MINUTE_MS)
    Node(tmp_path, clock).run(10).stop()
    assert held_ms(tmp_path, bridged=True) == 0


def test_another_boot_has_other_processes_but_the_same_faults(tmp_path: Path) -> None:
    now = Tick(T0, None, T0, 0)
    file = LastSeenFile(tmp_path / "spool.db", "boot-1")
    node = Node(tmp_path, VirtualClock(T0)).run(4)
    seen = node.sampler.last_seen()
    node.stop()
    assert seen.holds and seen.faults
    file.write(seen, now)
    assert file.read(now) == seen
    assert LastSeenFile(tmp_path / "spool.db", "boot-2").read(now) == LastSeen(faults=seen.faults)


def test_a_torn_file_is_no_reason_not_to_start(tmp_path: Path) -> None:
    (tmp_path / "spool.db.last-seen").write_bytes(b'{"boot_id": "b')
    assert LastSeenFile(tmp_path / "spool.db", "boot").read(Tick(T0, None, T0, 0)) == LastSeen()


def test_time_without_room_is_reported_as_spool_full_and_facts_are_sent_again(
    tmp_path: Path, clock: VirtualClock
) -> None:
    node = Node(tmp_path, clock, bytes_max=TINY).run(18)
    assert node.woken == 0
    node.room(ROOMY)
    node.run(2).stop()
    sent = reports(tmp_path)
    states = [
        (each.started_at_ms - T0, each.ended_at_ms - T0, each.state.name) for report in sent for each in report.cards
    ]
    # Reports to minute 17 found no room; neither their usage nor their energy is guessed.
    assert states[:2] == [(0, QUARTER_MS, "SPOOL_FULL"), (QUARTER_MS, 17 * MINUTE_MS, "SPOOL_FULL")]
    assert {each.started_at_ms >= T0 + 17 * MINUTE_MS for report in sent for each in report.usage} == {True}
    assert held_ms(tmp_path, bridged=False) == 3 * MINUTE_MS
    assert sent[0].scan is not None
    assert [each.pid for report in sent for each in report.processes] == [7]
    assert [(each.closed_at_ms is None) for report in sent for each in report.faults] == [True, False]


def test_a_spool_near_its_limit_keeps_days_in_quarters_before_it_drops_anything(tmp_path: Path) -> None:
    """The room that a few hours of minutes take lasts several times as long, and not a millisecond is missing."""
    node = Node(tmp_path, VirtualClock(T0))
    node.run(60)
    room = node.spool.depth().bytes
    node.room(room)
    node.run(4 * 60)
    node.stop()
    assert node.outbox.dropped == 0
    assert node.outbox.merged > 150
    assert held_ms(tmp_path, bridged=False) == 5 * 60 * MINUTE_MS
    with Spool(tmp_path / "spool.db") as spool:
        assert spool.depth().bytes <= room


def test_a_spool_whose_reports_are_all_taken_has_nothing_to_merge_and_says_so(tmp_path: Path) -> None:
    node = Node(tmp_path, VirtualClock(T0))
    node.run(60)
    node.spool.take()
    node.room(node.spool.depth().bytes)
    node.run(60)
    assert node.outbox.merged == 0
    assert node.outbox.dropped > 0
