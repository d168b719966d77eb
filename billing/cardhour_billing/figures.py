"""How figures are written for people: grouped money, minus signs, days and months in English and Chinese.

Owns the text of figures that are already decided; the PDF and the portal both take it from here, so that one amount
never looks two ways. Does not own rounding or arithmetic (``money``): every function takes text and only rewrites it.
"""

from __future__ import annotations

import datetime

MINUS = "\u2212"
"""A true minus sign: as wide as a plus, and never broken from its figure at the end of a line."""

UNITS = {
    "card-hour": ("card-hour", "卡时"),
    "card-month": ("card-month", "卡月"),
    "server-month": ("server-month", "台月"),
    "month": ("month", "月"),
    "item": ("item", "项"),
}
"""What quantities are counted in, in English and Chinese."""

MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)


def grouped(amount: str) -> str:
    """``-75092.72`` as ``−75,092.72``. Decimals stay exactly as given."""
    sign, digits = (MINUS, amount[1:]) if amount.startswith("-") else ("", amount)
    whole, point, decimals = digits.partition(".")
    return f"{sign}{int(whole):,}{point}{decimals}"


def negated(amount: str) -> str:
    """``-75092.72`` as ``75092.72`` and the other way round; nothing has no sign."""
    if not amount.strip("-0."):
        return amount.removeprefix("-")
    return amount.removeprefix("-") if amount.startswith("-") else f"-{amount}"


def day_en(day: str) -> str:
    """``2026-12-03`` as ``3 December 2026``."""
    at = datetime.date.fromisoformat(day)
    return f"{at.day} {MONTHS[at.month - 1]} {at.year}"


def day_zh(day: str) -> str:
    """``2026-12-03`` as ``2026 年 12 月 3 日``."""
    at = datetime.date.fromisoformat(day)
    return f"{at.year} 年 {at.month} 月 {at.day} 日"


def month_en(month: str) -> str:
    """``2026-10`` (or a day in it) as ``October 2026``."""
    at = datetime.date.fromisoformat(f"{month[:7]}-01")
    return f"{MONTHS[at.month - 1]} {at.year}"


def month_zh(month: str) -> str:
    """``2026-10`` (or a day in it) as ``2026 年 10 月``."""
    at = datetime.date.fromisoformat(f"{month[:7]}-01")
    return f"{at.year} 年 {at.month} 月"


def days_en(first_day: str, last_day: str) -> str:
    """Two days of one document, inclusive: ``1–31 October``, ``5 October``, ``28 September – 3 October``."""
    first, last = datetime.date.fromisoformat(first_day), datetime.date.fromisoformat(last_day)
    if first == last:
        return f"{first.day} {MONTHS[first.month - 1]}"
    if (first.year, first.month) == (last.year, last.month):
        return f"{first.day}–{last.day} {MONTHS[last.month - 1]}"
    return f"{first.day} {MONTHS[first.month - 1]} – {last.day} {MONTHS[last.month - 1]}"


def days_zh(first_day: str, last_day: str) -> str:
    """Two days of one document, inclusive: ``10 月 1–31 日``, ``10 月 5 日``, ``9 月 28 日 – 10 月 3 日``."""
    first, last = datetime.date.fromisoformat(first_day), datetime.date.fromisoformat(last_day)
    if first == last:
        return f"{first.month} 月 {first.day} 日"
    if (first.year, first.month) == (last.year, last.month):
        return f"{first.month} 月 {first.day}–{last.day} 日"
    return f"{first.month} 月 {first.day} 日 – {last.month} 月 {last.day} 日"


def period_iso(first_day: str, last_day: str) -> str:
    """``2026-10-01 – 10-31``; the second year only where it differs."""
    return f"{first_day} – {last_day[5:] if first_day[:4] == last_day[:4] else last_day}"
