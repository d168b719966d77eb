"""Cutting rows at quarter hours: the parts of a row are the row."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from cardhour_contract.interval import Interval, split
from cardhour_contract.moment import HOUR_MS, QUARTER_MS
from cardhour_ingest.usage_rows import ROW, Rows, cut, part_counts, slices

START_MS = 1_772_445_600_000  # 2026-03-02T10:00:00Z

spans = st.tuples(st.integers(0, 3 * HOUR_MS), st.integers(0, 2 * HOUR_MS)) | st.tuples(
    st.integers(0, 12).map(lambda quarter: quarter * QUARTER_MS), st.integers(0, 8).map(lambda each: each * QUARTER_MS)
)
"""(offset, length) of a row: anywhere, or with both ends on quarter hours, where a cut that is off by one shows."""


def rows_of(spans: list[tuple[int, int]], processes: list[int] | None = None) -> Rows:
    rows = np.zeros(len(spans), dtype=ROW)
    for index, (offset_ms, length_ms) in enumerate(spans):
        rows[index]["start_ms"] = START_MS + offset_ms
        rows[index]["end_ms"] = START_MS + offset_ms + length_ms
        rows[index]["process"] = processes[index] if processes else index
    return rows


@settings(deadline=None)  # a busy machine is no failure
@given(st.lists(spans, max_size=20))
def test_parts_are_what_the_interval_algebra_says(spans: list[tuple[int, int]]) -> None:
    rows = rows_of(spans)
    parts = [(int(part["row"]), int(part["start_ms"]), int(part["end_ms"])) for part in cut(rows)]
    wholes = [Interval(int(row["start_ms"]), int(row["end_ms"])) for row in rows]
    assert parts == [(index, *part) for index, whole in enumerate(wholes) for part in split(whole, QUARTER_MS)]
    assert part_counts(rows).tolist() == [len(list(split(whole, QUARTER_MS))) for whole in wholes]


@settings(deadline=None)
@given(spans, st.integers(0, 1_000_000), st.integers(0, 2**44))
def test_integrals_of_the_parts_add_up_to_the_rows(span: tuple[int, int], active_rate: int, memory_bytes: int) -> None:
    parts = cut(rows_of([span]))
    lengths_ms = (parts["end_ms"] - parts["start_ms"]).tolist()
    assert all(0 < length <= QUARTER_MS for length in lengths_ms)
    assert sum(active_rate * length for length in lengths_ms) == active_rate * span[1]
    assert sum(memory_bytes * length for length in lengths_ms) == memory_bytes * span[1]
    # and each fits the warehouse's 64 bits
    assert all(memory_bytes * length < 2**64 for length in lengths_ms)


@settings(deadline=None)
@given(st.lists(spans, max_size=20), st.integers(1, 15))
def test_slices_hold_all_rows_in_order_and_few_parts(spans: list[tuple[int, int]], parts_max: int) -> None:
    rows = rows_of(spans)
    pieces = list(slices(rows, parts_max))
    assert np.array_equal(np.concatenate([rows[:0], *pieces]), rows)
    assert all(len(piece) == 1 or part_counts(piece).sum() <= parts_max for piece in pieces)
    assert all(len(piece) for piece in pieces)
