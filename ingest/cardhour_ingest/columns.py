"""Many reports' columns as one set of numpy arrays, checked and cut at quarter hours.

Owns the values in the columns: what may stand there, and what a row that crosses a quarter becomes. A bad value
rejects its whole report, with the path to the first one. Does not own bytes (``contract.wire``) nor tables
(``tables``). Everything works on all rows of a batch at once: Python touches reports and distinct names, never rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from operator import attrgetter
from typing import Any

import numpy as np
import numpy.typing as npt
from msgspec import Struct

from cardhour_contract.moment import QUARTER_MS
from cardhour_contract.wire import BRIDGED, CARD_COLUMNS, HAS_ACTIVE, HAS_ENERGY, HAS_MEMORY, USAGE_COLUMNS
from cardhour_ingest.reading import Arrived

Array = npt.NDArray[Any]

DTYPE: dict[str, np.dtype[Any]] = {
    "B": np.dtype("u1"),
    "H": np.dtype("<u2"),
    "I": np.dtype("<u4"),
    "Q": np.dtype("<u8"),
}

INTEGRALS = {"usage": {"active": HAS_ACTIVE, "memory": HAS_MEMORY}, "cards": {"energy_mj": HAS_ENERGY}}
"""Columns that measure an interval, and the flag that says whether they were measured."""

NAMES = {"usage": ("card", "owner", "workload"), "cards": ("card",)}
"""Columns that hold an index into the report's strings."""

ROWS = {"usage": attrgetter("usage_rows"), "cards": attrgetter("card_rows")}

CODES = {"usage": USAGE_COLUMNS, "cards": CARD_COLUMNS}


class Names:
    """Every string of a batch once, so that each is checked and hashed once however many rows use it."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self._ids: dict[str, int] = {}

    def id_of(self, text: str) -> int:
        found = self._ids.get(text)
        if found is None:
            found = self._ids[text] = len(self.texts)
            self.texts.append(text)
        return found


class Columns:
    """The rows of one kind (``usage`` or ``cards``) of many reports.

    ``values`` are the columns by name, string columns as ids in ``names``; ``report`` is the index of each row's report
    and ``row`` its place in it.
    """

    def __init__(self, kind: str, names: Names, report: Array, row: Array, values: dict[str, Array]) -> None:
        self.kind = kind
        self.names = names
        self.report = report
        self.row = row
        self.values = values

    def __len__(self) -> int:
        return len(self.report)

    def __getitem__(self, column: str) -> Array:
        return self.values[column]

    def measured(self, integral: str) -> Array:
        """Which rows have a value there."""
        rows: Array = (self.values["flags"] & INTEGRALS[self.kind][integral]) != 0
        return rows

    @property
    def bridged(self) -> Array:
        return self.values["flags"] & BRIDGED

    @property
    def length_ms(self) -> Array:
        length: Array = self.values["ended_at_ms"] - self.values["started_at_ms"]
        return length

    def pick(self, rows: Array) -> Columns:
        """Some of the rows: a mask, or indexes, where one may repeat."""
        values = {name: column[rows] for name, column in self.values.items()}
        return Columns(self.kind, self.names, self.report[rows], self.row[rows], values)


class StringIndexes(Struct, frozen=True, kw_only=True):
    """Where each report's strings stand among a batch's names."""

    ids: Array
    """Name ids, the strings of one report after those of another."""
    first: Array
    """For each report, where its own begin in ``ids``."""
    count: Array
    """For each report, how many it has."""


def index_strings(arrived: Sequence[Arrived], names: Names) -> StringIndexes:
    """Reports of one node mostly carry the same strings, so each distinct tuple is looked up once."""
    ids: list[int] = []
    known: dict[tuple[str, ...], int] = {}
    first, count = [], []
    for each in arrived:
        strings = each.report.strings
        if strings not in known:
            known[strings] = len(ids)
            ids.extend(map(names.id_of, strings))
        first.append(known[strings])
        count.append(len(strings))
    # One id more, at the end: where an index out of range points until its report is rejected.
    ids.append(names.id_of(""))
    return StringIndexes(ids=np.array(ids), first=np.array(first), count=np.array(count))


def join(
    kind: str, arrived: Sequence[Arrived], names: Names, strings: StringIndexes
) -> tuple[Columns, dict[str, Array]]:
    """All rows of ``kind``, and for each string column the rows whose index its report does not have."""
    codes = CODES[kind]
    pieces: Iterable[tuple[bytes, ...]] = map(attrgetter(*codes), (getattr(each.report, kind) for each in arrived))
    joined: Iterable[bytes] = (b"".join(column) for column in zip(*pieces, strict=True))
    values: dict[str, Array] = {
        name: np.frombuffer(column, DTYPE[codes[name]]) for name, column in zip(codes, joined, strict=True)
    }
    rows = np.array([ROWS[kind](each.report) for each in arrived])
    report = np.repeat(np.arange(len(arrived)), rows)
    row = np.arange(len(report)) - np.repeat(np.cumsum(rows) - rows, rows)
    unknown = {}
    for name in NAMES[kind]:
        unknown[name] = values[name] >= strings.count[report]
        values[name] = strings.ids[np.where(unknown[name], -1, strings.first[report] + values[name])]
    return Columns(kind, names, report, row, values), unknown


def split_at_quarters(columns: Columns) -> tuple[Columns, Array]:
    """Rows cut so that none crosses a quarter hour, and which rows could not be cut.

    The parts are exact, or there are none: an integral is divided only where every part of it is a whole number. Rows
    must run forward; empty ones vanish.
    """
    columns = columns.pick(columns.length_ms > 0)
    start, end = columns["started_at_ms"], columns["ended_at_ms"]
    first = start // QUARTER_MS
    parts = ((end - 1) // QUARTER_MS - first + 1).astype(np.int64)
    inexact = np.zeros(len(columns), bool)
    if not (parts > 1).any():
        return columns, inexact
    whole = np.repeat(np.arange(len(columns)), parts)
    nth = np.arange(len(whole)) - np.repeat(np.cumsum(parts) - parts, parts)
    cut = columns.pick(whole)
    quarter = first[whole] + nth.astype(np.uint64)
    cut.values["started_at_ms"] = np.maximum(start[whole], quarter * QUARTER_MS)
    cut.values["ended_at_ms"] = np.minimum(end[whole], (quarter + 1) * QUARTER_MS)
    length, total = cut.length_ms, (end - start)[whole]
    for integral in INTEGRALS[columns.kind]:
        # per ms and rest apart: value × length does not fit 64 bits, and these two products do
        per_ms, rest = np.divmod(cut[integral], total)
        share, left = np.divmod(rest * length, total)
        cut.values[integral] = per_ms * length + share
        inexact[whole[(left != 0) & cut.measured(integral)]] = True
    return cut, inexact
