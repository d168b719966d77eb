"""The same facts sent differently, which must change no page.

Owns how rows are cut, repeated and shuffled. Does not own the facts (``fleet``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from math import gcd, lcm
from random import Random
from typing import TypeVar

from hypothesis import strategies as st

from tests.ledger.facts import Facts, UsageRow

Row = TypeVar("Row")


def resent(facts: Facts) -> st.SearchStrategy[Facts]:
    """The same facts sent differently: cut where the parts are exact, repeated, and in another order.

    One seed decides all of it: choices for each of a thousand rows would outweigh those of the fleet itself.
    """
    return st.builds(_resent, st.just(facts), st.integers(0, 2**32 - 1))


def _resent(facts: Facts, seed: int) -> Facts:
    chance = Random(seed)
    usage: list[UsageRow] = []
    for row in facts.usage:
        usage += cut(row, chance.choice((1, 1, 2, 3, 60)))
        usage += chance.choice(((), (row,)))
    return Facts(
        cards=facts.cards,
        scans=_shuffled(chance, (*facts.scans, *facts.scans[:1])),
        moves=facts.moves + facts.moves[:1],
        words=_shuffled(chance, (*facts.words, *facts.words[:1])),
        given_up=_shuffled(chance, (*facts.given_up, *facts.given_up[:1])),
        usage=_shuffled(chance, usage),
        card_rows=_shuffled(chance, (*facts.card_rows, *facts.card_rows[:1])),
        faults=_shuffled(chance, (*facts.faults, *facts.faults[:1])),
        attributions=_shuffled(chance, (*facts.attributions, *facts.attributions[:1])),
        retractions=_shuffled(chance, (*facts.retractions, *facts.retractions[:1])),
    )


def _shuffled(chance: Random, rows: Sequence[Row]) -> tuple[Row, ...]:
    return tuple(chance.sample(rows, len(rows)))


def cut(row: UsageRow, parts: int) -> list[UsageRow]:
    """``row`` in at most ``parts`` rows, cut only where both integrals stay whole numbers at the same rate."""
    length_ms = row.end_ms - row.start_ms
    step_ms = lcm(*(length_ms // _common(length_ms, each) for each in (row.active, row.memory))) if length_ms else 0
    if not step_ms or length_ms == step_ms:
        return [row]
    ends = sorted({length_ms // step_ms * number // parts * step_ms for number in range(parts + 1)})
    return [
        replace(
            row,
            start_ms=row.start_ms + start_ms,
            end_ms=row.start_ms + end_ms,
            active=None if row.active is None else row.active * (end_ms - start_ms) // length_ms,
            memory=None if row.memory is None else row.memory * (end_ms - start_ms) // length_ms,
        )
        for start_ms, end_ms in pairwise(ends)
    ]


def _common(length_ms: int, integral: int | None) -> int:
    """The number of equal parts in which an integral stays whole."""
    return length_ms if integral is None else gcd(length_ms, integral)
