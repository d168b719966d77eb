"""Which closed months may have to be corrected: the last few, and those that were carried forward and not billed yet.

Owns that choice, and leaving out what cannot have changed, because a month of a large fleet is long to compute. Does
not own computing it again (``adjusting``). Only months before the one that is billed count: those after it come later.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

from msgspec import Struct

from cardhour_billing.charge import Charge
from cardhour_billing.frozen_inputs import read_inputs
from cardhour_billing.models import AuditLog, Customer, Invoice, MonthEntry
from cardhour_billing.month import Month, billing_period, parse_month
from cardhour_billing.provider import ZoneMonth
from cardhour_billing.standing import in_force
from cardhour_contract.moment import HOUR_MS

CLOCK_MARGIN_MS = HOUR_MS
"""How far the clocks of the warehouse and of this machine may be apart when asking what has changed since."""


class Closed(Struct, frozen=True, kw_only=True):
    """A customer's month that is not open any more."""

    customer: Customer
    month: Month
    timezone: str
    currency: str
    since_ms: int
    """When it was computed."""
    charges: tuple[Charge, ...] = ()
    """What was charged beside usage."""
    carried: bool = False
    """It was carried forward, and nothing after it was billed yet."""

    @property
    def place(self) -> tuple[str, str]:
        """What is computed together: a month in a zone."""
        return str(self.month), self.timezone


def changed_months(zone: ZoneMonth) -> Iterator[Closed]:
    """Closed months of the zone's customers that may come to something else today, or were carried forward."""
    closed = list(_closed(zone))
    corrected = set(
        Invoice.objects.filter(
            customer__in=list(zone.customers),
            state=Invoice.State.ISSUED,
            reason__in=(Invoice.Reason.CORRECTION, Invoice.Reason.VOID),
        ).values_list("customer", flat=True)
    )
    moved = _moved(zone, closed)
    for each in closed:
        if each.carried or each.customer.pk in corrected or each.place in moved:
            yield each


def _closed(zone: ZoneMonth) -> Iterator[Closed]:
    customers = {customer.pk: customer for customer in zone.customers}
    month, back = zone.period.month, zone.settings.adjust_months
    documents = _documents(customers, str(month))
    entries = list(MonthEntry.objects.filter(customer__in=customers, period__lt=str(month)))
    billed_last: dict[int, str] = {}
    for document in documents:
        billed_last[document.customer_id] = max(document.period, billed_last.get(document.customer_id, ""))
    carried = {
        (each.customer_id, each.period)
        for each in entries
        if each.kind == MonthEntry.Kind.CARRIED and each.period > billed_last.get(each.customer_id, "")
    }
    # What a carried month would have corrected has not been billed either.
    first = str(_back(min([month, *(parse_month(period) for _, period in carried)]), back))
    billed = {(each.customer_id, each.period) for each in documents}
    for document in documents:
        if document.period >= first:
            inputs = read_inputs(bytes(document.inputs))
            yield Closed(
                customer=customers[document.customer_id],
                month=parse_month(document.period),
                timezone=inputs.timezone,
                charges=inputs.charges,
                currency=document.currency,
                since_ms=document.computed_at_ms,
            )
    for entry in entries:
        if entry.period >= first and (entry.customer_id, entry.period) not in billed:
            yield Closed(
                customer=customers[entry.customer_id],
                month=parse_month(entry.period),
                timezone=entry.timezone,
                currency=entry.currency,
                since_ms=entry.recorded_at_ms,
                carried=(entry.customer_id, entry.period) in carried,
            )


def _documents(customers: Collection[int], before: str) -> list[Invoice]:
    """What billed months before ``before``."""
    return list(in_force(Invoice.objects.filter(customer__in=customers, period__lt=before)).defer("frozen"))


def _moved(zone: ZoneMonth, closed: Iterable[Closed]) -> set[tuple[str, str]]:
    """Months, by zone, of which the ledger or the catalog changed since they were computed."""
    since: dict[tuple[str, str], int] = {}
    for each in closed:
        since[each.place] = min(each.since_ms, since.get(each.place, each.since_ms))
    moved = set()
    for place, at_ms in since.items():
        period = billing_period(parse_month(place[0]), place[1])
        catalog = AuditLog.objects.filter(action__startswith="catalog.", at_ms__gte=at_ms)
        if catalog.exists() or zone.ledger.changed_since(period.start_ms, period.end_ms, at_ms - CLOCK_MARGIN_MS):
            moved.add(place)
    return moved


def _back(month: Month, months: int) -> Month:
    total = month.year * 12 + month.month - 1 - months
    return Month(year=total // 12, month=total % 12 + 1)
