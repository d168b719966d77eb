"""The catalog as a file: TOML in, typed tables with their line numbers out.

Owns reading the file and finding where each table stands. Does not own what a table says (``catalog_<noun>``) nor what
the tables mean against the store (``plan``). Every problem of the file is collected, each with its line.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import msgspec

from cardhour_billing.catalog.noun import CatalogFile, Located, Noun
from cardhour_billing.catalog.nouns import NOUNS
from cardhour_contract.errors import Refuse

FILE_BYTES_MAX = 64 * 1024 * 1024
"""A catalog of half a million tables; above it someone named the wrong file."""

_HEADER = re.compile(r"\s*\[+\s*([A-Za-z_-]+)\s*\]+\s*(?:#.*)?$")


def read_catalog(path: Path) -> CatalogFile:
    """Read ``path``. Problems of single tables are in ``problems``; a file that is no TOML is refused at once."""
    try:
        if path.stat().st_size > FILE_BYTES_MAX:
            raise Refuse(f"{path} is larger than {FILE_BYTES_MAX} bytes: is it a catalog?")
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Refuse(f"{path}: {error}") from error
    return parse_catalog(text, path)


def parse_catalog(text: str, path: Path) -> CatalogFile:
    """The same of a text that ``path`` names in messages; it need not be a file."""
    try:
        content = tomllib.loads(text)
    except RecursionError as error:
        raise Refuse(f"{path}: nested more deeply than any catalog is") from error
    except ValueError as error:  # TOML's own, and Python's about a number of thousands of digits
        raise Refuse(f"{path}: {error}") from error
    lines = _header_lines(text)
    file = CatalogFile(path=path)
    for name in content.keys() - {noun.name for noun in NOUNS}:
        file.problems.append(f"{_where(path, lines, name, 0)}: [{name}] is not a table of a catalog")
    for noun in NOUNS:
        found = _tables(file, lines, content, noun)
        file.tables[noun.table] = found
        for located in found:
            file.problems += [f"{located.where}: {problem}" for problem in noun.problems(located.table)]
    return file


def _header_lines(text: str) -> dict[str, list[int]]:
    """Line numbers of each table's headers, in order."""
    found: dict[str, list[int]] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if match := _HEADER.match(line):
            found.setdefault(match[1], []).append(number)
    return found


def _where(path: Path, lines: dict[str, list[int]], name: str, at: int) -> str:
    numbers = lines.get(name, [])
    return f"{path}:{numbers[at]}" if at < len(numbers) else str(path)


def _tables(
    file: CatalogFile, lines: dict[str, list[int]], content: dict[str, Any], noun: Noun[Any]
) -> list[Located[Any]]:
    found: list[Located[Any]] = []
    name = noun.name
    if name not in content:
        return found
    raw = content[name]
    if isinstance(raw, dict) and not noun.alone:
        file.problems.append(f"{_where(file.path, lines, name, 0)}: write [[{name}]]")
        return found
    tables = [raw] if isinstance(raw, dict) else raw
    if len(lines.get(name, ())) != len(tables):
        lines = {}  # inline tables, or text that looks like a header: better no line than a wrong one
    for at, values in enumerate(tables):
        where = _where(file.path, lines, name, at)
        try:
            found.append(Located(where=where, table=msgspec.convert(values, noun.table)))
        except msgspec.ValidationError as error:
            file.problems.append(f"{where}: [{name}] {_readable(error, values)}")
            if isinstance(values.get("id"), str):
                file.unreadable.add(values["id"])
    return found


def _readable(error: msgspec.ValidationError, values: dict[str, Any]) -> str:
    if isinstance(values.get("rate"), int | float):
        return 'rate: write the rate in quotes, such as "6": a bare number would be read as binary'
    if isinstance(values.get("amount"), int | float):
        return (
            'amount: write the price in quotes, such as "1.25": a bare number would be read as binary, and lose digits'
        )
    return re.sub(r" - at `\$\.?(.*)`$", r" (\1)", str(error)).replace("Object", "the table").replace(" ()", "")
