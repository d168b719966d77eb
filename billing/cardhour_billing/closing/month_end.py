"""A month that ends without a document: nothing to bill, or less than the smallest invoice.

Owns the entry that says so. An empty month may still get its document, as when an owner is bound to a customer
afterwards, as long as no later month has billed it; a carried one may not, because a later month will. Does not own
what becomes of it later (``charges.adjustments``).
"""

from __future__ import annotations

from collections.abc import Collection

from django.db import transaction

from cardhour_billing.invoices.drafting import invoice_of
from cardhour_billing.models import Customer, Invoice, InvoiceLine, MonthEntry
from cardhour_billing.money import Money
from cardhour_billing.month import BillingPeriod


def closed_without(customers: Collection[Customer], period: BillingPeriod) -> dict[int, MonthEntry]:
    """The entries of a month that is over and gets no document any more, by the customer's key in the store."""
    entries = MonthEntry.objects.filter(customer__in=customers, period=str(period.month)).select_related("customer")
    return {
        each.customer_id: each
        for each in entries
        if each.kind == MonthEntry.Kind.CARRIED or _billed_later(each.customer, period)
    }


def close_without(customer: Customer, period: BillingPeriod, total: Money, rated_at_ms: int, who: str) -> MonthEntry:
    """Close a month without a document, as it was rated at an instant. A draft of it goes away."""
    with transaction.atomic():
        Customer.objects.select_for_update().get(pk=customer.pk)
        known = invoice_of(customer, period)
        if known and known.state == Invoice.State.DRAFT:
            known.delete()
        entry, _ = MonthEntry.objects.get_or_create(
            customer=customer,
            period=str(period.month),
            defaults={
                "timezone": period.timezone,
                "kind": MonthEntry.Kind.CARRIED if total.amount else MonthEntry.Kind.EMPTY,
                "currency": total.currency,
                "total": total.amount,
                "recorded_at_ms": rated_at_ms,
                "who": who,
            },
        )
        return entry


def _billed_later(customer: Customer, period: BillingPeriod) -> bool:
    """Whether the document of a later month bills something of this one."""
    later = InvoiceLine.objects.filter(
        invoice__customer=customer, invoice__state=Invoice.State.ISSUED, invoice__period__gt=str(period.month)
    )
    return later.filter(source__startswith=f"adjustment:{period.month}:").exists()
