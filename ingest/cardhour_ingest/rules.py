"""What values may stand in the columns of a report.

Owns the rules and their limits. Does not own the arrays (``columns``) nor the rest of a report (``reading``).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from cardhour_contract.errors import Reject
from cardhour_contract.moment import DAY_MS
from cardhour_contract.record import ACTIVE_WHOLE, SHARE_WHOLE, Basis, CardState
from cardhour_ingest.columns import Array, Columns, Names, join, places_of, split_at_quarters
from cardhour_ingest.reading import (
    BAD_VALUE,
    FUTURE_MAX_MS,
    OUT_OF_TIME,
    PAST_MAX_MS,
    Arrived,
    name_problem,
    owner_problem,
)

RECORD_MS_MAX = DAY_MS
"""Longest record. Agents report every minute; a day leaves room for other senders, and keeps one report of a
megabyte from becoming millions of quarter-hour rows."""

MEMORY_BITS_MAX = 44
MEMORY_BYTES_MAX = 2**MEMORY_BITS_MAX
"""16 TiB: no card has as much, and times a quarter hour in ms it still fits the warehouse's 64 bits."""

CROSSES_QUARTER = "crosses_quarter"

Finding = tuple[str, str, str, Array]
"""Column, reason, what is wrong, and the rows that have it."""


class Rejections:
    """The first thing wrong with each report, by the report's index."""

    def __init__(self) -> None:
        self.found: dict[int, Reject] = {}

    def add(self, columns: Columns, finding: Finding) -> None:
        column, reason, detail, rows = finding
        reports, first = np.unique(columns.report[rows], return_index=True)
        places = columns.row[rows][first]
        for report, place in zip(reports.tolist(), places.tolist(), strict=True):
            path = f"$.{columns.kind}.{column}[{place}]"
            self.found.setdefault(report, Reject(reason, detail, path=path))

    def accepted(self, columns: Columns) -> Columns:
        """The rows of the reports that nothing is wrong with."""
        if not self.found:
            return columns
        return columns.pick(~np.isin(columns.report, np.array(list(self.found))))


def accepted_columns(arrived: Sequence[Arrived], names: Names) -> tuple[Columns, Columns, dict[int, Reject]]:
    """Usage and card rows of the good reports, cut at quarter hours; and why the others are rejected, by index."""
    places = places_of(arrived, names)
    rejections = Rejections()
    wall_ms = np.array([each.report.wall_ms for each in arrived], np.uint64)
    kinds = []
    for kind in ("usage", "cards"):
        columns, unknown = join(kind, arrived, names, places)
        for finding in _findings(columns, unknown, wall_ms):
            if finding[-1].any():
                rejections.add(columns, finding)
        kinds.append(columns)
    whole = [rejections.accepted(columns) for columns in kinds]
    cut = []
    for columns in whole:
        parts, inexact = split_at_quarters(columns)
        if inexact.any():
            rows = columns.pick(columns.length_ms > 0)
            rejections.add(rows, ("ended_at_ms", CROSSES_QUARTER, "its integrals cannot be divided exactly", inexact))
        cut.append(parts)
    return rejections.accepted(cut[0]), rejections.accepted(cut[1]), rejections.found


def _findings(columns: Columns, unknown: dict[str, Array], wall_ms: Array) -> Iterator[Finding]:
    for column, rows in unknown.items():
        yield column, BAD_VALUE, "the report has no such string", rows
    yield from _times(columns, wall_ms)
    if columns.kind == "usage":
        yield from _names(columns, "card", owner=False)
        yield from _names(columns, "owner", owner=True)
        yield from _names(columns, "workload", owner=False)
        yield from _usage_values(columns)
    else:
        yield from _names(columns, "card", owner=False)
        yield "state", BAD_VALUE, f"a state is 0 to {max(CardState)}", columns["state"] > max(CardState)


def _times(columns: Columns, wall_ms: Array) -> Iterator[Finding]:
    if _plainly_in_time(columns, wall_ms):
        return
    start, end = columns["started_at_ms"], columns["ended_at_ms"]
    report_wall = wall_ms[columns.report]
    first, last = report_wall - np.minimum(report_wall, PAST_MAX_MS), report_wall + np.uint64(FUTURE_MAX_MS)
    near = "more than 400 days before or a day after the report"
    yield "started_at_ms", OUT_OF_TIME, near, (start < first) | (start > last)
    yield "ended_at_ms", OUT_OF_TIME, near, (end < first) | (end > last)
    yield "ended_at_ms", BAD_VALUE, "the record ends before it starts", end < start
    yield "ended_at_ms", BAD_VALUE, "the record is longer than a day", (end > start) & (end - start > RECORD_MS_MAX)


def _plainly_in_time(columns: Columns, wall_ms: Array) -> bool:
    """Whether all rows pass by the first and the last of each time alone, as they do where no node is far behind."""
    if not len(columns):
        return True
    start, end = columns["started_at_ms"], columns["ended_at_ms"]
    return bool(
        (start <= end).all()
        and columns.length_ms.max() <= RECORD_MS_MAX
        and int(start.min()) >= int(wall_ms.max()) - PAST_MAX_MS
        and int(end.max()) <= int(wall_ms.min()) + FUTURE_MAX_MS
    )


def _usage_values(columns: Columns) -> Iterator[Finding]:
    share, length = columns["share"], columns.length_ms
    yield "share", BAD_VALUE, f"a share is 1 to {SHARE_WHOLE} permille", (share < 1) | (share > SHARE_WHOLE)
    yield "basis", BAD_VALUE, "a basis is 0 (process) or 1 (allocation)", columns["basis"] > Basis.ALLOCATION
    # Times that run backwards are found above; here their length has wrapped round, and is capped to stay in range.
    length = np.minimum(length, RECORD_MS_MAX)
    busy = columns.measured("active") & (columns["active"] > length * ACTIVE_WHOLE)
    yield "active", BAD_VALUE, "busier than 100 percent", busy
    # Dividing is slow: first without what the power of two leaves over, which finds all of them and empty rows too.
    full = columns.measured("memory") & (columns["memory"] >> np.uint64(MEMORY_BITS_MAX) >= length)
    if full.any():
        full &= columns["memory"] // np.maximum(length, 1) > MEMORY_BYTES_MAX
    yield "memory", BAD_VALUE, "more than 16 TiB on average", full


def _names(columns: Columns, column: str, *, owner: bool) -> Iterator[Finding]:
    """Each distinct name is looked at once; the rows only look up the answer."""
    ids = columns[column]
    bad = columns.names.where(_is_bad_owner if owner else _is_bad_name)[ids]
    if not bad.any():
        return
    problem_of = owner_problem if owner else name_problem
    problems = {each: problem_of(columns.names.texts[each]) for each in np.unique(ids[bad]).tolist()}
    for problem in dict.fromkeys(problems.values()):
        found = [each for each, what in problems.items() if what == problem]
        yield column, BAD_VALUE, str(problem), np.isin(ids, found)


def _is_bad_name(name: str) -> bool:
    return name_problem(name) is not None


def _is_bad_owner(name: str) -> bool:
    return owner_problem(name) is not None
