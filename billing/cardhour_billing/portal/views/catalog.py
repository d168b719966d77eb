"""Changing the catalog, for billing: a form or a text, a preview with its effect in money, and applying it."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST, require_safe
from structlog import get_logger

from cardhour_billing.catalog.applying import apply_catalog
from cardhour_billing.config import load_config
from cardhour_billing.models import Price
from cardhour_billing.month import parse_month
from cardhour_billing.portal.access import billing_only
from cardhour_billing.portal.catalog import forms
from cardhour_billing.portal.catalog.effect import (
    CHANGES_MAX,
    TEXT_BYTES_MAX,
    Effect,
    Planned,
    effect,
    months,
    planned,
)
from cardhour_billing.portal.catalog.fields import Form
from cardhour_billing.portal.phrases import without_line
from cardhour_billing.portal.records.catalog_lists import in_words
from cardhour_billing.portal.records.nouns import NOUNS
from cardhour_billing.portal.staff_zone import staff_zone
from cardhour_billing.portal.today.money import forget_money
from cardhour_billing.usage.ledger import WarehouseLedger
from cardhour_billing.usage.store import kept_warehouse
from cardhour_contract.clock import SystemClock
from cardhour_contract.errors import Refuse, Retry

OTHER_FILES = {
    b"PK\x03\x04": "a workbook or a ZIP archive",
    b"\x1f\x8b": "compressed",
    b"%PDF": "a PDF",
    b"\xff\xfe": "in UTF-16",
    b"\xfe\xff": "in UTF-16",
}
"""What people upload by mistake, by how it begins: the word that helps is not that a byte is wrong."""


@require_safe
@billing_only
def text_page(request: HttpRequest) -> HttpResponse:
    """A catalog as text, or as a file to upload."""
    return _text(request, "")


@require_safe
@billing_only
def form_page(request: HttpRequest, name: str) -> HttpResponse:
    """The form of a new record, or of one in force (``id``)."""
    form, row = _form(name), _row(name, request.GET.get("id", ""))
    if isinstance(row, Price) and in_words(row):
        return redirect("catalog-text")  # tiers and bands are written, not clicked
    values = form.values(row, staff_zone()) if row is not None else forms.typed(form, request.GET.dict())
    return _filled(request, form, row, values)


@require_POST
@billing_only
def form_preview(request: HttpRequest, name: str) -> HttpResponse:
    """What the form would change, before it is saved."""
    form, row = _form(name), _row(name, request.POST.get("id_of", ""))
    values = forms.typed(form, request.POST.dict())
    if row is not None:
        kept = form.values(row, staff_zone())
        values |= {field.key: kept[field.key] for field in form.fields if field.fixed}
    try:
        text = forms.catalog_of(form, values, row, staff_zone())
        found = planned(text)
    except Refuse as error:
        problems = [without_line(each) for each in error.problems]
        return _filled(request, form, row, values, problems=problems, status=422)
    return _preview(request, text, found)


@require_POST
@billing_only
def preview(request: HttpRequest) -> HttpResponse:
    """What a text, or an uploaded file, would change."""
    try:
        text = _given(request)
        found = planned(text)
    except Refuse as error:
        return _text(request, request.POST.get("text", ""), problems=error.problems, status=422)
    return _preview(request, text, found)


@require_POST
@billing_only
def apply(request: HttpRequest) -> HttpResponse:
    """Apply exactly what was shown; sent a second time it changes nothing."""
    text = request.POST.get("text", "")
    try:
        found = planned(text)
        if not found.changes:
            messages.success(request, _("Nothing to change: the catalog says this already."))
            return redirect("catalog-text")
        if found.digest != request.POST.get("shown"):
            return _preview(request, text, found, changed=True, status=409)
        apply_catalog(found.file, found.changes, clock=SystemClock(), who=request.user.get_username())
        forget_money()
    except Refuse as error:
        return _text(request, text, problems=error.problems, status=409)
    count = len(found.changes)
    said = ngettext("%(count)s change was applied.", "%(count)s changes were applied.", count)
    messages.success(request, said % {"count": count})
    slug = next((form.slug for form in forms.FORMS.values() if form.name == found.changes[0].kind), "")
    return redirect("records", slug) if slug else redirect("catalog-text")


def _given(request: HttpRequest) -> str:
    """The text of the upload, or what was typed."""
    upload = request.FILES.get("file")
    if upload is None:
        return request.POST.get("text", "")
    if (upload.size or 0) > TEXT_BYTES_MAX:
        raise Refuse(f"{upload.name} has more than {TEXT_BYTES_MAX} bytes: apply it with cardhour catalog apply")
    content: bytes = upload.read()
    for start, what in OTHER_FILES.items():
        if content.startswith(start):
            raise Refuse(f"{upload.name} is {what}: a catalog is a text file (TOML) in UTF-8")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Refuse(f"{upload.name} is not a text in UTF-8: {error.reason} at byte {error.start}") from error


def _form(name: str) -> Form:
    form = forms.FORMS.get(name)
    if form is None:
        raise Http404(f"there is no form of {name}")
    return form


def _row(name: str, key: str) -> Any:
    """The record in force that is changed; None for a new one."""
    noun = NOUNS[_form(name).slug]
    if not key or noun.rows is None:
        return None
    rows = noun.rows()
    row = rows.filter(pk=int(key)).first() if key.isascii() and key.isdigit() and len(key) < 18 else None
    if row is None or (noun.bitemporal and getattr(row, "superseded_by", None) is not None):
        raise Http404(f"there is no {name} {key} in force")
    return row


def _filled(
    request: HttpRequest, form: Form, row: Any, values: dict[str, str], *, status: int = 200, **more: object
) -> HttpResponse:
    facts = {
        "section": form.slug,
        "noun": NOUNS[form.slug],
        "form": form,
        "row": row,
        "fields": [(field, values.get(field.key, ""), forms.options(field)) for field in form.fields],
        "since": values.get(forms.SINCE, ""),
        "timezone": staff_zone(),
    }
    return render(request, "catalog_form.html", {**facts, **more}, status=status)


def _text(request: HttpRequest, text: str, *, status: int = 200, **more: object) -> HttpResponse:
    facts = {"section": "catalog", "text": text, "bytes_max": TEXT_BYTES_MAX // 1024}
    return render(request, "catalog_text.html", {**facts, **more}, status=status)


def _preview(
    request: HttpRequest, text: str, found: Planned, *, changed: bool = False, status: int = 200
) -> HttpResponse:
    clock, timezone = SystemClock(), staff_zone()
    usual, offered = months(found.changes, timezone, clock.now_ms())
    month = _month(request.POST.get("month", ""), usual)
    facts = {
        "section": "catalog",
        "text": text,
        "timezone": timezone,
        "changes": found.changes[:CHANGES_MAX],
        "count": len(found.changes),
        "digest": found.digest,
        "month": month,
        "months": sorted({*offered, month}),
        "changed": changed,
        "effect": _effect(found, month, clock) if found.changes else None,
    }
    return render(request, "catalog_preview.html", facts, status=status)


def _month(text: str, usual: str) -> str:
    """The month that was asked for, however long ago; the usual one where it is none."""
    try:
        return str(parse_month(text))
    except Refuse:
        return usual


def _effect(found: Planned, month: str, clock: SystemClock) -> Effect | None:
    """None where the usage store does not answer: the catalog can be changed without it."""
    try:
        with kept_warehouse(load_config()) as warehouse:
            return effect(found.file, parse_month(month), ledger=WarehouseLedger(warehouse), clock=clock)
    except Retry as error:
        get_logger().warning("usage_store_away", page="catalog", error=str(error))
        return None
