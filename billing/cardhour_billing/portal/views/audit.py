"""The audit log, for staff: who did what, searched and taken away, and whether the log is whole."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any
from urllib.parse import urlencode

import msgspec
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from cardhour_billing.audit.chain import CHUNK_ROWS, HEADS_FILE, Wanted, entries, read_heads, verify_chain
from cardhour_billing.config import load_config
from cardhour_billing.models import AuditLog
from cardhour_billing.month import day_start_ms
from cardhour_billing.portal.access import staff_only
from cardhour_billing.portal.audit_words import action_words, detail_words, subject_words
from cardhour_billing.portal.csv_text import csv_stream
from cardhour_billing.portal.staff_zone import staff_zone
from cardhour_contract.moment import format_rfc3339

PAGE_ROWS = 50
TEXT_CHARS_MAX = 150
COLUMNS = ("position", "at", "who", "action", "subject", "detail")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What the address asks for; days are inclusive, in the issuer's zone. ``before``: entries before this one."""

    who: str
    action: str
    subject: str
    first: str
    last: str
    before: int | None

    def query(self, **changed: object) -> str:
        values = {"who": self.who, "action": self.action, "subject": self.subject, "first": self.first,
                  "last": self.last, **changed}  # fmt: skip
        return urlencode({name: value for name, value in values.items() if value})

    def wanted(self, timezone: str) -> Wanted:
        last = date.fromisoformat(self.last) + timedelta(days=1) if self.last else None
        return Wanted(
            who=self.who,
            action=self.action,
            subject=self.subject,
            from_ms=day_start_ms(date.fromisoformat(self.first), timezone) if self.first else None,
            to_ms=day_start_ms(last, timezone) if last else None,
        )


@require_safe
@staff_only
def audit_page(request: HttpRequest) -> HttpResponseBase:
    """Entries, newest first, a page by key; ``format=csv`` for all of them, oldest first."""
    asked, timezone = _asked(request.GET.dict()), staff_zone()
    found = entries(asked.wanted(timezone))
    if request.GET.get("format") == "csv":
        return csv_stream("audit-log.csv", COLUMNS, _rows(found.iterator(chunk_size=CHUNK_ROWS)))
    older = found.filter(position__lt=asked.before) if asked.before is not None else found
    shown = list(older.reverse()[: PAGE_ROWS + 1])
    return render(
        request,
        "audit.html",
        {
            "section": "audit",
            "asked": asked,
            "rows": [_shown(each, timezone) for each in shown[:PAGE_ROWS]],
            "older_query": asked.query(before=shown[PAGE_ROWS - 1].position) if len(shown) > PAGE_ROWS else "",
            "newest_query": asked.query() if asked.before is not None else "",
            "csv_query": asked.query(format="csv"),
            "narrowed": bool(asked.query()),
            "timezone": timezone,
        },
    )


@require_POST
@staff_only
def verify(request: HttpRequest) -> HttpResponse:
    """Walk the whole log, and hold it against the heads that were exported."""
    chain = verify_chain(read_heads(load_config().home / HEADS_FILE))
    if chain.broken:
        messages.error(request, _("The log is broken: %(where)s.") % {"where": chain.broken})
    else:
        told = _("The log is whole: %(entries)s entries, %(heads)s exported heads agree; its head is %(head)s.")
        facts = {"entries": f"{chain.entries:,}", "heads": f"{chain.heads_checked:,}", "head": chain.head[:16] + "…"}
        messages.success(request, told % facts)
    return redirect("audit")


def _shown(entry: AuditLog, timezone: str) -> dict[str, object]:
    """An entry as a row, in the language of the page."""
    return {
        "entry": entry,
        "action": action_words(entry.action),
        "subject": subject_words(entry.action, entry.subject),
        "detail": detail_words(entry.detail, timezone),
    }


def _asked(query: Mapping[str, str]) -> Asked:
    texts = {name: query.get(name, "").strip().replace("\x00", "")[:TEXT_CHARS_MAX] for name in COLUMNS[2:5]}
    before = query.get("before", "")
    return Asked(
        **texts,
        first=_day(query.get("first", "")),
        last=_day(query.get("last", "")),
        before=int(before) if before.isascii() and before.isdigit() and len(before) < 19 else None,
    )


def _day(text: str) -> str:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return ""
    return day.isoformat() if 1970 <= day.year <= 9000 else ""


def _rows(found: Iterator[Any]) -> Iterator[list[Any]]:
    for each in found:
        detail = msgspec.json.encode(each.detail, order="sorted").decode()
        yield [each.position, format_rfc3339(each.at_ms), each.who, each.action, each.subject, detail]
