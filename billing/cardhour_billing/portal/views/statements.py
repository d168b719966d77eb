"""Statements of account: those that were sent, their files, and answering one."""

from __future__ import annotations

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from cardhour_billing.figures import grouped
from cardhour_billing.models import Customer, Statement
from cardhour_billing.money import Money
from cardhour_billing.portal.access import customer_only, own_customer
from cardhour_billing.portal.statement_page import answer_of, give, shown
from cardhour_billing.statements import csv as statement_csv
from cardhour_billing.statements import pdf as statement_pdf
from cardhour_billing.statements.statement import document_of, state
from cardhour_contract.clock import SystemClock
from cardhour_contract.errors import Refuse

SHOWN_MAX = 100

FILES = {
    "pdf": ("application/pdf", statement_pdf.render),
    "csv": ("text/csv; charset=utf-8", statement_csv.render),
}


@require_safe
@customer_only
def statement_list(request: HttpRequest) -> HttpResponse:
    """Every statement that was sent, newest first."""
    return render(request, "statements.html", {"section": "statements", "statements": _rows(own_customer(request))})


@require_safe
@customer_only
def statement_file(request: HttpRequest, statement_id: int, form: str) -> HttpResponse:
    """A statement as PDF or CSV, of the figures that were frozen when it was drawn up."""
    if form not in FILES:
        raise Http404
    statement = _find(request, statement_id)
    content_type, render_file = FILES[form]
    name = f"statement-{statement.first_day}-{statement.last_day}-{statement.revision}.{form}"
    return HttpResponse(
        render_file(document_of(statement)),
        content_type=content_type,
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


@require_http_methods(["GET", "HEAD", "POST"])
@customer_only
def statement_page(request: HttpRequest, statement_id: int) -> HttpResponse:
    """One statement line by line, with what was said of it, and its two answers: confirm it, or dispute lines."""
    statement, who = _find(request, statement_id), request.user.get_username()
    said = answer_of(request.POST)
    problems: tuple[str, ...] = ()
    if request.method == "POST":
        try:
            give(statement, said, by=who, words=said.reason, clock=SystemClock(), who=who)
        except Refuse as error:
            problems = error.problems
        else:
            messages.success(request, _("Recorded. Your provider sees what you said."))
            return redirect("statement", statement.pk)
    facts = {
        **shown(statement),
        "section": "statements",
        "history": statement.events.order_by("-id"),
        "problems": problems,
        "typed": said if problems else None,
    }
    return render(request, "statement.html", facts, status=409 if problems else 200)


def _find(request: HttpRequest, statement_id: int) -> Statement:
    """A statement of the customer that was sent: a draft is ours to draw up again."""
    found: Statement = get_object_or_404(Statement, pk=statement_id, customer=own_customer(request))
    if state(found) == "draft":
        raise Http404
    return found


def _rows(customer: Customer) -> list[dict[str, object]]:
    found = Statement.objects.filter(customer=customer).prefetch_related("events").defer("frozen")
    rows = []
    for each in found.order_by("-last_day", "-first_day", "-revision")[:SHOWN_MAX]:
        events = sorted(each.events.all(), key=lambda event: event.pk)
        if events:
            rows.append(
                {
                    "id": each.pk,
                    "first_day": each.first_day.isoformat(),
                    "last_day": each.last_day.isoformat(),
                    "revision": each.revision,
                    "currency": each.currency,
                    "opening": grouped(str(Money(amount=each.opening, currency=each.currency))),
                    "closing": grouped(str(Money(amount=each.closing, currency=each.currency))),
                    "state": events[-1].kind,
                }
            )
    return rows
