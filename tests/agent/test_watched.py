"""A driver that hangs, crashes or is replaced, with real processes: no reading waits for it, and none is a zero."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from cardhour_agent.device import NodeReading
from cardhour_agent.nvml import watched
from cardhour_agent.nvml.watched import BACK_OFF_MS_MAX, STEADY_MS, UNENDED_MAX, WatchedNvml
from cardhour_contract.clock import SystemClock
from tests.agent.stub_driver import StubDriver
from tests.services.waiting import PATIENCE_MS, PATIENCE_S, wait_for_end

TIMEOUT_MS = 500

PATIENCE = 360
"""Instead of the product's six: a child has minutes to start, and only a clock that is moved on makes one hopeless."""

PTRACE_SEIZE = 0x4206


class SkippingClock(SystemClock):
    """The machine's clock, with pauses that nobody needs to sit through."""

    skipped_ms = 0
    stood_ms: int | None = None

    def stand(self) -> None:
        """From here on, only pauses that are skipped pass."""
        self.stood_ms = super().monotonic_ms()

    def monotonic_ms(self) -> int:
        return (super().monotonic_ms() if self.stood_ms is None else self.stood_ms) + self.skipped_ms


@pytest.fixture
def clock() -> SkippingClock:
    return SkippingClock()


@contextmanager
def watching(driver: StubDriver, clock: SkippingClock, timeout_ms: int) -> Iterator[WatchedNvml]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in driver.environment.items():
            patch.setenv(name, value)
        patch.setattr(watched, "PATIENCE", PATIENCE)
        for wait in ("STOP_S", "CRASH_S"):
            patch.setattr(watched, wait, PATIENCE_S)
        device = WatchedNvml(clock, timeout_ms)
        yield device
        device.close()
        assert device.unended == []


@pytest.fixture
def nvml(driver: StubDriver, clock: SkippingClock) -> Iterator[WatchedNvml]:
    """Gives up soon, for tests that wait until it does."""
    with watching(driver, clock, TIMEOUT_MS) as device:
        yield device


@pytest.fixture
def patient(driver: StubDriver, clock: SkippingClock) -> Iterator[WatchedNvml]:
    """Gives a child all the time it takes, for tests in which nothing hangs; its own time stands still."""
    clock.stand()
    with watching(driver, clock, PATIENCE_MS) as device:
        yield device


def pids(reading: NodeReading) -> set[int]:
    return {each.pid for card in reading.readings for each in card.processes}


def reason(reading: NodeReading) -> str:
    assert reading.failure is not None
    assert (reading.cards, reading.readings) == ((), ())
    return reading.failure.reason


def child_pid(nvml: WatchedNvml) -> int:
    (pid,) = _children(os.getpid()) - {each.pid for each in nvml.unended}
    return pid


def _children(pid: int) -> set[int]:
    return {
        int(stat.parent.name)
        for stat in Path("/proc").glob("[0-9]*/stat")
        if (text := _text(stat)) and int(text.rpartition(")")[2].split()[1]) == pid and "nvml.child" in _line(stat)
    }


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:  # it ended while /proc was listed
        return ""


def _line(stat: Path) -> str:
    return _text(stat.with_name("cmdline"))


def read_until_decided(nvml: WatchedNvml) -> NodeReading:
    """On a busy machine a child may take longer to start than the short timeout of these tests."""
    for _ in range(PATIENCE):
        reading = nvml.read()
        if reading.failure is None or reading.failure.reason != "nvml_hung":
            return reading
    raise AssertionError(f"nothing but: {reading.failure}")


def test_a_reading_comes_from_a_process_of_its_own(nvml: WatchedNvml) -> None:
    reading = nvml.read()
    assert [each.card for each in reading.cards] == ["GPU-0", "GPU-1"]
    assert pids(reading) == {100, 200}
    assert pids(read_until_decided(nvml)) == {100, 200}
    assert nvml.starts == 1


def test_a_stop_ends_the_child_by_itself(nvml: WatchedNvml) -> None:
    nvml.read()
    pid = child_pid(nvml)
    nvml.close()
    wait_for_end(pid)
    assert _children(os.getpid()) == set()


def test_a_hang_is_a_failed_reading_in_time_and_an_answer_that_comes_late_is_not_the_next_ones(
    nvml: WatchedNvml, driver: StubDriver, clock: SkippingClock
) -> None:
    nvml.read()
    driver.now("hang", tenant=101)
    asked_ms = clock.monotonic_ms()
    assert reason(nvml.read()) == "nvml_hung"
    assert TIMEOUT_MS <= clock.monotonic_ms() - asked_ms < TIMEOUT_MS * PATIENCE
    # The answer to the question above would tell of pid 101.
    driver.now("hang", tenant=102)
    assert reason(nvml.read()) == "nvml_hung"
    driver.now("well", tenant=103)
    assert pids(read_until_decided(nvml)) == {103, 200}
    assert nvml.starts == 1, "a driver that was slow once is no reason for a new process"


def test_a_child_that_stays_stuck_is_replaced(nvml: WatchedNvml, driver: StubDriver, clock: SkippingClock) -> None:
    nvml.read()
    clock.stand()
    stuck = child_pid(nvml)
    driver.now("stuck")
    assert reason(nvml.read()) == "nvml_hung"
    clock.skipped_ms += PATIENCE * TIMEOUT_MS
    assert reason(nvml.read()) == "nvml_hung"
    wait_for_end(stuck)
    driver.now("well")
    assert reason(nvml.read()) == "nvml_hung", "there is a pause before the next attempt"
    clock.skipped_ms += 1000
    assert pids(read_until_decided(nvml)) == {100, 200}
    assert nvml.starts == 2


def test_a_child_that_cannot_be_killed_blocks_nobody(
    nvml: WatchedNvml, driver: StubDriver, clock: SkippingClock
) -> None:
    """A traced process does not end for its parent before its tracer agrees: so it stands in for one in state D."""
    nvml.read()
    stuck = child_pid(nvml)
    driver.now("stuck")
    with tracing(stuck):
        clock.skipped_ms += 1
        assert reason(nvml.read()) == "nvml_hung"
        clock.skipped_ms += PATIENCE * TIMEOUT_MS
        asked_ms = clock.monotonic_ms()
        assert reason(nvml.read()) == "nvml_hung"
        assert clock.monotonic_ms() - asked_ms < TIMEOUT_MS * PATIENCE
        driver.now("well")
        clock.skipped_ms += 1000
        assert pids(read_until_decided(nvml)) == {100, 200}
        assert stuck in {each.pid for each in nvml.unended}
    wait_for_end(stuck)
    nvml.read()
    assert nvml.unended == []


@contextmanager
def tracing(pid: int) -> Iterator[None]:
    """Another process traces this one meanwhile."""
    program = (
        "import ctypes, sys; trace = ctypes.CDLL(None).ptrace;"
        "trace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p];"
        f"print(trace({PTRACE_SEIZE}, {pid}, None, None), flush=True); sys.stdin.read()"
    )
    tracer = subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert tracer.stdout is not None
    assert tracer.stdout.readline() == "0\n"
    try:
        yield
    finally:
        tracer.communicate(timeout=PATIENCE_S)


def test_no_more_than_a_few_stuck_processes_are_ever_left_behind(
    nvml: WatchedNvml, driver: StubDriver, clock: SkippingClock
) -> None:
    nvml.read()
    driver.now("stuck")
    with ExitStack() as held:
        for _ in range(UNENDED_MAX):
            nvml.read()
            held.enter_context(tracing(child_pid(nvml)))
            clock.skipped_ms += PATIENCE * TIMEOUT_MS
            nvml.read()
            clock.skipped_ms += BACK_OFF_MS_MAX
        reading = nvml.read()
        assert reading.failure is not None and "stuck in the driver" in reading.failure.detail
        assert nvml.starts == UNENDED_MAX


def test_a_crash_is_told_with_its_signal_and_each_pause_is_twice_the_last(
    patient: WatchedNvml, driver: StubDriver, clock: SkippingClock
) -> None:
    patient.read()
    driver.now("abort")
    first = read_until_decided(patient)
    assert reason(first) == "nvml_crashed"
    assert first.failure is not None and first.failure.detail == f"ended by {signal.SIGABRT.name}"
    for pause_ms in (1000, 2000, 4000):
        clock.skipped_ms += pause_ms - 1
        starts = patient.starts
        assert reason(patient.read()) == "nvml_crashed"
        assert patient.starts == starts, "too early"
        clock.skipped_ms += 1
        assert reason(read_until_decided(patient)) == "nvml_crashed"
        assert patient.starts == starts + 1
    driver.now("well")
    clock.skipped_ms += BACK_OFF_MS_MAX
    read_until_decided(patient)
    clock.skipped_ms += STEADY_MS
    assert pids(patient.read()) == {100, 200}
    driver.now("abort")
    assert reason(read_until_decided(patient)) == "nvml_crashed"
    clock.skipped_ms += 1000
    driver.now("well")
    assert pids(read_until_decided(patient)) == {100, 200}, "the pause is short again"


def test_an_upgraded_driver_gets_a_process_that_loads_its_library(
    patient: WatchedNvml, driver: StubDriver, clock: SkippingClock
) -> None:
    patient.read()
    driver.now("upgraded")
    assert reason(read_until_decided(patient)) == "driver_replaced"
    clock.skipped_ms += 1000
    assert pids(read_until_decided(patient)) == {100, 200}
    assert patient.starts == 2


AGENT = """
import sys
from cardhour_agent import logs
from cardhour_agent.nvml.watched import WatchedNvml
from cardhour_contract.clock import SystemClock
logs.configure()
nvml = WatchedNvml(SystemClock(), 10_000)
nvml.read()
print("read", flush=True)
sys.stdin.readline()
nvml.read()
"""


def test_a_killed_agent_leaves_no_child_behind_even_in_the_driver(driver: StubDriver) -> None:
    agent = subprocess.Popen(
        [sys.executable, "-c", AGENT],
        env={**os.environ, **driver.environment},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert agent.stdin is not None and agent.stdout is not None
    assert agent.stdout.readline() == "read\n"
    (child,) = _children(agent.pid)
    driver.now("stuck")
    agent.stdin.write("again\n")
    agent.stdin.flush()
    agent.kill()
    agent.communicate()
    wait_for_end(child)
