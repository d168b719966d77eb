"""A hung driver under the whole agent: the time around the hang is what samples prove, to the millisecond."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest

from cardhour_contract.interval import Interval, union
from cardhour_contract.record import CardRecord, CardState, UsageRecord
from tests.agent.stub_driver import StubDriver
from tests.agent.test_command import stop
from tests.agent.waiting import wait_until
from tests.agent.watched_agent import cards, reports


@pytest.fixture
def tenant() -> Iterator[subprocess.Popen[bytes]]:
    """A process that holds the first card as long as the test lasts."""
    process = subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE)
    yield process
    process.communicate(timeout=30)


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
    assert len(spans([*observed, *failed])) == 1, "no time is untold, and no time is told as both"
    told_ms = sum(each.ended_at_ms - each.started_at_ms for each in (*observed, *failed))
    assert told_ms == sum(each.end_ms - each.start_ms for each in spans([*observed, *failed]))
    assert spans(each for each in held if not each.bridged) == spans(observed)
    assert spans(each for each in held if each.bridged) == (spans(failed) if bridge_max_s == "300" else [])
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
    tenant.communicate(timeout=30)
    driver.now("well", tenant=os.getpid())
    failed_ms = max(each.ended_at_ms for each in cards(tmp_path, CardState.NVML_FAILED))
    wait_until(lambda: any(each.started_at_ms > failed_ms for each in cards(tmp_path, CardState.OBSERVED)))
    stop(process)

    before = spans(cards(tmp_path, CardState.OBSERVED))[0]
    (held,) = spans(usage(tmp_path, tenant.pid))
    assert held.start_ms == before.start_ms
    assert before.end_ms <= held.end_ms <= before.end_ms + 1000, "two failed samples cannot prove more"
