"""Sampling a simulated node on a virtual clock: time, reports and their size, and wall-clock steps."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from msgspec import structs

from cardhour_agent.identity import Identity
from cardhour_agent.observer import FACTS_MAX, USAGE_ROWS_MAX, Observer
from cardhour_agent.sampler import Policy, Sampler
from cardhour_agent.scenario import (
    Scenario,
    SimulatedCard,
    SimulatedFault,
    SimulatedGap,
    SimulatedNode,
    SimulatedProcess,
)
from cardhour_agent.simulated import SimulatedMachine
from cardhour_agent.timeline import Timeline
from cardhour_contract.clock import VirtualClock
from cardhour_contract.moment import HOUR_MS, MINUTE_MS, from_ms
from cardhour_contract.record import Report, UsageRecord
from cardhour_contract.wire import BODY_BYTES_MAX, encode_packed
from tests.agent.watch import T0

GPU = SimulatedCard(uuid="GPU-1", model="A100", memory_bytes=80 << 30, idle_watts=100, busy_watts=300)


def process(pid: int, from_min: float, to_min: float, **more: Any) -> SimulatedProcess:
    plain = SimulatedProcess(
        pid=pid,
        cards=("GPU-1",),
        start=from_ms(T0 + round(from_min * MINUTE_MS)),
        end=from_ms(T0 + round(to_min * MINUTE_MS)),
        owner="k8s:team-a",
        workload=f"job-{pid}",
        sm_util_percent="50",
        memory_bytes=1000,
    )
    return structs.replace(plain, **more)


def fault(from_min: float, to_min: float, reason: str) -> SimulatedFault:
    start, end = from_ms(T0 + round(from_min * MINUTE_MS)), from_ms(T0 + round(to_min * MINUTE_MS))
    return SimulatedFault(card="GPU-1", start=start, end=end, reason=reason)


def gap(from_min: float, to_min: float) -> SimulatedGap:
    return SimulatedGap(start=from_ms(T0 + round(from_min * MINUTE_MS)), end=from_ms(T0 + round(to_min * MINUTE_MS)))


class Simulation:
    """One node, sampled every 10 s; ``run`` moves its clock on."""

    def __init__(
        self, *processes: SimulatedProcess, faults: tuple[SimulatedFault, ...] = (), gaps: tuple[SimulatedGap, ...] = ()
    ) -> None:
        simulated = SimulatedNode(id="node-1", cluster="lab", card=(GPU,), process=processes, fault=faults, gap=gaps)
        self.clock = VirtualClock(T0)
        self.machine = SimulatedMachine(Scenario(name="test", node=(simulated,)), "node-1", self.clock)
        self.observer = Observer(self.machine.name, self.machine, self.machine, Sampler(Policy()), Timeline(self.clock))
        self.reports: list[Report] = []

    def run(self, minutes: float) -> Simulation:
        for _ in range(round(minutes * 6)):
            self.reports += self.observer.observe()
            self.clock.sleep_ms(10_000)
        return self

    def stop(self) -> list[UsageRecord]:
        self.reports += self.observer.observe() + self.observer.flush()
        return [each for report in self.reports for each in report.usage]


def length_ms(records: list[UsageRecord]) -> int:
    return sum(each.ended_at_ms - each.started_at_ms for each in records)


def test_a_scenario_is_metered_as_it_is_written() -> None:
    usage = Simulation(process(7, 0, 12)).run(15).stop()
    assert length_ms(usage) == 12 * MINUTE_MS
    assert sum(each.active or 0 for each in usage) == 500_000 * 12 * MINUTE_MS - 500_000 * 10_000
    assert {each.owner for each in usage} == {"k8s:team-a"}


def test_energy_of_a_scenario_is_power_times_time() -> None:
    simulation = Simulation(process(7, 0, 10)).run(20)
    simulation.stop()
    energy_mj = sum(each.energy_mj or 0 for report in simulation.reports for each in report.cards)
    assert energy_mj == 200_000 * 600 + 100_000 * 600  # 100 W idle, 300 W at 100 %: 200 W at 50 %


def test_a_step_of_the_wall_clock_neither_stretches_nor_repeats_what_is_held() -> None:
    for step_ms in (HOUR_MS, 30_000):
        simulation = Simulation(process(7, -60, 600)).run(10)
        simulation.clock.step_ms(step_ms)
        usage = simulation.run(10).stop()
        assert length_ms(usage) == 20 * MINUTE_MS
        starts = sorted((each.started_at_ms, each.ended_at_ms) for each in usage)
        assert all(a[1] <= b[0] for a, b in pairwise(starts))
        assert starts[-1][1] == T0 + 20 * MINUTE_MS + step_ms


def test_after_a_step_back_no_second_is_counted_more_than_once_by_the_union() -> None:
    simulation = Simulation(process(7, -600, 600)).run(10)
    simulation.clock.step_ms(-5 * MINUTE_MS)
    usage = simulation.run(10).stop()
    assert length_ms(usage) == 20 * MINUTE_MS
    assert max(each.ended_at_ms for each in usage) == T0 + 15 * MINUTE_MS


def test_a_slow_drift_is_followed_by_monotonic_time() -> None:
    simulation = Simulation(process(7, 0, 600)).run(1)
    simulation.clock.step_ms(900)
    assert length_ms(simulation.run(1).stop()) == 2 * MINUTE_MS


def test_a_late_attribution_is_sent_even_after_the_process_has_ended() -> None:
    late = process(7, 0, 5, known_from=from_ms(T0 + 8 * MINUTE_MS), unknown_reason="pod_pending")
    simulation = Simulation(late).run(12)
    usage = simulation.stop()
    assert {each.owner for each in usage} == {"unknown:pod_pending"}
    (attribution,) = [each for report in simulation.reports for each in report.attributions]
    assert (attribution.process, attribution.owner, attribution.workload) == (usage[0].process, "k8s:team-a", "job-7")


def test_an_answer_during_the_process_names_its_later_records_and_attributes_the_earlier() -> None:
    late = process(7, 0, 10, known_from=from_ms(T0 + 5 * MINUTE_MS), share=500)
    simulation = Simulation(late).run(12)
    usage = simulation.stop()
    assert length_ms([each for each in usage if each.owner == "unknown:pending"]) == 5 * MINUTE_MS
    assert length_ms([each for each in usage if each.owner == "k8s:team-a" and each.share == 500]) == 5 * MINUTE_MS
    assert len([each for report in simulation.reports for each in report.attributions]) == 1


def test_a_gap_of_nvml_is_bridged_or_not_by_its_length() -> None:
    short = Simulation(process(7, 0, 30), gaps=(gap(10, 13),)).run(30).stop()
    assert length_ms(short) == 30 * MINUTE_MS
    assert length_ms([each for each in short if each.bridged]) == 3 * MINUTE_MS + 10_000
    long = Simulation(process(7, 0, 30), gaps=(gap(10, 16),)).run(30).stop()
    assert length_ms(long) == 30 * MINUTE_MS - 6 * MINUTE_MS - 10_000


def test_a_fault_of_the_scenario_opens_and_closes() -> None:
    simulation = Simulation(process(7, 0, 30), faults=(fault(10, 12, "xid:79"),)).run(20)
    simulation.stop()
    faults = [each for report in simulation.reports for each in report.faults]
    assert [(each.opened_at_ms, each.closed_at_ms, each.reason) for each in faults] == [
        (T0 + 10 * MINUTE_MS, None, "xid:79"),
        (T0 + 10 * MINUTE_MS, T0 + 12 * MINUTE_MS, "xid:79"),
    ]


def test_a_crowded_node_sends_several_reports_that_the_wire_accepts() -> None:
    crowd = [process(pid, 0, 5, workload="w" * 250 + str(pid), command="c" * 200) for pid in range(1000, 2200)]
    simulation = Simulation(*crowd).run(2)
    usage = simulation.stop()
    assert length_ms(usage) == 1200 * 2 * MINUTE_MS
    for report in simulation.reports:
        assert len(report.usage) <= USAGE_ROWS_MAX
        assert len(report.processes) <= FACTS_MAX
        assert len(encode_packed(report)) < BODY_BYTES_MAX
    described = [each.process for report in simulation.reports for each in report.processes]
    assert len(described) == len(set(described)) == 1200


def test_an_identity_knows_whether_it_is_known() -> None:
    player = Simulation(process(7, 0, 5)).run(1)
    answer: Identity = player.machine.identify(7)
    assert not answer.is_unknown
