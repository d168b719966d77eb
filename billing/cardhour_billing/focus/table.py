"""The columns of each version of FOCUS: a packaged table each, pinned, so that a newer version is another table.

Owns reading the table. Does not own what a column holds (``rows``) nor the rules between columns (``conformance``).
"""

from __future__ import annotations

import csv
from functools import cache
from importlib.resources import files
from typing import Literal

import msgspec
from msgspec import Struct

from cardhour_contract.errors import Refuse

_NAME = "columns_{version}.csv"


class Column(Struct, frozen=True, kw_only=True):
    """A column as the specification has it."""

    id: str
    level: Literal["Mandatory", "Conditional", "Recommended"]
    nullable: bool
    data_type: Literal["String", "Decimal", "Date/Time", "JSON"]
    value_format: str
    """Such as ``currency format``; empty where any text will do."""
    allowed: frozenset[str]
    """Values that may stand here; empty: any."""
    non_negative: bool


def versions() -> tuple[str, ...]:
    """The versions there is a table for, such as ``1.2``."""
    start, end = _NAME.split("{version}")
    names = [each.name for each in files(__package__).iterdir() if each.name.startswith(start)]
    return tuple(sorted(name.removeprefix(start).removesuffix(end).replace("_", ".") for name in names))


@cache
def columns(version: str) -> tuple[Column, ...]:
    """The columns of a version, in its order."""
    if version not in versions():
        raise Refuse(f"there is no table for FOCUS {version}: choose {' or '.join(versions())}")
    text = (files(__package__) / _NAME.format(version=version.replace(".", "_"))).read_text(encoding="utf-8")
    return tuple(msgspec.convert(_read(row), Column) for row in csv.DictReader(text.splitlines()))


def _read(row: dict[str, str]) -> dict[str, object]:
    return {
        "id": row["column_id"],
        "level": row["feature_level"],
        "nullable": row["allows_nulls"] == "True",
        "data_type": row["data_type"],
        "value_format": row["value_format"],
        "allowed": frozenset(filter(None, row["allowed_values"].split("|"))),
        "non_negative": row["number_range"] == "non-negative",
    }
