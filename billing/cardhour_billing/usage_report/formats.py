"""A report's bytes, piece by piece: CSV that opens in Excel without harm, JSON for programs, a workbook.

Owns the form alone. Each writer takes Arrow tables and gives bytes as they come, so that memory does not grow with the
report; a workbook is written to a file first, because its archive has to be whole, and read back in pieces.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import xlsxwriter
from pyarrow import csv as arrow_csv

from cardhour_billing.spreadsheet import guarded

PIECE = 1 << 20
"""Bytes handed over at once when a file is read back."""

SHEET_ROWS = 1_000_000
"""Excel's sheets end at 1 048 576 rows; what is more goes on in the next."""

BOM = b"\xef\xbb\xbf"
"""Without it Excel reads Chinese as noise."""

TYPES = {
    "csv": "text/csv; charset=utf-8",
    "focus": "text/csv; charset=utf-8",
    "json": "application/json",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}
"""Media types of the forms that a report has."""

WIDTH, WIDTHS = 20, {"day": 12, "kind": 10, "currency": 10, "card": 42, "model": 28, "workload": 28}
"""Of columns, in characters."""
DECIMALS_MAX = 4
"""Of any currency's minor unit."""

_NUMBERS = ("card_hours", "net", "quantity_us")


def csv_bytes(tables: Iterable[pa.Table], columns: Sequence[str]) -> Iterator[bytes]:
    """UTF-8 with a byte order mark and CRLF; words that a spreadsheet would calculate are guarded."""
    yield BOM + (",".join(columns) + "\r\n").encode()
    options = arrow_csv.WriteOptions(include_header=False, quoting_style="needed", eol="\r\n")
    for table in tables:
        sink = pa.BufferOutputStream()
        arrow_csv.write_csv(_guarded(table), sink, options)
        yield sink.getvalue().to_pybytes()


def json_bytes(tables: Iterable[pa.Table], facts: dict[str, object]) -> Iterator[bytes]:
    """One object: what was asked for, then ``rows``, each on a line of its own. Amounts and hours are text."""
    head = msgspec.json.encode(facts)
    yield head[:-1] + b',"rows":['
    encoder, before = msgspec.json.Encoder(), b"\n"
    for table in tables:
        lines = b",\n".join(encoder.encode(row) for row in table.to_pylist())
        if lines:
            yield before + lines
            before = b",\n"
    yield b"\n]}\n"


def xlsx_bytes(tables: Iterable[pa.Table], columns: Sequence[str], facts: dict[str, object]) -> Iterator[bytes]:
    """A workbook: the rows, so many a sheet, and what was asked for on a sheet of its own."""
    with tempfile.TemporaryDirectory(prefix="cardhour-report-") as folder:
        path = Path(folder) / "report.xlsx"
        _write_workbook(path, tables, columns, facts)
        with path.open("rb") as file:
            while piece := file.read(PIECE):
                yield piece


def _write_workbook(path: Path, tables: Iterable[pa.Table], columns: Sequence[str], facts: dict[str, object]) -> None:
    options = {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
    book = xlsxwriter.Workbook(str(path), options)
    bold, hours = book.add_format({"bold": True}), book.add_format({"num_format": "#,##0.0000"})
    whole = book.add_format({"num_format": "0"})
    amounts = [book.add_format({"num_format": _amount_format(decimals)}) for decimals in range(DECIMALS_MAX + 1)]
    forms = {"card_hours": hours, "quantity_us": whole}
    about = book.add_worksheet("Report")
    about.set_column(0, 1, WIDTH)
    for at, (name, value) in enumerate(facts.items()):
        about.write_string(at, 0, name, bold)
        about.write_string(at, 1, str(value))
    sheet, row = about, SHEET_ROWS
    for table in tables:
        for values in zip(*(table[name].to_pylist() for name in columns), strict=True):
            if row == SHEET_ROWS:
                sheet, row = _next_sheet(book, columns, bold), 1
            for at, (name, value) in enumerate(zip(columns, values, strict=True)):
                # A cell holds a double; the text of an amount below 10^15 comes back out of one unchanged.
                if name == "net":
                    sheet.write_number(row, at, float(value), amounts[len(value.partition(".")[2])])
                elif name in forms:
                    sheet.write_number(row, at, float(value), forms[name])
                else:
                    sheet.write_string(row, at, value or "")
            row += 1
    book.close()


def _next_sheet(book: Any, columns: Sequence[str], bold: Any) -> Any:
    """Another sheet of rows. The first is the one that a reader sees: what was asked for stands behind it."""
    number = len(book.worksheets())
    sheet = book.add_worksheet("Usage" if number == 1 else f"Usage {number}")
    if number == 1:
        sheet.activate()
    sheet.freeze_panes(1, 0)
    for at, name in enumerate(columns):
        sheet.set_column(at, at, WIDTHS.get(name, WIDTH))
        sheet.write_string(0, at, name, bold)
    return sheet


def _amount_format(decimals: int) -> str:
    """As many decimals as the currency has: a yen has none."""
    return "#,##0" + (f".{'0' * decimals}" if decimals else "")


def _guarded(table: pa.Table) -> pa.Table:
    """Words guarded, each different one once however many rows have it; figures as they are."""
    for at, field in enumerate(table.schema):
        if pa.types.is_string(field.type) and field.name not in _NUMBERS:
            encoded = table.column(at).combine_chunks().dictionary_encode()
            words = pa.array([guarded(word or "") for word in encoded.dictionary.to_pylist()], pa.string())
            table = table.set_column(at, field.name, words.take(encoded.indices))
    return table
