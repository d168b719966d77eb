"""Simulates a node over a span of time into a spool, as fast as the machine allows.

Owns the virtual loop and its group commits. Everything between the scenario and the spool is what a real node runs.
"""

from __future__ import annotations

from pathlib import Path

from msgspec import Struct

from cardhour_agent.observer import Observer
from cardhour_agent.outbox import entry_of
from cardhour_agent.sampler import Policy, Sampler
from cardhour_agent.scenario import Scenario
from cardhour_agent.simulated import SimulatedMachine
from cardhour_agent.timeline import Timeline
from cardhour_contract.clock import VirtualClock
from cardhour_contract.spool import BYTES_MAX, Entry, Spool

GROUP_REPORTS = 1000
"""Reports a commit: about 2 MB, so that the disk's commit time vanishes and memory stays small."""


class Simulated(Struct, frozen=True, kw_only=True):
    """What a simulation put into the spool."""

    reports: int
    usage_records: int
    last_sequence: int


def simulate(
    scenario: Scenario,
    node: str,
    from_ms: int,
    to_ms: int,
    spool: Path,
    *,
    policy: Policy | None = None,
    spool_bytes_max: int = BYTES_MAX,
) -> Simulated:
    """Sample ``node`` from ``from_ms`` to ``to_ms``, both included, and append its reports to the spool at ``spool``.

    Samples are taken at ``from_ms`` and every ``policy.sample_ms`` (default: a report interval) after it, and at
    ``to_ms``. Raises Refuse for an unknown node and SpoolFull when the limit is reached.
    """
    policy = policy or Policy(sample_ms=60_000)
    clock = VirtualClock(from_ms)
    machine = SimulatedMachine(scenario, node, clock)
    observer = Observer(machine.name, machine, machine, Sampler(policy), Timeline(clock))
    reports = usage_records = last_sequence = 0
    group: list[Entry] = []
    with Spool(spool, bytes_max=spool_bytes_max) as queue:
        while True:
            made = observer.observe()
            finished = clock.now_ms() >= to_ms
            if finished:
                made += observer.flush()
            for each in made:
                usage_records += len(each.usage)
                group.append(entry_of(each))
            if len(group) >= GROUP_REPORTS or finished:
                last_sequence = queue.append(group)
                reports += len(group)
                group.clear()
            if finished:
                return Simulated(reports=reports, usage_records=usage_records, last_sequence=last_sequence)
            clock.sleep_ms(min(policy.sample_ms, to_ms - clock.now_ms()))
