"""The month close: its checklist and invoices, and issuing them. Whoever is staff looks; billing issues."""

from __future__ import annotations

import secrets
from functools import partial

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_http_methods, require_POST, require_safe

from cardhour_billing.closing.close import CloseOrder
from cardhour_billing.closing.run import begin, checks_of, latest, looked_at, start
from cardhour_billing.config import load_config
from cardhour_billing.models import CloseRun, Issuer
from cardhour_billing.month import parse_month
from cardhour_billing.portal import close_issue, closing
from cardhour_billing.portal.access import billing_only, capabilities, staff_only
from cardhour_billing.portal.close_findings import findings_of
from cardhour_billing.usage.store import opened_ledger
from cardhour_contract.clock import SystemClock
from cardhour_contract.errors import Refuse
from cardhour_contract.moment import HOUR_MS

RECENT_MS = 24 * HOUR_MS
"""How long a finished run stays on the page."""


@require_safe
@staff_only
def close_page(request: HttpRequest, month: str = "") -> HttpResponse:
    """The close of ``month``, or of the newest month that has an invoice."""
    clock, config = SystemClock(), load_config()
    shown = _month(month) if month else closing.shown_month(clock)
    if not shown:
        return render(request, "close.html", {"section": "close", "close": None})
    run = latest(shown, config, clock=clock)
    checked, checks = checks_of(shown)
    close = closing.month_close(shown, request.GET.get("page", ""), clock)
    return render(
        request,
        "close.html",
        {
            "section": "close",
            "close": close,
            "findings": findings_of(shown, checks, close.progress.blocked, bill=capabilities(request.user).bill),
            "checked": checked,
            "run": run if run and (run.finished_at_ms or run.heard_at_ms) > clock.now_ms() - RECENT_MS else None,
            "settled": close_issue.settled(shown, config.billing, clock),
            "zone": _zone(),
            "token": secrets.token_hex(16),
        },
    )


@require_POST
@billing_only
def draft(request: HttpRequest, month: str) -> HttpResponse:
    """Compute the drafts of ``month`` again, and with them the checklist."""
    order = CloseOrder(month=parse_month(_month(month)), who=request.user.get_username())
    return _run(request, order)


@require_http_methods(["GET", "HEAD", "POST"])
@billing_only
def issue(request: HttpRequest, month: str) -> HttpResponse:
    """Show what would be issued, then issue exactly that."""
    config, clock = load_config(), SystemClock()
    asked = request.POST if request.method == "POST" else request.GET
    chosen = [] if asked.get("all") else asked.getlist("customer")
    if not asked.get("all") and not chosen:
        return redirect("close-month", _month(month))
    wanted = close_issue.to_issue(_month(month), chosen)
    settled = close_issue.settled(month, config.billing, clock)
    late = settled.grace_over or asked.get("within_grace") == "yes"
    changed = request.method == "POST" and asked.get("shown") != wanted.digest
    known = CloseRun.objects.filter(token=asked.get("token", "")[:40]).first() if request.method == "POST" else None
    if known:
        return redirect("close-month", known.month)
    if request.method == "POST" and settled.ended and late and wanted.count and not changed:
        order = CloseOrder(
            month=parse_month(month),
            who=request.user.get_username(),
            customers=wanted.customers,
            issue=True,
            within_grace=True,
            confirmed=wanted.totals,
        )
        return _run(request, order)
    facts = {
        "section": "close",
        "month": month,
        "previous": str(parse_month(month).minus(1)),
        "wanted": wanted,
        "settled": settled,
        "changed": changed,
        "must_agree": request.method == "POST" and not late,
        "zone": _zone(),
        "token": secrets.token_hex(16),
    }
    return render(request, "close_issue.html", facts, status=409 if request.method == "POST" else 200)


@require_GET
@staff_only
def run_panel(request: HttpRequest, run_id: int) -> HttpResponse:
    """How far a run is, for htmx; the page is asked to load again when it has ended."""
    run = looked_at(get_object_or_404(CloseRun, pk=run_id), load_config(), clock=SystemClock())
    answer = render(request, "parts/close_run.html", {"run": run, "zone": _zone()})
    if run.state != CloseRun.State.RUNNING:
        answer.headers["HX-Refresh"] = "true"
    return answer


def _run(request: HttpRequest, order: CloseOrder) -> HttpResponse:
    """Begin what was asked for, once for each form, and show the month."""
    config, clock = load_config(), SystemClock()
    run, first = begin(order, request.POST.get("token", "")[:40] or secrets.token_hex(16), clock=clock)
    if first:
        start(run, order, config, partial(opened_ledger, config), clock)
    return redirect("close-month", str(order.month))


def _month(text: str) -> str:
    try:
        return str(parse_month(text))
    except Refuse as error:
        raise Http404(str(error)) from error


def _zone() -> str:
    issuer = Issuer.objects.first()
    return issuer.timezone if issuer else "UTC"
