"""Rows of a list as cells that a template prints, and as rows of a file. Owns that translation alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from html import escape
from typing import Any

import msgspec
from django.urls import reverse
from django.utils.safestring import SafeString

from cardhour_billing.portal.records.asked import Asked
from cardhour_billing.portal.records.noun import Column, Look, Noun, Words
from cardhour_billing.portal.records.states import in_state_words


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """What stands in one cell. ``url`` leads to a page; empty text is shown as a dash."""

    text: str
    small: str
    narrow: str
    column: Column
    url: str

    @property
    def markup(self) -> SafeString:
        """What stands in it: a template would ask a dozen questions of each cell, and a page has hundreds."""
        parts = in_state_words(self.text) if self.column.pill else self._named()
        small = f"<small>{escape(self.small)}</small>" if self.small else ""
        narrow = f'<small class="narrow">{in_state_words(self.narrow)}</small>' if self.narrow else ""
        return SafeString(parts + small + narrow)

    def _named(self) -> str:
        text, mono = escape(self.text) or "—", ' class="mono"' if self.column.mono and self.text else ""
        if self.url:
            return f'<a href="{escape(self.url)}"{mono}>{text}</a>'
        if not self.text:
            return '<span class="faint">—</span>'
        return f"<span{mono}>{text}</span>" if mono else text


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """A column's head. ``query`` sorts by it, or the other way round; empty where it cannot be sorted by."""

    column: Column
    query: str
    sorted: str
    """``ascending``, ``descending`` or empty."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A row of the page. ``tick`` is what its box sends; empty where it has none."""

    cells: list[Cell]
    tick: str


def row_of(noun: Noun, row: Any, look: Look) -> Row:
    tick = noun.key(row) if noun.ticked and noun.tick(row) else ""
    return Row(cells=cells(noun, row, look), tick=tick)


def heads(noun: Noun, wanted: Asked) -> list[Head]:
    return [_head(noun, each, wanted) for each in noun.columns]


def cells(noun: Noun, row: Any, look: Look) -> list[Cell]:
    """The cells of a row; the first one leads to the record's page."""
    return [_cell(noun, row, each, look, first=at == 0) for at, each in enumerate(noun.columns)]


def page_url(noun: Noun, row: Any) -> str:
    return reverse("record", args=(noun.slug, noun.key(row)))


def csv_rows(noun: Noun, rows: Iterable[tuple[Any, Look]]) -> Iterator[list[Any]]:
    """What a file has of each row."""
    for row, look in rows:
        yield [each.value(row, look) for each in noun.columns]


def json_chunks(noun: Noun, rows: Iterable[tuple[Any, Look]]) -> Iterator[bytes]:
    """A JSON array, a row at a time."""
    opening = b"[\n"
    for row, look in rows:
        yield opening + msgspec.json.encode({each.key: each.value(row, look) for each in noun.columns})
        opening = b",\n"
    yield b"[]\n" if opening == b"[\n" else b"\n]\n"


def choices(noun: Noun, wanted: Asked) -> list[tuple[str, Words, list[tuple[str, Words, bool]]]]:
    """Each filter with its values, and which is chosen."""
    return [
        (
            each.key,
            each.label,
            [(value, words, wanted.chosen.get(each.key) == value) for value, words in each.choices()],
        )
        for each in noun.filters
    ]


def _head(noun: Noun, column: Column, wanted: Asked) -> Head:
    now = wanted.sort.removeprefix("-") == column.key
    sortable = bool(column.order) or (noun.stored is not None and not column.beside)
    turned = f"-{column.key}" if now and not wanted.descending else column.key
    return Head(
        column=column,
        query=wanted.query(sort=turned, page="") if sortable else "",
        sorted=("descending" if wanted.descending else "ascending") if now else "",
    )


def _cell(noun: Noun, row: Any, column: Column, look: Look, *, first: bool) -> Cell:
    url = ""
    if first:
        url = page_url(noun, row)
    elif column.leads and column.target is not None:
        url = reverse("record", args=(column.leads, column.target(row)))
    return Cell(
        text=column.text(row, look),
        small=column.small(row, look) if column.small else "",
        narrow=column.narrow(row, look) if column.narrow else "",
        column=column,
        url=url,
    )
