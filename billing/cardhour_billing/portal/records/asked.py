"""What an address asks of a list: search, filters, the two times, order, page. What is none is as good as not given.

Owns reading a query string and turning it into other ones. Does not own finding (``found``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from urllib.parse import urlencode

from cardhour_billing.month import day_start_ms
from cardhour_billing.portal.records.noun import Noun
from cardhour_billing.portal.records.texts import STATES

TEXT_CHARS_MAX = 100
PAGE_DIGITS_MAX = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """on: rows in force on that day. known: as it was known at the end of that day. state: one of ``STATES``, ``all``
    or empty for what no other row supersedes."""

    text: str
    chosen: Mapping[str, str]
    state: str
    on: str
    known: str
    sort: str
    page: int

    @property
    def narrowed(self) -> bool:
        return bool(self.text or self.chosen or self.state or self.on or self.known)

    @property
    def descending(self) -> bool:
        return self.sort.startswith("-")

    def query(self, **changed: object) -> str:
        """The query string of this, with something else."""
        values: dict[str, object] = {
            "q": self.text, **self.chosen, "state": self.state, "on": self.on, "known": self.known, "sort": self.sort,
            "page": self.page if self.page > 1 else "",
        }  # fmt: skip
        values |= changed
        return urlencode({name: value for name, value in values.items() if value})

    def on_ms(self, timezone: str) -> int | None:
        """The beginning of the day in which rows shall be in force."""
        return day_start_ms(date.fromisoformat(self.on), timezone) if self.on else None

    def known_ms(self, timezone: str) -> int | None:
        """The end of the day as of which they shall be known."""
        return day_start_ms(date.fromisoformat(self.known) + timedelta(days=1), timezone) if self.known else None


def asked(noun: Noun, query: Mapping[str, str]) -> Asked:
    """What ``query`` asks of the list of ``noun``."""
    sort = query.get("sort", "")
    column = noun.column(sort.removeprefix("-"))
    sortable = column is not None and (bool(column.order) or noun.stored is not None)
    page = query.get("page", "")
    state = query.get("state", "")
    return Asked(
        text=query.get("q", "").strip().replace("\x00", "")[:TEXT_CHARS_MAX],
        chosen={
            each.key: value.replace("\x00", "")[:TEXT_CHARS_MAX]
            for each in noun.filters
            if (value := query.get(each.key, ""))
        },
        state=state if noun.bitemporal and state in (*STATES, "all") else "",
        on=_day(query.get("on", "")) if noun.bitemporal else "",
        known=_day(query.get("known", "")) if noun.bitemporal else "",
        sort=sort if sortable else noun.order,
        page=int(page) if page.isascii() and page.isdigit() and len(page) <= PAGE_DIGITS_MAX and int(page) else 1,
    )


def _day(text: str) -> str:
    """An ISO day that a clock can show, or nothing."""
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return ""
    return day.isoformat() if 1970 <= day.year <= 9000 else ""
