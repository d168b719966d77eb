"""Leases and commitments, and the balance: what a customer has a right to and what it has promised."""

from __future__ import annotations

from functools import cache, partial

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe
from structlog import get_logger

from cardhour_billing.month import local_day, month_of
from cardhour_billing.month_usage.content import MonthUsage
from cardhour_billing.month_usage.keeping import month_usage
from cardhour_billing.portal import holding
from cardhour_billing.portal.access import customer_only, own_customer
from cardhour_billing.portal.views.usage import opened_ledger
from cardhour_contract.clock import SystemClock
from cardhour_contract.errors import Retry


@require_safe
@customer_only
def leases(request: HttpRequest) -> HttpResponse:
    """Leases with how they are used this month, and what is left of commitments."""
    customer, clock = own_customer(request), SystemClock()
    usage: MonthUsage | None = None
    commitments: list[holding.CommitmentView] = []
    try:
        usage = month_usage(customer, month_of(local_day(clock.now_ms(), customer.timezone)), opened_ledger, clock)
        months = cache(partial(month_usage, customer, open_ledger=opened_ledger, clock=clock))
        commitments = holding.commitments_of(customer, months, clock)
    except Retry as error:
        get_logger().warning("usage_store_away", page="leases", customer=customer.key, error=str(error))
    facts = {
        "section": "leases",
        "customer": customer,
        "leases": holding.leases_of(customer, usage, clock),
        "commitments": commitments,
        "away": usage is None,
    }
    return render(request, "leases.html", facts)


@require_safe
@customer_only
def balance(request: HttpRequest) -> HttpResponse:
    """Money paid ahead, grants, and every movement of either."""
    customer = own_customer(request)
    facts = {
        "section": "balance",
        "customer": customer,
        "balances": holding.balances_of(customer),
        "grants": holding.grants_of(customer),
        "entries": holding.entries_of(customer),
    }
    return render(request, "balance.html", facts)
