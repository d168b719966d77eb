"""A credit note and voiding: a form, what it would give back, and giving it back."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from cardhour_billing.documents.rendering import keep
from cardhour_billing.figures import grouped
from cardhour_billing.invoices.crediting import REASONS, creditable
from cardhour_billing.portal.access import billing_only
from cardhour_billing.portal.acts import credit
from cardhour_billing.portal.views.acts.shared import check_seen, done, issued_invoice, seen
from cardhour_billing.receivables.allocating import name_of, payers_of
from cardhour_contract.clock import SystemClock
from cardhour_contract.errors import Refuse


@require_http_methods(["GET", "HEAD", "POST"])
@billing_only
def credit_page(request: HttpRequest, invoice_id: int) -> HttpResponse:
    """Lines to give back; ``step=issue`` gives back what was previewed."""
    invoice, clock, who = issued_invoice(request, invoice_id), SystemClock(), request.user.get_username()
    form, problem, given = request.POST, "", None
    rows: tuple[credit.CreditRow, ...] = ()
    asked = {int(name[5:]): form[name] for name in form if name.startswith("line-") and name[5:].isdecimal()}
    known = credit.notes_of(invoice)
    try:
        whole = creditable(invoice)
        rows = credit.rows(whole, asked)
        if request.method == "POST":
            lines, reason = credit.read_lines(whole, asked), form.get("reason", "")
            given = credit.preview(invoice, lines, reason, clock=clock, who=who)
            if form.get("step") == "issue":
                check_seen(form.get("seen", ""), given)
                shown = form.get("known", "")
                note = credit.issue(
                    invoice, lines, reason, known=int(shown) if shown.isdecimal() else -1, clock=clock, who=who
                )
                keep(note, clock, who=who)
                return done(request, invoice, _("Issued as %(number)s.") % {"number": note.number})
    except Refuse as error:
        problem = str(error)
    facts = {
        "section": "invoices",
        "invoice": invoice,
        "rows": rows,
        "given": given,
        "seen": seen(given) if given else "",
        "problem": problem,
        "known": known,
        "reasons": REASONS,
        "reason": form.get("reason", ""),
    }
    return render(request, "acts/credit.html", facts, status=409 if problem and request.method == "POST" else 200)


@require_http_methods(["GET", "HEAD", "POST"])
@billing_only
def void_page(request: HttpRequest, invoice_id: int) -> HttpResponse:
    """What voiding would do; POST with a reason does it."""
    invoice, clock, who = issued_invoice(request, invoice_id), SystemClock(), request.user.get_username()
    problem, given, because = "", None, request.POST.get("because", "")
    try:
        if request.method == "POST":
            shown = request.POST.get("known", "")
            known = int(shown) if shown.isdecimal() else -1
            note = credit.issue_void(invoice, because=because, known=known, clock=clock, who=who)
            keep(note, clock, who=who)
            return done(request, invoice, _("Void; credited by %(number)s.") % {"number": note.number})
    except Refuse as error:
        problem = str(error)
    try:
        given = credit.preview_void(invoice, clock=clock, who=who)
    except Refuse as error:
        problem = problem or str(error)
    facts = {
        "section": "invoices",
        "invoice": invoice,
        "given": given,
        "problem": problem,
        "because": because,
        "known": credit.notes_of(invoice),
        "paid_by": [(name_of(source), grouped(str(amount))) for source, amount in payers_of(invoice)],
        "gifts": invoice.credit_notes.filter(reason__in=("goodwill", "sla"), state="issued"),
    }
    return render(request, "acts/void.html", facts, status=409 if problem and request.method == "POST" else 200)
