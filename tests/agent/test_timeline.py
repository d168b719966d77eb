"""Sample times: anchored, monotonic from there."""

from __future__ import annotations

import pytest

from cardhour_agent.timeline import Timeline
from cardhour_contract.clock import VirtualClock


@pytest.mark.parametrize("step_ms", [-3_600_000, -1_001, 1_001, 86_400_000])
def test_a_step_starts_a_new_anchor_and_the_old_one_ends_by_monotonic_time(step_ms: int) -> None:
    clock = VirtualClock(1_000_000_000)
    timeline = Timeline(clock)
    timeline.tick()
    clock.sleep_ms(10_000)
    clock.step_ms(step_ms)
    stepped = timeline.tick()
    assert (stepped.at_ms, stepped.restart_at_ms) == (1_000_010_000, 1_000_010_000 + step_ms)
    clock.sleep_ms(10_000)
    after = timeline.tick()
    assert (after.at_ms, after.restart_at_ms) == (1_000_020_000 + step_ms, None)


@pytest.mark.parametrize("step_ms", [-1_000, 0, 1_000])
def test_up_to_a_second_of_drift_is_no_step(step_ms: int) -> None:
    clock = VirtualClock(1_000_000_000)
    timeline = Timeline(clock)
    timeline.tick()
    clock.sleep_ms(10_000)
    clock.step_ms(step_ms)
    assert timeline.tick()[:2] == (1_000_010_000, None)


def test_the_next_sample_falls_on_a_multiple_of_the_interval_also_after_a_slow_one_and_a_step() -> None:
    clock = VirtualClock(1_000_003_000)
    timeline = Timeline(clock)
    tick = timeline.tick()
    assert tick.until_due_ms(clock.monotonic_ms(), 10_000) == 7_000
    clock.sleep_ms(9_000)  # a slow sample, past its successor's time
    assert tick.until_due_ms(clock.monotonic_ms(), 10_000) == 8_000
    clock.step_ms(3_604_000)
    assert tick.until_due_ms(clock.monotonic_ms(), 10_000) == 8_000
    stepped = timeline.tick()
    assert stepped.restart_at_ms == 1_003_616_000, "the step is still told to the sample that comes after it"
    assert stepped.until_due_ms(clock.monotonic_ms(), 10_000) == 4_000
