"""The text of a usage CSV: which columns its header names, and the fields of each line.

Owns the columns' names and taking lines apart. Does not own lines as bytes (``usage_lines``) or what a field means
(``usage_fields``). A row is one line: a field in quotes may hold commas, but no line end.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path

from cardhour_contract.errors import Refuse
from cardhour_ingest.usage_fields import shown
from cardhour_ingest.usage_lines import LINE_BYTES_MAX

REQUIRED = ("owner", "card", "model", "started_at", "ended_at")
COLUMNS = (
    "owner",
    "workload",
    "node",
    "card",
    "model",
    "process",
    "started_at",
    "ended_at",
    "share",
    "sm_util_percent",
    "memory_bytes",
)

NOTES = ("line", "column", "reason")
"""What a file of bad rows has after its own columns; passed over, so that it can be mended and imported as it is."""

_TOLD_MAX = 20
"""Wrong columns told one by one: a file that is no usage CSV may have thousands."""

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


def read_header(path: Path, numbered: Iterator[tuple[int, bytes]]) -> tuple[str, ...]:
    """The column names in the first line, in any order; a byte order mark is passed over. Raises Refuse."""
    where = f"{path}, line 1"
    needed = f"the columns are {', '.join(COLUMNS)}; {', '.join(REQUIRED)} must be there"
    _, content = next(numbered, (1, b""))
    if not content:
        raise Refuse(f"{where}: is empty: {needed}")
    try:
        names = _fields(content.removeprefix(_BYTE_ORDER_MARK), ())
    except Refuse as error:
        raise Refuse(f"{where}: {error.problems[0]}") from error
    own = without_notes(names)
    problems = [f"{where}, column {shown(name)}: is not a column of usage" for name in own if name not in COLUMNS]
    problems += [f"{where}, column {name}: stands twice" for name in COLUMNS if own.count(name) > 1]
    problems += [f"{where}, column {name}: is missing" for name in REQUIRED if name not in own]
    if problems:
        raise Refuse(*problems[:_TOLD_MAX], f"{where}: {needed}")
    return tuple(names)


def without_notes(header: Sequence[str]) -> Sequence[str]:
    """The columns of usage that a header names."""
    return header[: -len(NOTES)] if tuple(header[-len(NOTES) :]) == NOTES else header


def take_apart(content: bytes, header: Sequence[str]) -> list[str]:
    """The fields of a line, as many as the header names.

    Raises Refuse; where the column is known, its name is the error's second problem.
    """
    fields = _fields(content, header)
    if len(fields) < len(header):
        raise Refuse(f"the row ends before it: {len(fields)} fields instead of {len(header)}", header[len(fields)])
    if len(fields) > len(header):
        raise Refuse(f"the row has {len(fields)} fields instead of {len(header)}")
    return fields


def _fields(content: bytes, header: Sequence[str]) -> list[str]:
    if len(content) > LINE_BYTES_MAX:
        raise Refuse(f"the line is longer than {LINE_BYTES_MAX} bytes")
    if b"\0" in content:
        at = content.index(b"\0")
        raise Refuse(f"byte {at + 1} of the line is NUL", _column_at(content, at, header))
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        reason = f"byte {error.start + 1} of the line is not UTF-8"
        raise Refuse(reason, _column_at(content, error.start, header)) from error
    if '"' not in text:
        return text.split(",")
    try:
        return next(csv.reader([text], strict=True))
    except csv.Error as error:
        raise Refuse(f"the quotes are wrong ({error}); a row is one line") from error


def _column_at(content: bytes, position: int, header: Sequence[str]) -> str:
    """The column that a byte of a line stands in; empty where quotes or extra fields make that unsure."""
    before = content[:position]
    column = before.count(b",")
    return header[column] if b'"' not in before and column < len(header) else ""
