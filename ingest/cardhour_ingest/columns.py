"""Many reports' columns as one set of numpy arrays, checked and cut at quarter hours.

Owns the values in the columns: what may stand there, and what a row that crosses a quarter becomes. A bad value
rejects its whole report, with the path to the first one. Does not own bytes (``contract.wire``) nor tables
(``tables``). Everything works on all rows of a batch at once: Python touches reports and distinct names, never rows.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from itertools import islice
from operator import attrgetter
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from msgspec import Struct

from cardhour_contract.moment import HOUR_MS, QUARTER_MS
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


NAMES_MAX = 65_536
"""Strings that are remembered from one batch to the next: those of some thousand nodes, and about 10 MB."""


class Names:
    """Every string once, so that each is checked and hashed once however many rows use it.

    Nodes say the same strings minute after minute: whoever reads many batches keeps one of these until it is ``full``.
    """

    def __init__(self) -> None:
        self.texts: list[str] = []
        self._ids: dict[str, int] = {}
        self._places = array("q", [self.id_of("")])
        self._known: dict[tuple[str, ...], int] = {}
        self._tested: dict[Callable[[str], bool], bytearray] = {}
        self._dictionary = pa.array([], pa.string())

    @property
    def full(self) -> bool:
        return len(self.texts) >= NAMES_MAX or len(self._places) >= 4 * NAMES_MAX

    def id_of(self, text: str) -> int:
        found = self._ids.get(text)
        if found is None:
            found = self._ids[text] = len(self.texts)
            self.texts.append(text)
        return found

    def place_of(self, strings: tuple[str, ...]) -> int:
        """Where the ids of a report's strings begin in ``ids``, one after the other."""
        found = self._known.get(strings)
        if found is None:
            found = self._known[strings] = len(self._places)
            self._places.extend(map(self.id_of, strings))
        return found

    @property
    def ids(self) -> Array:
        """The ids at all places. The first is no report's: where an index out of range points until it is rejected."""
        return np.array(self._places, np.int64)

    def where(self, test: Callable[[str], bool]) -> Array:
        """Which names a test holds for, by id. It is asked once of each."""
        answers = self._tested.setdefault(test, bytearray())
        answers.extend(map(test, islice(self.texts, len(answers), None)))
        return np.frombuffer(bytes(answers), np.bool_)

    def dictionary(self, ids: Array) -> pa.DictionaryArray:
        """The names with these ids, as a column of which each says its own once."""
        used = np.bincount(ids, minlength=1) > 0
        places = (np.cumsum(used) - 1)[ids].astype(np.int32)
        known, rest = np.flatnonzero(used[: len(self._dictionary)]), np.flatnonzero(used[len(self._dictionary) :])
        if len(rest) > len(self._dictionary) // 4:
            self._dictionary = pa.array(self.texts, pa.string())
            return self.dictionary(ids)
        newer = pa.array([self.texts[len(self._dictionary) + each] for each in rest.tolist()], pa.string())
        texts = pa.concat_arrays([self._dictionary.take(pa.array(known)), newer])
        return pa.DictionaryArray.from_arrays(places, texts)


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

    @cached_property
    def hour(self) -> Array:
        """The hour since the epoch that each row starts in."""
        hours: Array = self.values["started_at_ms"] // HOUR_MS
        return hours

    def pick(self, rows: Array) -> Columns:
        """Some of the rows: a mask, or indexes, where one may repeat."""
        values = {name: column[rows] for name, column in self.values.items()}
        return Columns(self.kind, self.names, self.report[rows], self.row[rows], values)


class Places(Struct, frozen=True, kw_only=True):
    """Where the ids of each report's strings are."""

    ids: Array
    first: Array
    """For each report, where its own begin in ``ids``."""
    count: Array
    """For each report, how many it has."""


def places_of(arrived: Sequence[Arrived], names: Names) -> Places:
    strings = [each.report.strings for each in arrived]
    first, count = np.array(list(map(names.place_of, strings))), np.array(list(map(len, strings)))
    return Places(ids=names.ids, first=first, count=count)


def join(kind: str, arrived: Sequence[Arrived], names: Names, places: Places) -> tuple[Columns, dict[str, Array]]:
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
    first, count = places.first[report], places.count[report]
    unknown = {}
    for name in NAMES[kind]:
        unknown[name] = values[name] >= count
        values[name] = places.ids[np.where(unknown[name], 0, first + values[name])]
    return Columns(kind, names, report, row, values), unknown


def split_at_quarters(columns: Columns) -> tuple[Columns, Array]:
    """Rows cut so that none crosses a quarter hour, and which rows could not be cut.

    The parts are exact, or there are none: an integral is divided only where every part of it is a whole number. Rows
    must run forward; empty ones vanish.
    """
    lasting = columns.length_ms > 0
    if not lasting.all():
        columns = columns.pick(lasting)
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
