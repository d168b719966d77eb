"""Accounting mode: what the driver noted between two readings, through the true ctypes path and up to a record."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from cardhour_agent.device import EndedProcess, ProcessReading, UseCounter
from cardhour_agent.nvml.watched import WatchedNvml
from cardhour_contract.clock import SystemClock
from cardhour_contract.interval import Interval, union
from cardhour_contract.record import CardState
from tests.agent.stub_driver import StubDriver
from tests.agent.test_command import stop
from tests.agent.test_nvml import card, read_nvml
from tests.agent.watched_agent import cards, reports
from tests.services.waiting import wait_until

READING_US = 600_000
"""Longer than the agent waits for a reading: half of a second between two samples."""


def ended(library: Path, word: str) -> dict[int, EndedProcess]:
    (reading,) = read_nvml(library, word)
    assert card(reading, "GPU-1").ended == ()
    return {each.pid: each for each in card(reading, "GPU-0").ended}


def counter(process: ProcessReading) -> UseCounter:
    assert process.counter is not None
    return process.counter


@pytest.mark.parametrize(("word", "sm"), [("accounting", 302_500), ("accounting_v1", 300_000)])
def test_ended_processes_are_told_with_their_times_and_use(stub_libraries: dict[str, Path], word: str, sm: int) -> None:
    told = ended(stub_libraries["current"], word)
    # The tenant runs (its time is 0 meanwhile), and 500 ended before it had any.
    assert set(told) == {400, 600}
    assert (told[400].lived_ms, told[400].sm) == (1500, sm)
    assert abs(told[400].start_us - (time.time_ns() // 1000 - 5_000_000)) < 60_000_000
    assert told[600].sm is None, "0xFFFFFFFF is not measured, and not a hundred percent"


def test_without_accounting_mode_nothing_is_asked(stub_libraries: dict[str, Path]) -> None:
    assert ended(stub_libraries["current"], "") == {}


def test_a_gpu_that_is_cut_into_instances_has_no_accounting(stub_libraries: dict[str, Path]) -> None:
    _, cut = read_nvml(stub_libraries["current"], "accounting", "mig")
    assert all(each.ended == () for each in cut.readings)


def test_counters_of_use_go_on_between_readings(stub_libraries: dict[str, Path]) -> None:
    first, second = read_nvml(stub_libraries["current"], "accounting", "accounting")
    before, after = (next(each for each in card(r, "GPU-0").processes if each.pid == 100) for r in (first, second))
    assert counter(after).samples - counter(before).samples == 10
    assert counter(after).sm_sum - counter(before).sm_sum == 10 * 702_500
    (old,) = read_nvml(stub_libraries["current"], "accounting_v1")
    assert [each.counter for each in card(old, "GPU-0").processes] == [None, None]


def test_a_full_buffer_is_read_in_a_few_readings(stub_libraries: dict[str, Path]) -> None:
    readings = read_nvml(stub_libraries["current"], *["accounting_full"] * 7)
    told = [len(card(each, "GPU-0").ended) for each in readings]
    assert 480 <= told[0] <= 500
    assert told[-1] == 2996 + 2


def test_a_pid_that_lived_and_ended_again_is_noticed(driver: StubDriver, monkeypatch: pytest.MonkeyPatch) -> None:
    """The driver answers for the later of two processes with one pid."""
    for name, value in driver.environment.items():
        monkeypatch.setenv(name, value)
    now_us = time.time_ns() // 1000
    nvml = WatchedNvml(SystemClock(), 10_000)
    for start_us in (now_us, now_us + 1_000_000):
        driver.now("accounting", ended=(400, start_us, 70))
        first = next(each for each in card(nvml.read(), "GPU-0").ended if each.pid == 400)
        assert (first.start_us, first.lived_ms) == (start_us, 70)
    nvml.close()


def test_a_process_between_two_samples_is_billed_to_the_millisecond(
    tmp_path: Path, driver: StubDriver, agent: Callable[..., subprocess.Popen[str]]
) -> None:
    driver.now("accounting")
    process = agent()
    wait_until(lambda: len(cards(tmp_path, CardState.OBSERVED)) >= 2)
    driver.now("hang")
    truth = subprocess.run(
        [sys.executable, "-c", "import os, time; print(os.getpid(), time.time_ns() // 1000)"],
        capture_output=True,
        text=True,
        check=True,
    )
    pid, start_us = (int(word) for word in truth.stdout.split())
    # Until the driver has noted it, and no reading from before that is under way, no sample succeeds.
    wait_until(lambda: time.time_ns() // 1000 >= start_us + 123_000 + READING_US)
    driver.now("accounting", ended=(pid, start_us, 123))
    wait_until(lambda: any(each.pid == pid for report in reports(tmp_path) for each in report.processes))
    seen = len(cards(tmp_path, CardState.OBSERVED))
    wait_until(lambda: len(cards(tmp_path, CardState.OBSERVED)) >= seen + 2)
    stop(process)

    told = reports(tmp_path)
    (described,) = [each for report in told for each in report.processes if each.pid == pid]
    records = [each for report in told for each in report.usage if each.process == described.process]
    assert described.start_ticks == 0
    # One record, or two where a report boundary lies between: the driver told of it in every reading since.
    # The axis and the record each take whole milliseconds of a clock: the length is exact, the place within two.
    assert abs(records[0].started_at_ms * 1000 - start_us) < 2_000
    (lived,) = union(Interval(each.started_at_ms, each.ended_at_ms) for each in records)
    assert lived.length_ms == 123
    assert sum(each.active or 0 for each in records) == 123 * 302_500
    assert {(each.owner, each.memory, each.bridged) for each in records} == {("unknown:exited", None, False)}
