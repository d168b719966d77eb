"""The rows of a usage file as one array of numbers: 70 bytes a row, whatever their names are.

Owns what can only be judged with all rows at hand (contradictions, repeats, overlaps), and cutting rows at quarter
hours. Does not own text: names are indexes into lists that ``usage_csv`` keeps.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cardhour_contract.moment import QUARTER_MS

ROW = np.dtype([
    ("line", "u4"),
    ("process", "u8"),
    ("start_ms", "i8"),
    ("end_ms", "i8"),
    ("owner", "u4"),
    ("card", "u4"),
    ("node", "u4"),
    ("model", "u4"),
    ("workload", "u8"),
    ("share", "u2"),  # permille
    ("active_rate", "i4"),  # 1e-4 percent, usage_fields.NOT_MEASURED where empty
    ("memory_bytes", "i8"),  # usage_fields.NOT_MEASURED where empty
])  # fmt: skip
"""owner, card, node and model are indexes into names; process and workload are keys (``contract.identity``)."""

PART = np.dtype([("row", "u4"), ("start_ms", "i8"), ("end_ms", "i8")])
"""A piece of a row that lies in one step; ``row`` is the index of the row it was cut from."""

Rows = NDArray[np.void]
Indexes = NDArray[np.int64]

COMPARED = {
    "end_ms": "ended_at",
    "share": "share",
    "owner": "owner",
    "workload": "workload",
    "node": "node",
    "active_rate": "sm_util_percent",
    "memory_bytes": "memory_bytes",
}
"""What two rows with the same process (which stands for a card's process) and start must agree in, and their column in
the file: nothing tells which of two rows that do not is right."""


def contradictions(rows: Rows) -> Iterator[tuple[int, int, str]]:
    """Rows with the same card, process and start that differ otherwise: index, index of one it differs from, column.

    Every row of such a group is given, since nothing tells which of them is right.
    """
    order, starts = _grouped(rows)
    suspects = np.flatnonzero(~starts[1:])
    one, next_one = rows[order[suspects]], rows[order[suspects + 1]]
    differs = np.zeros(len(suspects), dtype=bool)
    for field in COMPARED:
        differs |= one[field] != next_one[field]
    group_of = np.cumsum(starts)
    firsts, lasts = np.flatnonzero(starts), np.append(np.flatnonzero(starts)[1:], len(order))
    for group in np.unique(group_of[suspects[differs]]) - 1:
        members = [int(index) for index in order[firsts[group] : lasts[group]]]
        first = members[0]
        stranger = next(index for index in members if _difference(rows[first], rows[index]))
        for index in members:
            other = first if _difference(rows[first], rows[index]) else stranger
            yield index, other, _difference(rows[index], rows[other])


def _difference(one: Any, other: Any) -> str:
    """The first column in which two rows differ; empty where they are equal."""
    return next((column for field, column in COMPARED.items() if one[field] != other[field]), "")


def without_repeats(rows: Rows) -> Rows:
    """Each row once, without rows of no time, by process and start. The rows must not contradict each other."""
    timed = rows[rows["end_ms"] > rows["start_ms"]]
    order, starts = _grouped(timed)
    return timed[order[starts]]


def _grouped(rows: Rows) -> tuple[Indexes, NDArray[np.bool_]]:
    """The order by process and start, equal ones as in the file, and which in that order begin a new pair."""
    order = np.lexsort((rows["start_ms"], rows["process"]))
    process, start_ms = rows["process"][order], rows["start_ms"][order]
    starts = np.ones(len(order), dtype=bool)
    starts[1:] = (process[1:] != process[:-1]) | (start_ms[1:] != start_ms[:-1])
    return order, starts


def part_counts(rows: Rows, step_ms: int = QUARTER_MS) -> Indexes:
    """Into how many parts each row is cut at the multiples of ``step_ms`` from the epoch."""
    counts: Indexes = -(-rows["end_ms"] // step_ms) - rows["start_ms"] // step_ms
    return np.where(rows["end_ms"] > rows["start_ms"], counts, 0)


def cut(rows: Rows, step_ms: int = QUARTER_MS) -> Rows:
    """The rows cut at every multiple of ``step_ms`` from the epoch. The parts of a row touch and add up to it."""
    counts = part_counts(rows, step_ms)
    parts = np.empty(int(counts.sum()), dtype=PART)
    source = np.repeat(np.arange(len(rows)), counts)
    nth = np.arange(len(parts)) - np.repeat(np.cumsum(counts) - counts, counts)
    step_start_ms = (rows["start_ms"][source] // step_ms + nth) * step_ms
    parts["row"] = source
    parts["start_ms"] = np.maximum(step_start_ms, rows["start_ms"][source])
    parts["end_ms"] = np.minimum(step_start_ms + step_ms, rows["end_ms"][source])
    return parts


def slices(rows: Rows, parts_max: int) -> Iterator[Rows]:
    """The rows in runs that are cut into at most ``parts_max`` quarters each, one row at least."""
    ends = np.cumsum(part_counts(rows))
    first = 0
    while first < len(rows):
        before = int(ends[first - 1]) if first else 0
        last = max(first + 1, int(np.searchsorted(ends, before + parts_max, "right")))
        yield rows[first:last]
        first = last
