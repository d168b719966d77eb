"""The list of invoices, one invoice, and its downloads: the same for customers and staff, who see different ones."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, QueryDict
from django.shortcuts import get_object_or_404, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from cardhour_billing.charges.finding import read_kept
from cardhour_billing.documents import invoice_xlsx
from cardhour_billing.documents.invoice_files import absent
from cardhour_billing.documents.rendering import content_of
from cardhour_billing.frozen.document import decode
from cardhour_billing.models import Invoice
from cardhour_billing.portal import listing
from cardhour_billing.portal.access import capabilities, signed_in, visible_invoices
from cardhour_billing.portal.acts.changes import changes_of
from cardhour_billing.portal.acts.story import story_of
from cardhour_billing.portal.cards import frozen_card_charges
from cardhour_billing.portal.charts import day_charges
from cardhour_billing.portal.closing import state_of
from cardhour_billing.portal.csv_text import csv_stream
from cardhour_billing.portal.paper import as_printed
from cardhour_billing.receivables.standing import standing_of, today, with_standing
from cardhour_contract.clock import SystemClock
from cardhour_contract.errors import Refuse

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


@require_safe
@signed_in
def invoice_list(request: HttpRequest) -> HttpResponseBase:
    """Invoices with their sums; htmx asks for the results alone, ``format=csv`` for a file of all of them."""
    visible, day = with_standing(visible_invoices(request.user)), today(SystemClock())
    wanted = listing.InvoiceFilter.from_query(request.GET.dict())
    found = wanted.apply(visible, day)
    if wanted.text:
        found = listing.at_hand(found)
    if request.GET.get("format") == "csv":
        return csv_stream("invoices.csv", listing.FILE_COLUMNS, listing.file_rows(found, day))
    sums = listing.sums(found)
    count = sum(each.issued_count + each.draft_count for each in sums)
    page, rows = listing.page_of(found, count, request.GET.get("page"))
    htmx = request.headers.get("HX-Request") == "true" and request.headers.get("HX-History-Restore-Request") != "true"
    response = render(
        request,
        "parts/invoice_results.html" if htmx else "invoices.html",
        {
            "section": "invoices",
            "wanted": wanted,
            "page": page,
            "rows": [listing.row(invoice, day) for invoice in rows],
            "sums": sums,
            "csv_query": _with(request.GET, page="", format="csv"),
            "months": listing.months(visible),
            "customers": listing.customers(wanted.customer) if request.user.is_staff else [],
            "older_query": _with(request.GET, page=str(page.number + 1)) if page.has_next() else "",
            "newer_query": _with(request.GET, page=str(page.number - 1)) if page.has_previous() else "",
        },
    )
    response.headers["Vary"] = "HX-Request, Cookie, Accept-Language"
    return response


@require_safe
@signed_in
def invoice_page(request: HttpRequest, invoice_id: int) -> HttpResponse:
    """One invoice, as it is printed, with its charges by day."""
    invoice = get_object_or_404(visible_invoices(request.user).defer("inputs"), pk=invoice_id)
    frozen = bytes(invoice.frozen)
    document = decode(frozen)
    may = capabilities(request.user)
    return render(
        request,
        "invoice.html",
        {
            "story": story_of(invoice) if may.staff else None,
            "changes": changes_of(invoice) if may.staff and invoice.state == Invoice.State.DRAFT else None,
            "section": "invoices",
            "invoice": invoice,
            "document": document,
            "printed": as_printed(document),
            "findings": read_kept(invoice.findings),
            "state": state_of(invoice),
            "stands": standing_of(invoice, today(SystemClock())),
            "days": day_charges(document, other=_("Other models")),
            "cards": frozen_card_charges(frozen),
            "xml": document.number and ("xml" not in absent(invoice)),
        },
    )


@require_safe
@signed_in
def invoice_pdf_file(request: HttpRequest, invoice_id: int) -> HttpResponse:
    """The statement as PDF."""
    return _download(request, invoice_id, "pdf", "application/pdf")


@require_safe
@signed_in
def invoice_csv_file(request: HttpRequest, invoice_id: int) -> HttpResponse:
    """The lines as CSV."""
    return _download(request, invoice_id, "csv", "text/csv; charset=utf-8")


@require_safe
@signed_in
def invoice_xml_file(request: HttpRequest, invoice_id: int) -> HttpResponse:
    """The document as EN 16931 in UBL; where it cannot be said in it, 404 with the reason."""
    try:
        return _download(request, invoice_id, "xml", "application/xml")
    except Refuse as error:
        raise Http404(str(error)) from error


@require_safe
@signed_in
def invoice_xlsx_file(request: HttpRequest, invoice_id: int) -> HttpResponse:
    """The document as a workbook, made anew: it is for working with."""
    invoice: Invoice = get_object_or_404(visible_invoices(request.user), pk=invoice_id)
    return _file(invoice, "xlsx", XLSX, invoice_xlsx.render(decode(bytes(invoice.frozen))))


def _download(request: HttpRequest, invoice_id: int, form: str, content_type: str) -> HttpResponse:
    """An issued invoice's file as it was issued, a draft's as it stands now."""
    invoice: Invoice = get_object_or_404(visible_invoices(request.user), pk=invoice_id)
    content = content_of(invoice, form, SystemClock(), who=request.user.get_username())
    return _file(invoice, form, content_type, content)


def _file(invoice: Invoice, form: str, content_type: str, content: bytes) -> HttpResponse:
    name = invoice.number or f"draft-{invoice.customer.key}-{invoice.period}"
    safe = "".join(each if (each.isalnum() and each.isascii()) or each in "-_." else "_" for each in name)
    return HttpResponse(
        content,
        content_type=content_type,
        headers={"Content-Disposition": f'attachment; filename="{safe}.{form}"'},
    )


def _with(query: QueryDict, **changed: str) -> str:
    """The address's query with these changed; what is empty is left out."""
    turned = query.copy()
    for name, value in changed.items():
        turned[name] = value
        if not value:
            del turned[name]
    return turned.urlencode()
