"""However samples and boundaries fall, the records of a process are exactly the time that samples prove."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from cardhour_agent.sampler import Policy
from cardhour_contract.interval import Interval, union
from cardhour_contract.moment import QUARTER_MS
from tests.agent.watch import T0, Watch, held, identity

ALICE = identity("alice")

steps_ms = st.lists(st.integers(1, 300_000), min_size=1, max_size=40)
reports_ms = st.sampled_from([1_000, 30_000, 60_000, 300_000, 900_000])
offsets_ms = st.integers(0, QUARTER_MS)


def watch_steps(policy: Policy, offset_ms: int, steps: list[int], fail: list[bool], restart_at: int | None) -> Watch:
    """Samples at ``offset_ms`` and after each step; some fail; after one of them the agent is stopped and started."""
    watch = Watch(policy)
    at_ms = offset_ms
    watch.sees(at_ms / 1000, held(ALICE))
    for index, step_ms in enumerate(steps):
        at_ms += step_ms
        if fail[index % len(fail)] and index < len(steps) - 1:
            watch.fails(at_ms / 1000)
        else:
            watch.sees(at_ms / 1000, held(ALICE))
        if index == restart_at:
            batches = watch.ends().batches
            watch = watch.restarts(policy)
            watch.batches = batches
    return watch.ends()


@given(steps=steps_ms, report_ms=reports_ms, offset_ms=offsets_ms)
def test_the_union_of_records_is_first_seen_to_last_seen(steps: list[int], report_ms: int, offset_ms: int) -> None:
    watch = watch_steps(Policy(report_ms=report_ms), offset_ms, steps, [False], None)
    first_ms, last_ms = T0 + offset_ms, T0 + offset_ms + sum(steps)
    records = [Interval(each.started_at_ms, each.ended_at_ms) for each in watch.usage]
    assert union(records) == [Interval(first_ms, last_ms)]
    assert sum(each.length_ms for each in records) == last_ms - first_ms, "records of one process overlap"
    assert all(each.start_ms // QUARTER_MS == (each.end_ms - 1) // QUARTER_MS for each in records)


@given(steps=steps_ms, fail=st.lists(st.booleans(), min_size=1, max_size=7), offset_ms=offsets_ms)
def test_a_gap_is_held_exactly_where_it_can_be_bridged(steps: list[int], fail: list[bool], offset_ms: int) -> None:
    watch = watch_steps(Policy(), offset_ms, steps, fail, None)
    seen_ms = [T0 + offset_ms]
    at_ms = T0 + offset_ms
    for index, step_ms in enumerate(steps):
        at_ms += step_ms
        if not (fail[index % len(fail)] and index < len(steps) - 1):
            seen_ms.append(at_ms)
    proven = union(Interval(a, b) for a, b in pairwise(seen_ms) if b - a <= 300_000)
    assert union(Interval(each.started_at_ms, each.ended_at_ms) for each in watch.usage) == proven


@given(steps=steps_ms, offset_ms=offsets_ms, restart_at=st.integers(0, 39))
def test_a_restart_changes_no_held_time(steps: list[int], offset_ms: int, restart_at: int) -> None:
    watch = watch_steps(Policy(), offset_ms, steps, [False], restart_at)
    assert union(Interval(each.started_at_ms, each.ended_at_ms) for each in watch.usage) == [
        Interval(T0 + offset_ms, T0 + offset_ms + sum(steps))
    ]


@given(steps=st.lists(st.integers(1, 20_000), min_size=1, max_size=60), report_ms=reports_ms, offset_ms=offsets_ms)
def test_integrals_do_not_depend_on_where_records_are_cut(steps: list[int], report_ms: int, offset_ms: int) -> None:
    watch = watch_steps(Policy(report_ms=report_ms), offset_ms, steps, [False], None)
    assert sum(each.active or 0 for each in watch.usage) == 500_000 * sum(steps)
    assert sum(each.memory or 0 for each in watch.usage) == 1000 * sum(steps)


@given(steps=steps_ms, report_ms=reports_ms, offset_ms=offsets_ms)
def test_reports_follow_each_other_and_hold_their_records(steps: list[int], report_ms: int, offset_ms: int) -> None:
    watch = watch_steps(Policy(report_ms=report_ms), offset_ms, steps, [False], None)
    assert all(a.ended_at_ms == b.started_at_ms for a, b in pairwise(watch.batches))
    for batch in watch.batches:
        ends_ms = [each.ended_at_ms for each in batch.usage] + [each.ended_at_ms for each in batch.cards]
        assert all(end_ms <= batch.ended_at_ms for end_ms in ends_ms)
    for batch in watch.batches[:-1]:
        assert batch.ended_at_ms % report_ms == 0
