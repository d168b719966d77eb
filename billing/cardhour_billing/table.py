"""Printing data: one list of rows as a table for people, CSV for spreadsheets, or JSON for programs.

Owns the three forms. Data goes to standard output; everything else a command says goes to standard error.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import click
import msgspec
from rich.console import Console
from rich.table import Table

from cardhour_billing.spreadsheet import guarded

F = TypeVar("F", bound=Callable[..., Any])


def format_option(command: F) -> F:
    """``--format table|csv|json``."""
    return click.option(
        "--format",
        "form",
        type=click.Choice(["table", "csv", "json"]),
        default="table",
        show_default=True,
        help="How to print: a table for reading, CSV for a spreadsheet, JSON for a program.",
    )(command)


def print_rows(
    rows: Sequence[Mapping[str, Any]],
    form: str,
    *,
    columns: Sequence[str] = (),
    right: Sequence[str] = (),
    title: str = "",
) -> None:
    """Print ``rows``. ``columns`` names them where there may be no row; ``right`` are texts that are figures."""
    names = list(columns) or list(rows[0] if rows else ())
    if form == "json":
        sys.stdout.buffer.write(msgspec.json.format(msgspec.json.encode(list(rows)), indent=2) + b"\n")
        sys.stdout.flush()
    elif form == "csv":
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(names)
        writer.writerows([_cell(row.get(name)) for name in names] for row in rows)
    else:
        _print_table(rows, names, right, title)


def console() -> Console:
    """Standard output for tables, as wide as they need where nobody is looking."""
    return Console(width=None if sys.stdout.isatty() else 200, highlight=False, markup=False)


def notes() -> Console:
    """Standard error, for everything that is not data."""
    return Console(stderr=True, highlight=False, markup=False, soft_wrap=True)


def _print_table(rows: Sequence[Mapping[str, Any]], names: Sequence[str], right: Sequence[str], title: str) -> None:
    table = Table(title=title or None, title_justify="left", header_style="bold", box=None, pad_edge=False)
    for name in names:
        figures = name in right or any(isinstance(row.get(name), int) for row in rows)
        table.add_column(name, justify="right" if figures else "left", overflow="fold")
    for row in rows:
        table.add_row(*(_text(row.get(name)) for name in names))
    console().print(table)


def _text(value: Any) -> str:
    if value is None:
        return "–"
    return f"{value:,}" if type(value) is int else str(value)


def _cell(value: Any) -> Any:
    if value is None:
        return ""
    return guarded(value) if isinstance(value, str) else value
