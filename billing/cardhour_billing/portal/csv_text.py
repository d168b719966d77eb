"""CSV for spreadsheets, out of rows: guarded against formulas, with the mark that makes Excel read Chinese.

Owns the form alone. Names of columns, and what stands in a cell, are the caller's.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from django.http import HttpResponse, StreamingHttpResponse

from cardhour_billing.spreadsheet import guarded

CHUNK_ROWS = 500
"""Rows written at a time: enough that a chunk is worth sending, few enough to hold."""

BOM = "\ufeff"


def csv_chunks(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> Iterator[bytes]:
    """The file in pieces, so that a long one is never held whole."""
    text = io.StringIO(newline="")
    text.write(BOM)
    writer = csv.writer(text)
    writer.writerow(columns)
    for at, row in enumerate(rows, start=1):
        writer.writerow([_cell(each) for each in row])
        if at % CHUNK_ROWS == 0:
            yield _taken(text)
    yield _taken(text)


def csv_response(name: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> HttpResponse:
    """A file of few rows, made whole before anything is sent: what breaks on the way is an error page."""
    return HttpResponse(b"".join(csv_chunks(columns, rows)), headers=_headers(name))


def csv_stream(name: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> StreamingHttpResponse:
    """A file of any length."""
    return StreamingHttpResponse(csv_chunks(columns, rows), headers=_headers(name))


def _headers(name: str) -> dict[str, str]:
    return {"Content-Type": "text/csv; charset=utf-8", "Content-Disposition": f'attachment; filename="{name}"'}


def _taken(text: io.StringIO) -> bytes:
    found = text.getvalue().encode("utf-8")
    text.seek(0)
    text.truncate()
    return found


def _cell(value: Any) -> Any:
    if value is None:
        return ""
    return guarded(value) if isinstance(value, str) else value
