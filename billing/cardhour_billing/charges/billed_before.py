"""What issued documents billed of leases and add-ons, by source. Owns reading that, and which documents count."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from django.db.models import QuerySet

from cardhour_billing.frozen.credit_line import parse_credit
from cardhour_billing.frozen.document import decode
from cardhour_billing.frozen.inputs import read_inputs
from cardhour_billing.leases.inputs import Billed, Inputs
from cardhour_billing.leases.inputs import read_inputs as read_charge
from cardhour_billing.models import Customer, Invoice, InvoiceLine, Lease
from cardhour_billing.month import Month
from cardhour_billing.receivables.standing import in_force

KINDS = ("lease", "add-on")


def billed_before(customers: Sequence[Customer], since: Month) -> dict[str, dict[str, Billed]]:
    """By customer and source, over the documents of ``since`` and later months."""
    lines = list(_lines(Invoice.objects.filter(period__gte=str(since), customer__in=customers)))
    charged = _inputs({line.invoice for line in lines})
    found: dict[str, dict[str, Billed]] = {}
    for line in lines:
        mine = found.setdefault(line.customer, {})
        before = mine[line.source].amount if line.source in mine else 0
        mine[line.source] = Billed(amount=before + line.amount, inputs=charged[line.invoice, line.source])
    return found


class _Line(NamedTuple):
    invoice: int
    customer: str
    source: str
    amount: int
    """Less what credit notes corrected of it."""


def _lines(invoices: QuerySet[Invoice]) -> Iterator[_Line]:
    """The lines that count, oldest first. What is void bills nothing; a goodwill or an SLA credit is a gift."""
    counted = in_force(invoices).values("pk")
    credited: dict[tuple[str, int], int] = {}
    notes = InvoiceLine.objects.filter(
        invoice__original__in=counted,
        invoice__state=Invoice.State.ISSUED,
        invoice__reason=Invoice.Reason.CORRECTION,
        kind="credit",
    )
    for source, amount in notes.values_list("source", "amount"):
        at = parse_credit(source)
        credited[at] = credited.get(at, 0) + amount
    lines = InvoiceLine.objects.filter(kind__in=KINDS, invoice__in=counted)
    columns = lines.values_list(
        "invoice_id", "invoice__customer__key", "invoice__number", "position", "source", "amount"
    )
    for invoice, customer, number, position, source, amount in columns.order_by(
        "invoice__issued_at_ms", "invoice_id", "position"
    ):
        yield _Line(invoice, customer, source, amount + credited.get((str(number), position), 0))


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
