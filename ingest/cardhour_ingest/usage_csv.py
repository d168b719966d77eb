"""Reading a usage CSV: the whole file is read and checked before anything is applied.

Owns turning columns of text into numbers, and rules between the columns of a row. Does not own the text of a line
(``usage_text``), the format of a value (``usage_fields``), or what is done with the rows (``importer``).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from cardhour_contract.errors import Refuse
from cardhour_contract.identity import imported_process_key, key_of, unnamed_workload, workload_key
from cardhour_contract.moment import DAY_MS, format_rfc3339
from cardhour_ingest import usage_fields as fields
from cardhour_ingest.bad_rows import Problems
from cardhour_ingest.usage_fields import shown
from cardhour_ingest.usage_lines import UsageLines
from cardhour_ingest.usage_rows import ROW, Rows, contradictions
from cardhour_ingest.usage_text import read_header, take_apart

ROWS_MAX = 50_000_000
"""Rows of one file: about 10 GB of memory while it is read. Larger exports are split by month."""

ROW_DAYS_MAX = 1_000
"""Longest row: 96 000 quarter hours. A longer one is a slip in a year, and would fill the warehouse."""

BLOCK_ROWS = 50_000
"""Rows read before their text is turned into numbers: tens of MB, and the columns are long enough to be worth it."""

KEYS_CACHED = 1 << 17
"""Keys remembered: the rows of a job mostly stand near each other, and their hashes are a quarter of reading it."""

_process_key = lru_cache(maxsize=KEYS_CACHED)(imported_process_key)
_workload_key = lru_cache(maxsize=KEYS_CACHED)(workload_key)

Progress = Callable[[int, int], None]
"""Called with how much is done, and the whole, in the same unit."""


class Workloads(NamedTuple):
    """What workload keys stand for, as columns of equal length; ``owners`` are indexes into the owners' names."""

    keys: NDArray[np.uint64]
    owners: NDArray[np.uint32]
    names: pa.StringArray


class UsageFile(NamedTuple):
    """A usage CSV, read whole. ``rows`` are the good ones, in the order of the file."""

    path: Path
    digest: str
    """SHA-256 of the uncompressed content, in hex."""
    header: tuple[str, ...]
    rows: Rows
    owners: Sequence[str]
    cards: Sequence[str]
    nodes: Sequence[str]
    models: Sequence[str]
    workloads: Sequence[Workloads]
    """Those of good and of bad rows, some more than once."""
    problems: Problems


class _Names:
    """Distinct names of a column, each with its index, checked when it is first seen."""

    def __init__(self, check: Callable[[str], str]) -> None:
        self._check = check
        self._index: dict[str, int] = {}

    def index(self, text: str) -> int:
        found = self._index.get(text)
        if found is None:
            found = self._index[self._check(text)] = len(self._index)
        return found

    def listed(self) -> list[str]:
        return list(self._index)


def parse_usage_csv(path: Path, progress: Progress | None = None) -> UsageFile:
    """Read and check the whole file. ``progress`` counts bytes of the file.

    Raises Refuse where the file as a whole cannot be read; what is wrong with single rows is in ``problems``.
    """
    with UsageLines(path) as lines:
        numbered = iter(lines)
        header = read_header(path, numbered)
        parser = _Parser(path, header)
        while block := list(islice(numbered, BLOCK_ROWS)):
            parser.add(block)
            if progress is not None:
                progress(lines.position_bytes, lines.size_bytes)
        return parser.finish(lines.digest)


class _Parser:
    """Turns blocks of lines into numbers, and collects what is wrong with them."""

    def __init__(self, path: Path, header: tuple[str, ...]) -> None:
        self._path = path
        self._header = header
        self._problems = Problems(path)
        self._owners = _Names(fields.owner)
        self._cards = _Names(fields.name)
        self._nodes = _Names(fields.optional_name)
        self._models = _Names(fields.name)
        self._workloads: list[Workloads] = []
        self._blocks: list[Rows] = []
        self._row_count = 0

    def add(self, block: list[tuple[int, bytes]]) -> None:
        lines: list[int] = []
        taken: list[list[str]] = []
        for line, content in block:
            if not content:
                continue
            try:
                values = take_apart(content, self._header)
            except Refuse as error:
                self._problems.add(line, "".join(error.problems[1:]), error.problems[0])
            else:
                lines.append(line)
                taken.append(values)
        self._row_count += len(lines)
        if self._row_count > ROWS_MAX:
            raise Refuse(f"{self._path}: has more than {ROWS_MAX} rows: split it, by month for instance")
        if lines:
            self._add_rows(lines, dict(zip(self._header, zip(*taken, strict=True), strict=True)))

    def _add_rows(self, lines: list[int], texts: dict[str, tuple[str, ...]]) -> None:
        empty = ("",) * len(lines)

        def read(column: str, reader: Callable[[str], Any]) -> list[Any]:
            return self._column(column, lines, texts.get(column, empty), reader)

        rows = np.zeros(len(lines), dtype=ROW)
        rows["line"] = lines
        rows["owner"] = read("owner", self._owners.index)
        rows["card"] = read("card", self._cards.index)
        rows["node"] = read("node", self._nodes.index)
        rows["model"] = read("model", self._models.index)
        rows["start_ms"] = read("started_at", fields.instant_ms)
        rows["end_ms"] = read("ended_at", fields.instant_ms)
        rows["share"] = read("share", fields.share)
        rows["active_rate"] = read("sm_util_percent", fields.active_rate)
        rows["memory_bytes"] = read("memory_bytes", fields.memory_bytes)
        processes, workloads = read("process", fields.optional_name), read("workload", fields.optional_name)
        self._check_times(rows)
        good = self._good(rows)
        self._set_keys(rows, good, processes, workloads)
        self._blocks.append(rows[good])

    def _column(self, column: str, lines: list[int], texts: Sequence[str], reader: Callable[[str], Any]) -> list[Any]:
        """The values of a column; 0 stands where a problem was found."""
        try:
            return [reader(text) for text in texts]
        except Refuse:
            values: list[Any] = []
            for line, text in zip(lines, texts, strict=True):
                try:
                    values.append(reader(text))
                except Refuse as error:
                    self._problems.add(line, column, str(error))
                    values.append(0)
            return values

    def _check_times(self, rows: Rows) -> None:
        length_ms = rows["end_ms"] - rows["start_ms"]
        for row in rows[(length_ms < 0) | (length_ms > ROW_DAYS_MAX * DAY_MS)]:
            if self._problems.columns(int(row["line"])) & {"started_at", "ended_at"}:
                continue  # a time that could not be read stands as 0 here
            start, end = format_rfc3339(int(row["start_ms"])), format_rfc3339(int(row["end_ms"]))
            wrong = "is before" if row["end_ms"] < row["start_ms"] else f"is more than {ROW_DAYS_MAX} days after"
            self._problems.add(int(row["line"]), "ended_at", f"{end} {wrong} started_at {start}")

    def _good(self, rows: Rows) -> NDArray[np.bool_]:
        return ~np.isin(rows["line"], self._problems.lines)

    def _set_keys(self, rows: Rows, good: NDArray[np.bool_], processes: list[str], workloads: list[str]) -> None:
        """What a row's process and workload are called in the warehouse; a missing one gets a name of its own."""
        owners, cards = self._owners.listed(), self._cards.listed()
        keys = np.zeros((len(rows), 2), dtype="u8")
        seen: dict[int, tuple[int, str]] = {}
        for index in np.flatnonzero(good).tolist():
            owner_index = int(rows["owner"][index])
            owner, card = owners[owner_index], cards[int(rows["card"][index])]
            process, workload = processes[index], workloads[index]
            if process:
                process_key = _process_key(card, process)
            else:
                process_key = key_of("imported-row", owner, workload, card, str(int(rows["start_ms"][index])))
            name = workload or unnamed_workload(process_key)
            key = _workload_key(owner, name)
            keys[index] = process_key, key
            seen[key] = owner_index, name
        owner_indexes, names = [owner for owner, _ in seen.values()], [name for _, name in seen.values()]
        self._workloads.append(
            Workloads(
                np.array(list(seen), dtype="u8"), np.array(owner_indexes, dtype="u4"), pa.array(names, pa.string())
            )
        )
        rows["process"], rows["workload"] = keys[:, 0], keys[:, 1]

    def finish(self, digest: str) -> UsageFile:
        rows = np.concatenate(self._blocks) if self._blocks else np.zeros(0, dtype=ROW)
        self._blocks.clear()
        self._check_between_rows(rows)
        return UsageFile(
            path=self._path,
            digest=digest,
            header=self._header,
            rows=rows[self._good(rows)],
            owners=self._owners.listed(),
            cards=self._cards.listed(),
            nodes=self._nodes.listed(),
            models=self._models.listed(),
            workloads=self._workloads,
            problems=self._problems,
        )

    def _check_between_rows(self, rows: Rows) -> None:
        models, cards = self._models.listed(), self._cards.listed()
        for index, other, column in contradictions(rows):
            reason = f"line {rows['line'][other]} has the same card, process and started_at, but not this {column}"
            self._problems.add(int(rows["line"][index]), column, f"{reason}; two processes need two names")
        _, first, card_of = np.unique(rows["card"], return_index=True, return_inverse=True)
        for place in np.flatnonzero(rows["model"][first][card_of] != rows["model"]):
            row, known = rows[place], rows[first[card_of[place]]]
            card, model, other = cards[row["card"]], models[row["model"]], models[known["model"]]
            reason = f"{shown(model)} is not the model of card {shown(card)} on line {known['line']}, {shown(other)}"
            self._problems.add(int(row["line"]), "model", reason)
