"""A hung driver under the whole agent: the time around the hang is what samples prove, to the millisecond."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from cardhour_contract.interval import Interval, union
from cardhour_contract.record import CardRecord, CardState, UsageRecord
from tests.agent.stub_driver import StubDriver
from tests.agent.test_command import stop
from tests.agent.watched_agent import cards, reports
from tests.services.waiting import PATIENCE_S, wait_until

SAMPLE_MS = 1000
"""The agents here take a sample a second, on a machine that lets them."""


@pytest.fixture
def tenant() -> Iterator[subprocess.Popen[bytes]]:
    """A process that holds the first card as long as the test lasts."""
    process = subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE)
    yield process
    process.communicate(timeout=PATIENCE_S)


def usage(home: Path, pid: int) -> list[UsageRecord]:
    told = reports(home)
    (key,) = {each.process for report in told for each in report.processes if each.pid == pid}
    return [each for report in told for each in report.usage if each.process == key]


def spans(records: Iterable[CardRecord | UsageRecord]) -> list[Interval]:
    return union(Interval(each.started_at_ms, each.ended_at_ms) for each in records)


@pytest.mark.parametrize(("trouble", "bridge_max_s"), [("hang", "0"), ("stuck", "300"), ("abort", "300")])
def test_time_around_a_hang_is_exactly_what_samples_prove(
    tmp_path: Path,
    driver: StubDriver,
    tenant: subprocess.Popen[bytes],
    agent: Callable[..., subprocess.Popen[str]],
    trouble: str,
    bridge_max_s: str,
) -> None:
    driver.now("well", tenant=tenant.pid)
    process = agent(CARDHOUR_AGENT_BRIDGE_MAX_S=bridge_max_s)
    wait_until(lambda: len(cards(tmp_path, CardState.OBSERVED)) >= 2)
    driver.now(trouble)
    wait_until(lambda: len(cards(tmp_path, CardState.NVML_FAILED)) >= 2)
    driver.now("well")
    failed_ms = max(each.ended_at_ms for each in cards(tmp_path, CardState.NVML_FAILED))
    wait_until(lambda: any(each.started_at_ms > failed_ms for each in cards(tmp_path, CardState.OBSERVED)))
    stop(process)

    observed, failed = cards(tmp_path, CardState.OBSERVED), cards(tmp_path, CardState.NVML_FAILED)
    held = usage(tmp_path, tenant.pid)
    told = spans([*observed, *failed])
    missed = [Interval(before.end_ms, after.start_ms) for before, after in pairwise(told)]
    assert all(each.length_ms > 2 * SAMPLE_MS for each in missed), "only where no sample was taken, time is untold"
    told_ms = sum(each.ended_at_ms - each.started_at_ms for each in (*observed, *failed))
    assert told_ms == sum(each.length_ms for each in told), "no time is told as both"
    assert spans(each for each in held if not each.bridged) == spans(observed)
    bridged = union([*spans(failed), *missed]) if bridge_max_s == "300" else []
    assert spans(each for each in held if each.bridged) == bridged
    assert all(each.active is None and each.memory is None for each in held if each.bridged)


def test_a_tenant_that_leaves_during_the_hang_held_the_card_until_its_exit_at_most_to_the_next_sample(
    tmp_path: Path, driver: StubDriver, agent: Callable[..., subprocess.Popen[str]]
) -> None:
    tenant = subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE)
    driver.now("well", tenant=tenant.pid)
    process = agent()
    wait_until(lambda: len(cards(tmp_path, CardState.OBSERVED)) >= 2)
    driver.now("hang")
    wait_until(lambda: len(cards(tmp_path, CardState.NVML_FAILED)) >= 2)
    tenant.communicate(timeout=PATIENCE_S)
    driver.now("well", tenant=os.getpid())
    failed_ms = max(each.ended_at_ms for each in cards(tmp_path, CardState.NVML_FAILED))
    wait_until(lambda: any(each.started_at_ms > failed_ms for each in cards(tmp_path, CardState.OBSERVED)))
    stop(process)

    seen = spans(cards(tmp_path, CardState.OBSERVED))
    (held,) = spans(usage(tmp_path, tenant.pid))
    assert held.start_ms == seen[0].start_ms
    before = [each for each in seen if each.end_ms <= failed_ms][-1]
    assert before.end_ms <= held.end_ms <= before.end_ms + SAMPLE_MS, "two failed samples cannot prove more"
