"""Keeping months of usage: put together each hour for everyone who looks, and at once for who asks first.

Owns which month is read from where, and when it is made anew. A billed month is made once, from what its invoice froze;
an open one again and again. Does not own making it (``building``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager

from django.db.models import Q
from structlog import get_logger

from cardhour_billing.models import Customer, Invoice, MonthEntry, UsageSnapshot
from cardhour_billing.month import BillingPeriod, Month, billing_period, local_day, month_of, parse_month
from cardhour_billing.month_usage.building import billed_month, open_months, plain_month
from cardhour_billing.month_usage.content import MonthUsage, decode, encode
from cardhour_billing.receivables.standing import in_force
from cardhour_billing.usage.ledger import Ledger
from cardhour_contract.clock import Clock
from cardhour_contract.errors import Refuse, Retry

OpenLedger = Callable[[], AbstractContextManager[Ledger]]

OPEN_MONTHS = 2
"""The month that it is, and the one before while it is not billed."""


def month_usage(customer: Customer, month: Month, open_ledger: OpenLedger, clock: Clock) -> MonthUsage:
    """What is known of a month. Raises Retry where it was never put together and the usage store is away."""
    invoice = _billed(customer, month)
    kept = UsageSnapshot.objects.filter(customer=customer, period=str(month)).first()
    if kept is not None and kept.document == (str(invoice.number) if invoice else ""):
        return decode(bytes(kept.content))
    period = billing_period(month, customer.timezone)
    if invoice is None:
        with open_ledger() as ledger:
            ((_, made),) = open_months(period, [customer], ledger, clock)
    else:
        try:
            with open_ledger() as ledger:
                made = billed_month(invoice, ledger, clock)
        except Retry as error:
            get_logger().warning("usage_store_away", customer=customer.key, month=str(month), error=str(error))
            return plain_month(invoice, period, clock)
    keep(customer, made)
    return made


def keep(customer: Customer, usage: MonthUsage) -> None:
    """Replace what was kept of the month."""
    UsageSnapshot.objects.update_or_create(
        customer=customer,
        period=usage.month,
        defaults={
            "document": usage.document,
            "computed_at_ms": usage.computed_at_ms,
            "content": encode(usage),
        },
    )


def refresh(ledger: Ledger, clock: Clock) -> int:
    """Put the open months of everyone who looks together anew; how many there were."""
    ledger.settle()
    done = 0
    for (period, _), customers in _due(_lookers(), clock).items():
        for customer, made in open_months(period, customers, ledger, clock):
            keep(customer, made)
            done += 1
    return done


def months_of(customer: Customer, clock: Clock) -> list[Month]:
    """The months that a customer may choose from, newest first: the present one, and every one with an invoice."""
    found = {month_of(local_day(clock.now_ms(), customer.timezone))}
    issued = Invoice.objects.filter(customer=customer, state=Invoice.State.ISSUED).values_list("period", flat=True)
    kept = UsageSnapshot.objects.filter(customer=customer).values_list("period", flat=True)
    return sorted(found | {parse_month(period) for period in {*issued, *kept}}, reverse=True)


def checked_month(text: str, months: Iterable[Month]) -> Month | None:
    """The month that an address names, if it may be chosen."""
    try:
        month = parse_month(text)
    except Refuse:
        return None
    return month if month in months else None


def _billed(customer: Customer, month: Month) -> Invoice | None:
    found = in_force(Invoice.objects.filter(customer=customer, period=str(month))).select_related("customer__issuer")
    # A page that finds the month kept needs none of what it was billed from.
    return found.defer("frozen", "inputs").order_by("-revision").first()


def _lookers() -> list[Customer]:
    """Customers with a login or a budget."""
    looking = Q(portal_users__isnull=False) | Q(budgets__isnull=False)
    return list(Customer.objects.select_related("issuer").filter(looking).distinct().order_by("key"))


def _due(customers: Iterable[Customer], clock: Clock) -> dict[tuple[BillingPeriod, str], list[Customer]]:
    """Open months with the customers that they are open for. A zone is rated in one currency's list values."""
    found: dict[tuple[BillingPeriod, str], list[Customer]] = {}
    for each in customers:
        now = month_of(local_day(clock.now_ms(), each.timezone))
        for back in range(OPEN_MONTHS):
            month = now.minus(back)
            ended = MonthEntry.objects.filter(customer=each, period=str(month)).exists()
            if not ended and _billed(each, month) is None:
                period = billing_period(month, each.timezone)
                found.setdefault((period, each.issuer.currency), []).append(each)
    return found
