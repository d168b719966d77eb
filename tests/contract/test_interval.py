"""Intervals: a union that no repetition, order or cut can change."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cardhour_contract.errors import InvariantBroken
from cardhour_contract.interval import Interval, intersect, interval, split, subtract, union, union_ms

LAST = 60
"""Instants in the generated cases: few, so that intervals often touch, nest and repeat."""

times = st.integers(0, LAST)
intervals = st.lists(st.tuples(times, times).map(lambda ends: Interval(min(ends), max(ends))), max_size=12)


def instants(each: list[Interval]) -> set[int]:
    """What the intervals cover, by listing it: the definition that the fast code must agree with."""
    return {at for start, end in each for at in range(start, end)}


@given(intervals)
def test_a_union_covers_the_same_instants_in_disjoint_intervals_in_order(given_: list[Interval]) -> None:
    joined = union(given_)
    assert instants(joined) == instants(given_)
    assert all(before.end_ms < after.start_ms for before, after in pairwise(joined))
    assert all(each.length_ms > 0 for each in joined)


@given(intervals, intervals, intervals)
def test_the_order_and_grouping_of_arrivals_cannot_matter(
    a: list[Interval], b: list[Interval], c: list[Interval]
) -> None:
    assert union(union(a + b) + c) == union(a + union(b + c)) == union(c + a + b)


@given(intervals)
def test_arriving_twice_changes_nothing(given_: list[Interval]) -> None:
    assert union(given_ + given_) == union(given_)
    assert union_ms(given_ * 3) == union_ms(given_) == len(instants(given_))


@given(intervals, intervals)
def test_what_is_subtracted_and_what_is_left_make_the_whole(whole: list[Interval], holes: list[Interval]) -> None:
    rest = subtract(whole, holes)
    assert instants(rest) == instants(whole) - instants(holes)
    assert rest == union(rest)


@given(intervals, times, times)
def test_a_window_keeps_only_what_lies_in_it(given_: list[Interval], one: int, other: int) -> None:
    window = Interval(min(one, other), max(one, other))
    assert instants(intersect(given_, window)) == instants(given_) & instants([window])


@given(times, times, st.integers(1, 17))
def test_the_parts_of_a_split_touch_and_add_up(start: int, length: int, step: int) -> None:
    whole = Interval(start, start + length)
    parts = list(split(whole, step))
    assert sum(each.length_ms for each in parts) == whole.length_ms
    assert union(parts) == union([whole])
    assert all(each.start_ms // step == (each.end_ms - 1) // step for each in parts)


def test_an_interval_that_runs_backwards_is_a_broken_program() -> None:
    assert interval(5, 5).length_ms == 0
    with pytest.raises(InvariantBroken, match=r"ends \(4\) before it starts \(5\)"):
        interval(5, 4)
