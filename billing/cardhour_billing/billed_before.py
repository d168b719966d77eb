"""What issued documents billed of leases and add-ons, by source. Owns reading that, and that a draft does not count."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from cardhour_billing.charge import Charge
from cardhour_billing.document import decode
from cardhour_billing.frozen_inputs import read_inputs
from cardhour_billing.models import Customer, Invoice, InvoiceLine, Lease
from cardhour_billing.month import Month
from cardhour_billing.recurring_inputs import Billed, Inputs
from cardhour_billing.recurring_inputs import read_inputs as read_charge
from cardhour_billing.standing import in_force

KINDS = ("lease", "add-on")


def billed_before(customers: Sequence[Customer], since: Month) -> dict[str, dict[str, Billed]]:
    """By customer and source, over the documents of ``since`` and later months."""
    lines = InvoiceLine.objects.filter(
        kind__in=KINDS, invoice__in=in_force(Invoice.objects.filter(period__gte=str(since), customer__in=customers))
    ).values_list("invoice_id", "invoice__customer__key", "source", "amount")
    found: dict[str, dict[str, Billed]] = {}
    rows = list(lines.order_by("invoice__issued_at_ms", "invoice_id", "position"))
    charged = _inputs({invoice for invoice, *_ in rows})
    for invoice, customer, source, amount in rows:
        known = found.setdefault(customer, {}).get(source)
        billed = amount + (known.amount if known else 0)
        found[customer][source] = Billed(amount=billed, inputs=charged[invoice, source])
    return found


def still_to_bill(customer: Customer, charges: Iterable[Charge]) -> bool:
    """Whether documents have billed just what ``charges`` take for billed. Asked under the customer's lock."""
    expected = {charge.source: read_charge(charge.inputs).billed for charge in charges if charge.kind in KINDS}
    lines = InvoiceLine.objects.filter(
        invoice__in=in_force(Invoice.objects.filter(customer=customer)), source__in=expected
    )
    found = dict.fromkeys(expected, 0)
    for source, amount in lines.values_list("source", "amount"):
        found[source] += amount
    return found == expected


def _inputs(invoices: Iterable[int]) -> dict[tuple[int, str], Inputs]:
    """The inputs of each charge of these kinds, by document and source."""
    found: dict[tuple[int, str], Inputs] = {}
    for pk, inputs in Invoice.objects.filter(pk__in=invoices).values_list("pk", "inputs").iterator():
        for charge in read_inputs(bytes(inputs)).charges:
            if charge.kind in KINDS:
                found[pk, charge.source] = read_charge(charge.inputs)
    return found


def lines_of_lease(lease: Lease) -> list[dict[str, Any]]:
    """The lines of documents, drafts too, that bill a lease, oldest first."""
    found = []
    lines = InvoiceLine.objects.filter(kind="lease", invoice__customer=lease.customer).select_related("invoice")
    for line in lines.order_by("invoice__period", "invoice_id", "position"):
        if line.source.split(":")[1] != lease.key:
            continue
        shown = next(each for each in decode(bytes(line.invoice.frozen)).lines if each.position == line.position)
        found.append(
            {
                "document": line.invoice.number or f"draft {line.invoice.period}",
                "line": line.position,
                "description": shown.description,
                "first_day": shown.first_day,
                "last_day": shown.last_day,
                "quantity": shown.printed_quantity,
                "unit": shown.unit,
                "amount": shown.amount,
                "currency": line.invoice.currency,
            }
        )
    return found
