"""Downloading usage reports, and how far each is."""

from __future__ import annotations

from datetime import date

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import render
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from cardhour_billing.config import load_config
from cardhour_billing.models import Customer, ReportRun
from cardhour_billing.portal.access import customer_only, own_customer
from cardhour_billing.usage.store import opened_warehouse
from cardhour_billing.usage_report.formats import TYPES
from cardhour_billing.usage_report.order import GROUPINGS, order_of
from cardhour_billing.usage_report.running import LOST_MS, Running
from cardhour_contract.clock import SystemClock
from cardhour_contract.errors import Refuse

SHOWN = 5
"""Reports that the page remembers."""


@require_safe
@customer_only
def report(request: HttpRequest) -> HttpResponse | StreamingHttpResponse:
    """The report that the address asks for, made while it is sent; or what is wrong with the address."""
    customer = own_customer(request)
    try:
        order = order_of(customer, request.GET.dict())
        running = Running(order, lambda: opened_warehouse(load_config()), SystemClock(), request.user.get_username())
    except Refuse as error:
        return render(request, "report_refused.html", {"section": "usage", "problem": str(error)}, status=400)
    if request.method == "HEAD":
        return HttpResponse(content_type=TYPES[order.form])
    response = StreamingHttpResponse(running, content_type=TYPES[order.form])
    response.headers["Content-Disposition"] = f'attachment; filename="{order.file_name}"'
    response.headers["Cache-Control"] = "no-store"
    return response


@require_safe
@customer_only
def report_list(request: HttpRequest) -> HttpResponse:
    """The rows of the reports alone, which the page asks for while one is being made."""
    return render(request, "parts/reports.html", {"reports": recent_reports(own_customer(request))})


def recent_reports(customer: Customer) -> list[dict[str, object]]:
    """The newest reports of a customer, as the page shows them."""
    now_ms = SystemClock().now_ms()
    return [_row(each, now_ms) for each in ReportRun.objects.filter(customer=customer)[:SHOWN]]


def grouping_names() -> list[tuple[str, str]]:
    """What a report can have one row for each of, in the language of the page."""
    names = {
        "day-project-model": _("Day, project, model"),
        "month-project-model": _("Month, project, model"),
        "day-model": _("Day, model"),
        "project-owner-model": _("Project, holder, model"),
        "day-workload": _("Day, workload (hours only)"),
        "day-card": _("Day, card (hours only)"),
        "hour-card": _("Hour, card (hours only)"),
        "quarter-workload": _("Quarter hour, workload, card (hours only)"),
    }
    return [(word, names[word]) for word in GROUPINGS]


def _row(run: ReportRun, now_ms: int) -> dict[str, object]:
    state = run.state
    if state == ReportRun.State.RUNNING and now_ms - run.seen_at_ms > LOST_MS:
        state = ReportRun.State.STOPPED
    names = dict(grouping_names())
    query = {"from": _iso(run.first_day), "to": _iso(run.last_day), "by": run.grouping, "format": run.form}
    return {
        "name": "FOCUS 1.2" if run.form == "focus" else f"{names.get(run.grouping, run.grouping)}, {run.form.upper()}",
        "first_day": _iso(run.first_day),
        "last_day": _iso(run.last_day),
        "state": state,
        "done": run.done,
        "of": run.of,
        "width": run.done * 1000 // max(run.of, 1),
        "rows": f"{run.rows:,}",
        "megabytes": f"{run.size // 1_000_000:,}.{run.size // 100_000 % 10}",
        "outcome": run.outcome,
        "query": urlencode(query),
    }


def _iso(day: date) -> str:
    return day.isoformat()
