"""The exact sums behind a page.

Owns how sums are kept and floored. Does not own what is added.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from fractions import Fraction
from math import prod
from typing import NamedTuple

from tests.ledger.page import QUARTERS


class Key(NamedTuple):
    """Whose sum it is; without a workload, the owner's."""

    quarter: int
    node: str
    owner: str
    workload: str | None = None


class FlooredOnce:
    """Exact sums, one for each key and denominator; each is floored once, so that no cut of time shows.

    A denominator may have factors, as a workload's has (its owner's, the shares in the owner): sums with equal
    products but other factors stay apart. Else the floors of an owner's workloads could add up to more than its own.
    """

    def __init__(self) -> None:
        self._sums: defaultdict[Key, Counter[tuple[int, ...]]] = defaultdict(Counter)

    def add(self, key: Key, numerator: int, *denominator: int) -> None:
        self._sums[key][denominator] += numerator

    def floored(self, key: Key) -> int:
        return sum(numerator // prod(denominator) for denominator, numerator in self._sums[key].items())

    def exact(self, key: Key) -> Fraction:
        return sum((Fraction(numerator, prod(each)) for each, numerator in self._sums[key].items()), Fraction(0))


class Sums:
    """The running sums of one page."""

    def __init__(self) -> None:
        self.held_us: Counter[Key] = Counter()
        self.bridged_us: Counter[Key] = Counter()
        self.measured_us: Counter[Key] = Counter()
        self.billable = FlooredOnce()
        self.active = FlooredOnce()
        self.memory = FlooredOnce()
        self.idle_us = [Fraction(0)] * QUARTERS
        self.faulted_us = [0] * QUARTERS
        self.unobserved_us: Counter[tuple[int, str]] = Counter()
