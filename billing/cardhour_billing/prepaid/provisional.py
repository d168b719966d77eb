"""Prepaid customers, hour by hour: what they have used and not been billed for, against what they paid ahead.

Owns that look and its hour. What is unbilled is rated anew each time, from the first instant of each open month, as its
draft would be: so late usage, a corrected price or a grant correct it by themselves, and no charge of an earlier hour
has to be undone. Does not own levels and events (``level``) nor invoices (``zone_close``).
"""

from __future__ import annotations

from collections.abc import Iterable

from cardhour_billing.charges.grants import taken_by
from cardhour_billing.closing.zone_close import ZoneClose
from cardhour_billing.config import BillingSettings
from cardhour_billing.models import Customer, Event, Invoice, ProvisionalCharge
from cardhour_billing.money import Money
from cardhour_billing.month import Month, billing_period, local_day, month_of, parse_month
from cardhour_billing.prepaid.level import look
from cardhour_billing.receivables.credit import prepaid_of
from cardhour_billing.receivables.standing import in_force
from cardhour_billing.usage.ledger import Ledger
from cardhour_contract.clock import Clock
from cardhour_contract.moment import HOUR_MS, floor_to

AS_ISSUED, UNADJUSTED = BillingSettings(), BillingSettings(adjust_months=0)

EARLIEST = Month(year=1, month=1)
"""Before any month that was billed."""

OPEN_MONTHS = 3
"""How far back a month without an invoice counts as unbilled: this one, the one in its grace hours, and one more."""


def charge_provisionally(ledger: Ledger, clock: Clock) -> list[Event]:
    """Look at every prepaid customer for the hour that has begun; what was crossed. Twice adds nothing."""
    customers = list(Customer.objects.select_related("issuer").filter(prepaid=True))
    if not customers:
        return []
    ledger.settle()
    hour_ms = floor_to(clock.now_ms(), HOUR_MS)
    unbilled = _unbilled(customers, ledger, clock)
    crossed: list[Event] = []
    for customer in customers:
        amount = unbilled[customer.pk]
        ProvisionalCharge.objects.get_or_create(
            customer=customer,
            hour_ms=hour_ms,
            defaults={
                "currency": customer.currency,
                "unbilled": amount.amount,
                "prepaid": prepaid_of(customer, customer.currency).amount,
                "at_ms": clock.now_ms(),
            },
        )
        if event := look(customer, clock):
            crossed.append(event)
    return crossed


def _unbilled(customers: Iterable[Customer], ledger: Ledger, clock: Clock) -> dict[int, Money]:
    sums = {each.pk: Money(amount=0, currency=each.currency) for each in customers}
    zones: dict[str, list[Customer]] = {}
    for each in customers:
        zones.setdefault(each.timezone, []).append(each)
    for zone, here in sorted(zones.items()):
        spent: dict[int, int] = {}  # no two open months have the same grant
        months = _open_months(local_month(clock, zone))
        billed = _billed(here, months)
        begun: set[int] = set()
        for month in months:
            period = billing_period(month, zone)
            wanting = [each for each in here if month not in billed[each.pk]]
            # What the draft of this month would come to: grants and tax, and every charge, as it would be issued. What
            # closed months have yet to bill comes with the first open one after them, and with no other.
            first = [
                each for each in wanting if each.pk not in begun and month > max(billed[each.pk], default=EARLIEST)
            ]
            begun |= {each.pk for each in first}
            later = [each for each in wanting if each not in first]
            for settings, asked in ((AS_ISSUED, first), (UNADJUSTED, later)):
                if not asked:
                    continue
                rated = ZoneClose(period, asked, asked[0].issuer.currency, ledger, clock, settings, spent)
                for each in asked:
                    content = rated.content(each)
                    sums[each.pk] = sums[each.pk] + content.assess(each.currency).total
                    for grant, amount in taken_by(content.charges).items():
                        spent[grant] = spent.get(grant, 0) + amount
    return sums


def _billed(customers: Iterable[Customer], months: Iterable[Month]) -> dict[int, set[Month]]:
    """The months that are billed, by customer."""
    found: dict[int, set[Month]] = {each.pk: set() for each in customers}
    issued = in_force(Invoice.objects.filter(customer__in=found, period__in=[str(month) for month in months]))
    for customer, period in issued.values_list("customer", "period"):
        found[customer].add(parse_month(period))
    return found


def local_month(clock: Clock, zone: str) -> Month:
    """The month that it is in a zone."""
    return month_of(local_day(clock.now_ms(), zone))


def _open_months(now: Month) -> list[Month]:
    months = [now]
    for _ in range(OPEN_MONTHS - 1):
        months.append(months[-1].minus(1))
    return months[::-1]
