"""Lists and their records, for staff: searched, narrowed, sorted, paged, taken away as a file. They read only."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any
from urllib.parse import urlencode

from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe
from structlog import get_logger

from cardhour_billing.config import load_config
from cardhour_billing.portal.access import staff_only
from cardhour_billing.portal.csv_text import csv_stream
from cardhour_billing.portal.records.asked import Asked, asked
from cardhour_billing.portal.records.found import every, in_memory, in_store, page_of
from cardhour_billing.portal.records.history import entries, time_chart, versions
from cardhour_billing.portal.records.noun import Look, Noun, Words
from cardhour_billing.portal.records.nouns import NOUNS
from cardhour_billing.portal.records.shown import cells, choices, csv_rows, heads, json_chunks, row_of
from cardhour_billing.portal.staff_zone import staff_zone
from cardhour_billing.usage.store import kept_warehouse
from cardhour_contract.clock import SystemClock
from cardhour_contract.errors import Retry

KEY_DIGITS_MAX = 18
BESIDE_ROWS = 100
"""Rows of a file for which what takes long is read at once."""


@require_safe
@staff_only
def list_page(request: HttpRequest, slug: str) -> HttpResponseBase:
    """The list ``slug``; htmx asks for the results alone, ``format=csv`` and ``json`` for a file of all of them."""
    noun, look = _noun(slug), _look()
    wanted = asked(noun, request.GET.dict())
    try:
        rows, summary = _rows(noun, wanted, look)
    except Retry as error:
        get_logger().warning("usage_store_away", page=slug, error=str(error))
        return render(request, "records.html", {**_facts(noun), "away": True}, status=503)
    form = request.GET.get("format", "")
    if form in ("csv", "json"):
        return _file(noun, form, rows, look)
    page = page_of(rows, wanted.page)
    look = _beside(noun, page.rows, look)
    htmx = request.headers.get("HX-Request") == "true" and request.headers.get("HX-History-Restore-Request") != "true"
    response = render(
        request,
        "parts/record_results.html" if htmx else "records.html",
        {
            **_facts(noun),
            "asked": wanted,
            "page": page,
            "heads": heads(noun, wanted),
            "rows": [row_of(noun, row, look) for row in page.rows],
            "summary": summary,
            "choices": [] if htmx else choices(noun, wanted),
            "csv_query": wanted.query(page="", format="csv"),
            "json_query": wanted.query(page="", format="json"),
            "before_query": wanted.query(page=page.number - 1) if page.number > 1 else "",
            "after_query": wanted.query(page=page.number + 1) if page.number < page.pages else "",
            "here": wanted.query(page=""),
            "timezone": look.timezone,
        },
    )
    response.headers["Vary"] = "HX-Request, Cookie, Accept-Language"
    return response


@require_safe
@staff_only
def record_page(request: HttpRequest, slug: str, key: str) -> HttpResponseBase:
    """One record: what it says, its history, and what leads on from it."""
    noun, look = _noun(slug), _look()
    try:
        row = _record(noun, key)
        texts = _texts(noun, row)
        look = _beside(noun, [] if row is None else [row], look)
    except Retry as error:
        get_logger().warning("usage_store_away", page=slug, error=str(error))
        return render(request, "records.html", {**_facts(noun), "away": True}, status=503)
    if row is None:
        raise Http404(f"there is no record {key} in {slug}")
    history = versions(noun, row, look)
    first = noun.columns[0]
    return render(
        request,
        "record.html",
        {
            **_facts(noun),
            "row": row,
            "key": key,
            "name": first.text(row, look),
            "mono": first.mono,
            "facts": [(each, text) for each in noun.facts if (text := each.text(row, look))],
            "versions": [(each, cells(noun, each.row, look)) for each in history],
            "heads": heads(noun, asked(noun, {})),
            "chart": time_chart(history, look, width=1080),
            "chart_phone": time_chart(history, look, width=330),
            "entries": entries(noun, row, look),
            "texts": texts,
            "parts": [(each, list(each.rows(row, look))) for each in noun.parts],
            "related": [(NOUNS[each.slug], urlencode(each.query(row))) for each in noun.related],
            "current": next((each.row.pk for each in history if not each.superseded_at), None),
            "timezone": look.timezone,
        },
    )


def _noun(slug: str) -> Noun:
    noun = NOUNS.get(slug)
    if noun is None:
        raise Http404(f"there is no list {slug}")
    return noun


def _look() -> Look:
    """Times of lists are the issuer's: staff of one installation work by one clock."""
    return Look(timezone=staff_zone(), now_ms=SystemClock().now_ms())


def _facts(noun: Noun) -> dict[str, object]:
    return {"section": noun.slug, "noun": noun}


def _rows(noun: Noun, wanted: Asked, look: Look) -> tuple[QuerySet[Any] | Sequence[Any], Any]:
    """The rows that are asked for, and what is said of all of them."""
    if noun.rows is not None:
        return in_store(noun, noun.rows(), wanted, look), None
    stored = _stored(noun)
    return in_memory(noun, stored, wanted, look), noun.summary(stored) if noun.summary else None


def _stored(noun: Noun) -> Sequence[Any]:
    if noun.stored is None:
        return ()
    with kept_warehouse(load_config()) as warehouse:
        return noun.stored(warehouse)


def _texts(noun: Noun, row: Any) -> Sequence[tuple[Words, str]]:
    if noun.texts is None or row is None:
        return ()
    with kept_warehouse(load_config()) as warehouse:
        return noun.texts(warehouse, row)


def _beside(noun: Noun, rows: Sequence[Any], look: Look) -> Look:
    """The look that also has what is read for these rows alone."""
    if noun.beside is None or not rows:
        return look
    with kept_warehouse(load_config()) as warehouse:
        return replace(look, beside=noun.beside(warehouse, rows, look.now_ms))


def _looked(noun: Noun, rows: Iterable[Any], look: Look) -> Iterator[tuple[Any, Look]]:
    """Every row with how it is looked at, a chunk at a time."""
    if noun.beside is None:
        yield from ((row, look) for row in rows)
        return
    left = iter(rows)
    while chunk := list(islice(left, BESIDE_ROWS)):
        there = _beside(noun, chunk, look)
        yield from ((row, there) for row in chunk)


def _record(noun: Noun, key: str) -> Any:
    if noun.rows is None:
        return next((row for row in _stored(noun) if noun.key(row) == key), None)
    if not (key.isascii() and key.isdigit() and len(key) <= KEY_DIGITS_MAX):
        return None
    return noun.rows().filter(pk=int(key)).first()


def _file(noun: Noun, form: str, rows: QuerySet[Any] | Sequence[Any], look: Look) -> StreamingHttpResponse:
    """Everything that was found, a chunk at a time."""
    looked = _looked(noun, every(rows), look)
    if form == "csv":
        return csv_stream(f"{noun.slug}.csv", [each.key for each in noun.columns], csv_rows(noun, looked))
    return StreamingHttpResponse(
        json_chunks(noun, looked),
        content_type="application/json",
        headers={"Content-Disposition": f'attachment; filename="{noun.slug}.json"'},
    )
