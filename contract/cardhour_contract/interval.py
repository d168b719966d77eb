"""Interval algebra on half-open ``[start_ms, end_ms)``: the arithmetic that usage rests on.

Union is idempotent, commutative and associative: an interval that arrives twice, late or out of order
cannot change a total. Owns plain intervals; rates, shares and owners are the ledger's business.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from cardhour_contract.errors import InvariantBroken


class Interval(NamedTuple):
    """Half-open ``[start_ms, end_ms)`` in UTC milliseconds. Build checked ones with ``interval``."""

    start_ms: int
    end_ms: int

    @property
    def length_ms(self) -> int:
        return self.end_ms - self.start_ms


def interval(start_ms: int, end_ms: int) -> Interval:
    """An interval that is known to run forward; an empty one (start = end) is allowed."""
    if end_ms < start_ms:
        raise InvariantBroken(f"an interval ends ({end_ms}) before it starts ({start_ms})")
    return Interval(start_ms, end_ms)


def union(intervals: Iterable[Interval]) -> list[Interval]:
    """The fewest disjoint intervals, in order, that cover the same instants. Touching ones join; empty ones vanish."""
    joined: list[Interval] = []
    for start_ms, end_ms in sorted(each for each in intervals if each.end_ms > each.start_ms):
        if joined and start_ms <= joined[-1].end_ms:
            joined[-1] = Interval(joined[-1].start_ms, max(joined[-1].end_ms, end_ms))
        else:
            joined.append(Interval(start_ms, end_ms))
    return joined


def union_ms(intervals: Iterable[Interval]) -> int:
    """Length of the union, in milliseconds: the only way anything held is ever counted."""
    return sum(each.length_ms for each in union(intervals))


def intersect(intervals: Iterable[Interval], window: Interval) -> list[Interval]:
    """The parts that lie in ``window``; empty parts are left out."""
    clipped = (Interval(max(a, window.start_ms), min(b, window.end_ms)) for a, b in intervals)
    return [each for each in clipped if each.end_ms > each.start_ms]


def subtract(intervals: Iterable[Interval], holes: Iterable[Interval]) -> list[Interval]:
    """The instants of ``intervals`` that lie in none of ``holes``, as disjoint intervals in order."""
    rest: list[Interval] = []
    gaps = union(holes)
    for start_ms, end_ms in union(intervals):
        at_ms = start_ms
        for hole in gaps:
            if hole.end_ms <= at_ms or hole.start_ms >= end_ms:
                continue
            if hole.start_ms > at_ms:
                rest.append(Interval(at_ms, hole.start_ms))
            at_ms = hole.end_ms
        if at_ms < end_ms:
            rest.append(Interval(at_ms, end_ms))
    return rest


def split(whole: Interval, step_ms: int) -> Iterator[Interval]:
    """``whole`` cut at every multiple of ``step_ms`` from the epoch; the parts touch and add up to it."""
    at_ms = whole.start_ms
    while at_ms < whole.end_ms:
        cut_ms = min(whole.end_ms, at_ms - at_ms % step_ms + step_ms)
        yield Interval(at_ms, cut_ms)
        at_ms = cut_ms
