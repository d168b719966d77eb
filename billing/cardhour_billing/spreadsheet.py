"""What a spreadsheet would do to a cell of ours, and how it is kept from doing it.

Owns the guard against formulas, for every CSV and workbook that leaves CardHour.
"""

from __future__ import annotations

_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
"""First characters that make Excel, LibreOffice or WPS calculate a cell; full-width ones count in East Asia."""


def guarded(value: str) -> str:
    """A cell of words. One that would be taken for a formula gets the apostrophe that spreadsheets read as text."""
    return f"'{value}" if value.startswith(_FORMULA_STARTS) else value
