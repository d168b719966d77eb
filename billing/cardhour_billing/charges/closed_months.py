"""Which closed months may have to be corrected: the last few, and those that were carried forward and not billed yet.

Owns that choice, and leaving out what cannot have changed, because a month of a large fleet is long to compute. Does
not own computing it again (``adjustments``). Only months before the one that is billed count: those after it come
later.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from django.db.models import Max
from msgspec import Struct

from cardhour_billing.charges.provider import ZoneMonth
from cardhour_billing.frozen.inputs import read_inputs
from cardhour_billing.models import AuditLog, Customer, Invoice, MonthEntry
from cardhour_billing.month import Month, billing_period, parse_month
from cardhour_billing.rating.charge import Charge
from cardhour_billing.receivables.standing import in_force
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
    document: Invoice | None = None
    """What billed it; without its frozen data, which are read when they are asked for."""
    carried: bool = False
    """It was carried forward, and nothing after it was billed yet."""

    def charged(self, kind: str) -> tuple[Charge, ...]:
        """Charges of a kind, as they were billed."""
        if self.document is None:
            return ()
        charges = read_inputs(bytes(self.document.inputs)).charges
        return tuple(charge for charge in charges if charge.kind == kind)

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
    before, back = str(zone.period.month), zone.settings.adjust_months
    earlier = in_force(Invoice.objects.filter(customer__in=customers, period__lt=before)).defer("frozen", "inputs")
    billed_last = dict(earlier.order_by().values_list("customer").annotate(last=Max("period")))
    entries = list(MonthEntry.objects.filter(customer__in=customers, period__lt=before))
    carried = [
        each
        for each in entries
        if each.kind == MonthEntry.Kind.CARRIED and each.period > billed_last.get(each.customer_id, "")
    ]
    # What a carried month would have corrected has not been billed either.
    first = str(min([zone.period.month, *(parse_month(each.period) for each in carried)]).minus(back))
    billed = set()
    for document in earlier.filter(period__gte=first):
        billed.add((document.customer_id, document.period))
        customer = customers[document.customer_id]
        yield Closed(
            customer=customer,
            month=parse_month(document.period),
            timezone=_timezone(document, customer),
            currency=document.currency,
            since_ms=document.computed_at_ms,
            document=document,
        )
    for entry in entries:
        if entry.period >= first and (entry.customer_id, entry.period) not in billed:
            yield Closed(
                customer=customers[entry.customer_id],
                month=parse_month(entry.period),
                timezone=entry.timezone,
                currency=entry.currency,
                since_ms=entry.recorded_at_ms,
                carried=entry in carried,
            )


def _timezone(document: Invoice, customer: Customer) -> str:
    """The zone that a document's month was in: mostly the customer's of today, without a look into the document."""
    period = billing_period(parse_month(document.period), customer.timezone)
    if (period.start_ms, period.end_ms) == (document.period_start_ms, document.period_end_ms):
        return customer.timezone
    return read_inputs(bytes(document.inputs)).timezone


def _moved(zone: ZoneMonth, closed: Iterable[Closed]) -> set[tuple[str, str]]:
    """Months, by zone, of which the ledger or the catalog changed since they were computed."""
    since: dict[tuple[str, str], int] = {}
    for each in closed:
        since[each.place] = min(each.since_ms, since.get(each.place, each.since_ms))
    moved = set()
    for place, at_ms in since.items():
        period = billing_period(parse_month(place[0]), place[1])
        catalog = AuditLog.objects.filter(action__regex=r"^(catalog|lease)\.", at_ms__gte=at_ms)
        if catalog.exists() or zone.ledger.changed_since(period.start_ms, period.end_ms, at_ms - CLOCK_MARGIN_MS):
            moved.add(place)
    return moved
