"""Finding the rows of a list: narrowed, ordered, a page of them, or all of them one after another for a file.

Owns the conditions that every list has. Does not own what a list's own filters mean (``noun``).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import or_
from typing import Any

from django.db.models import Q, QuerySet

from cardhour_billing.models.bitemporal import NOT_SUPERSEDED
from cardhour_billing.portal.records.asked import Asked
from cardhour_billing.portal.records.noun import Look, Noun

PAGE_ROWS = 50
"""Rows a page: what a person reads before searching instead."""
CHUNK_ROWS = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A page of rows. ``count`` rows in all."""

    rows: Sequence[Any]
    count: int
    number: int

    @property
    def pages(self) -> int:
        return max(1, -(-self.count // PAGE_ROWS))


def page_of(rows: QuerySet[Any] | Sequence[Any], number: int) -> Page:
    """Page ``number``, or the last one there is."""
    count = rows.count() if isinstance(rows, QuerySet) else len(rows)
    number = min(max(number, 1), max(1, -(-count // PAGE_ROWS)))
    start = (number - 1) * PAGE_ROWS
    return Page(rows=list(rows[start : start + PAGE_ROWS]), count=count, number=number)


def every(rows: QuerySet[Any] | Sequence[Any]) -> Iterable[Any]:
    """All rows, a chunk in memory at a time."""
    return rows.iterator(chunk_size=CHUNK_ROWS) if isinstance(rows, QuerySet) else rows


def in_store(noun: Noun, rows: QuerySet[Any], wanted: Asked, look: Look) -> QuerySet[Any]:
    """The rows of a table that are asked for, in order."""
    if noun.bitemporal:
        rows = rows.select_related("superseded_by").filter(_in_time(wanted, look))
    if wanted.text:
        rows = rows.filter(reduce(or_, (Q(**{f"{name}__icontains": wanted.text}) for name in noun.search)))
    for each in noun.filters:
        if each.key in wanted.chosen:
            rows = rows.filter(each.match(wanted.chosen[each.key]))
    column = noun.column(wanted.sort.removeprefix("-"))
    names = [*(column.order if column else ()), "pk"]
    return rows.order_by(*(f"-{name}" if wanted.descending else name for name in names))


def in_memory(noun: Noun, rows: Iterable[Any], wanted: Asked, look: Look) -> list[Any]:
    """The same of rows that came all at once."""
    found = list(rows)
    if wanted.text:
        text = wanted.text.casefold()
        found = [row for row in found if any(text in each.text(row, look).casefold() for each in noun.columns)]
    for each in noun.filters:
        if each.key in wanted.chosen:
            found = list(filter(each.match(wanted.chosen[each.key]), found))
    column = noun.column(wanted.sort.removeprefix("-"))
    if column is not None:
        of_row = column.value
        found.sort(key=lambda row: _comparable(of_row(row, look)), reverse=wanted.descending)
    return found


def _comparable(value: Any) -> tuple[int, Any]:
    """Figures before words, nothing last: values of one column need not be of one kind."""
    return (2, "") if value in (None, "") else (0, value) if isinstance(value, int) else (1, str(value))


def _in_time(wanted: Asked, look: Look) -> Q:
    """In force then, as it was known then."""
    known_ms, on_ms = wanted.known_ms(look.timezone), wanted.on_ms(look.timezone)
    condition = _known(known_ms, wanted.state)
    if on_ms is not None:
        condition &= Q(valid_from_ms__lte=on_ms) & (Q(valid_to_ms__isnull=True) | Q(valid_to_ms__gt=on_ms))
    now_ms = look.now_ms
    if wanted.state == "in-force":
        condition &= Q(valid_from_ms__lte=now_ms) & (Q(valid_to_ms__isnull=True) | Q(valid_to_ms__gt=now_ms))
    elif wanted.state == "future":
        condition &= Q(valid_from_ms__gt=now_ms)
    elif wanted.state == "ended":
        condition &= Q(valid_to_ms__lte=now_ms)
    return condition


def _known(known_ms: int | None, state: str) -> Q:
    """What no row supersedes, now or as it was known."""
    if state == "all":
        return Q() if known_ms is None else Q(recorded_at_ms__lt=known_ms)
    if known_ms is None:
        return Q(superseded_by__isnull=False) if state == "superseded" else NOT_SUPERSEDED
    then = Q(recorded_at_ms__lt=known_ms)
    later = Q(superseded_by__isnull=True) | Q(superseded_by__recorded_at_ms__gte=known_ms)
    return then & (~later if state == "superseded" else later)
