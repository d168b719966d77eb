"""The customer's home: a month of usage and charges, and how leased cards were used."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe
from structlog import get_logger

from cardhour_billing.config import load_config
from cardhour_billing.models import Customer, Invoice
from cardhour_billing.month import Month, clock_time
from cardhour_billing.month_usage.content import MonthUsage
from cardhour_billing.month_usage.forecast import forecast
from cardhour_billing.month_usage.idle import idle_spells
from cardhour_billing.month_usage.keeping import checked_month, month_usage, months_of
from cardhour_billing.portal import usage_page
from cardhour_billing.portal.access import customer_only, own_customer
from cardhour_billing.portal.usage_chart import Names, day_picture, grouping, leased_picture
from cardhour_billing.portal.views.reports import grouping_names, recent_reports
from cardhour_billing.receivables.standing import in_force
from cardhour_billing.usage.ledger import Ledger, WarehouseLedger
from cardhour_billing.usage.store import kept_warehouse
from cardhour_contract.clock import SystemClock
from cardhour_contract.errors import Retry


@contextmanager
def opened_ledger() -> Iterator[Ledger]:
    """The usage ledger of this installation."""
    with kept_warehouse(load_config()) as warehouse:
        yield WarehouseLedger(warehouse)


@require_safe
@customer_only
def usage(request: HttpRequest) -> HttpResponse:
    """``month`` and ``by`` live in the address; the newest month is shown first."""
    customer = own_customer(request)
    clock = SystemClock()
    months = months_of(customer, clock)
    month = checked_month(request.GET["month"], months) if request.GET.get("month") else months[0]
    by = grouping(request.GET.get("by", ""))
    if month is None:
        raise Http404("there is no such month")
    facts = {"section": "usage", "customer": customer, "month": str(month), "by": by, **_neighbours(months, month)}
    try:
        shown = month_usage(customer, month, opened_ledger, clock)
    except Retry as error:
        get_logger().warning("usage_store_away", page="usage", customer=customer.key, error=str(error))
        return render(request, "usage.html", {**facts, "away": True}, status=503)
    names = Names(
        usage=_("On demand"),
        leased=_("Leases and other charges, by day") if _others(shown) else _("Leased, by day"),
        other=_("Others"),
        undated=_("Of no day"),
        none=_("No project"),
    )
    expected = forecast(shown)
    return render(
        request,
        "usage.html",
        {
            **facts,
            "usage": shown,
            "figures": _figures(customer, shown, month),
            "as_of": clock_time(shown.computed_at_ms, shown.timezone),
            "picture": day_picture(shown, expected, by, names),
            "projects": usage_page.project_table(shown, names.other),
            "what": usage_page.what_table(shown),
            "works": usage_page.work_table(shown),
            "leased": leased_picture(shown),
            "idle": _idle(shown),
            "groupings": grouping_names(),
            "reports": recent_reports(customer),
            "unpriced": [(model, usage_page.hours_of(us)) for model, us in shown.unpriced],
        },
    )


def _others(shown: MonthUsage) -> bool:
    """Whether anything but leases is charged by day, such as storage."""
    return any(each.days and each.kind != "lease" for each in shown.charges)


def _figures(customer: Customer, shown: MonthUsage, month: Month) -> dict[str, object]:
    """The row of figures at the top."""
    expected, currency = forecast(shown), shown.currency
    before = in_force(Invoice.objects.filter(customer=customer, period=str(month.minus(1)), currency=currency))
    last = before.values_list("net", flat=True).first()
    leased_us = sum(sum(card.leased_us) for card in shown.leased_cards)
    used_us = sum(sum(card.used_us) for card in shown.leased_cards)
    whole = expected.amount if expected else shown.to_date
    return {
        "to_date": usage_page.text_of(shown.to_date, currency),
        "forecast": usage_page.text_of(expected.amount, currency) if expected else "",
        "low": usage_page.text_of(expected.low, currency) if expected else "",
        "high": usage_page.text_of(expected.high, currency) if expected else "",
        "daily": usage_page.text_of(expected.daily, currency) if expected else "",
        "days": expected.days if expected else 0,
        "before": usage_page.text_of(last, currency) if last is not None else "",
        "before_month": str(month.minus(1)),
        "change": usage_page.signed_percent(whole, last or 0),
        "hours": usage_page.hours_of(sum(cell.quantity_us for cell in shown.cells if cell.kind == "usage")),
        "leased_part": usage_page.part_percent(used_us, leased_us),
        "leased_used": usage_page.hours_of(used_us),
        "leased_hours": usage_page.hours_of(leased_us),
    }


def _idle(shown: MonthUsage) -> list[dict[str, object]]:
    return [
        {
            "lease": spell.lease,
            "node": spell.node,
            "cards": spell.cards,
            "since": spell.since,
            "hours": usage_page.hours_of(spell.idle_us),
            "worth": usage_page.text_of(spell.worth, shown.currency),
        }
        for spell in idle_spells(shown)[:3]
    ]


def _neighbours(months: list[Month], month: Month) -> dict[str, object]:
    at = months.index(month)
    return {
        "months": [str(each) for each in months],
        "older": str(months[at + 1]) if at + 1 < len(months) else "",
        "newer": str(months[at - 1]) if at else "",
    }
