"""Reports for the eye: as tables, CSV or JSON.

Owns how a report is printed. Does not own its bytes (``wire``) or its meaning (``record``).
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from enum import IntEnum
from typing import Any

import msgspec

from cardhour_contract.moment import format_rfc3339
from cardhour_contract.record import Report, UsageRecord

SECTIONS = ("usage", "cards", "faults", "attributions", "processes")


def as_json(reports: Iterable[Report]) -> str:
    """A list of objects, one a report, with the field names and units of ``record``."""
    return msgspec.json.format(msgspec.json.encode(list(reports)), indent=2).decode()


def as_csv(reports: Iterable[Report]) -> str:
    """The usage records of all reports, one a row."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(UsageRecord.__struct_fields__)
    for report in reports:
        writer.writerows(_cells(each) for each in report.usage)
    return out.getvalue().rstrip("\n")


def as_table(reports: Iterable[Report]) -> str:
    """Each report as a heading and one table for each kind of record that it has."""
    lines: list[str] = []
    for report in reports:
        lines += [
            f"node {report.node}  cluster {report.cluster}  basis {report.basis}  boot {report.boot_id}",
            f"{format_rfc3339(report.started_at_ms)} to {format_rfc3339(report.ended_at_ms)}"
            f"  clock {'synchronised' if report.ntp_synced else 'not known to be synchronised'}",
        ]
        if report.scan is not None:
            lines += _section(f"scan at {format_rfc3339(report.scan.at_ms)}", report.scan.cards)
        for name in SECTIONS:
            lines += _section(name, getattr(report, name))
        lines.append("")
    return "\n".join(lines).rstrip("\n")


def rows_as_table(records: Sequence[msgspec.Struct]) -> str:
    """Records of one kind, below their field names."""
    return "\n".join(line.removeprefix("  ") for line in _section("", records)[2:])


def rows_as_csv(records: Sequence[msgspec.Struct]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(records[0].__struct_fields__)
    writer.writerows(_cells(each) for each in records)
    return out.getvalue().rstrip("\n")


def rows_as_json(records: Sequence[msgspec.Struct]) -> str:
    return msgspec.json.format(msgspec.json.encode(list(records)), indent=2).decode()


def _section(title: str, records: Sequence[msgspec.Struct]) -> list[str]:
    if not records:
        return []
    rows = [list(records[0].__struct_fields__), *(_cells(each) for each in records)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
    return ["", title, *(f"  {line.rstrip()}" for line in lines)]


def _cells(record: msgspec.Struct) -> list[str]:
    return [_cell(name, getattr(record, name)) for name in record.__struct_fields__]


def _cell(name: str, value: Any) -> str:
    if value is None:
        return "-"
    if name.endswith("_at_ms"):
        return format_rfc3339(value)
    if name == "process":
        return f"{value:016x}"
    if isinstance(value, IntEnum):
        return value.name.lower()
    return ("yes" if value else "no") if isinstance(value, bool) else str(value)
