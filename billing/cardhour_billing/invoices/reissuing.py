"""Issuing a month again after its invoice was voided: a further revision, drafted and issued like any other month.

Owns opening that revision. Does not own voiding (``crediting``) nor closing (``close``).
"""

from __future__ import annotations

from django.db import transaction

from cardhour_billing.audit.log import audit
from cardhour_billing.frozen.inputs import read_inputs
from cardhour_billing.frozen.rerating import period_of
from cardhour_billing.invoices.drafting import compose, invoice_of, new_document, write
from cardhour_billing.models import Invoice
from cardhour_billing.rating.content import Content
from cardhour_billing.receivables.allocating import locked
from cardhour_contract.clock import Clock
from cardhour_contract.errors import Refuse


def reopen(invoice: Invoice, *, clock: Clock, who: str) -> Invoice:
    """A draft of the month of a void invoice, empty where there was none; the next close fills it."""
    with transaction.atomic():
        locked(invoice.customer)
        period = period_of(read_inputs(bytes(invoice.inputs)))
        latest = invoice_of(invoice.customer, period)
        if not invoice.credit_notes.filter(reason=Invoice.Reason.VOID, state=Invoice.State.ISSUED).exists():
            raise Refuse(f"{invoice.number} is not void: void it first (cardhour invoice void)")
        if latest and latest.state == Invoice.State.DRAFT:
            return latest
        if latest is None or latest.pk != invoice.pk:
            raise Refuse(f"{period.month} of {invoice.customer.key} has a later document: {latest}")
        again = new_document(invoice.customer, period)
        write(again, period, Content(), compose(invoice.customer, period, Content()), clock.now_ms())
        again.save()
        audit(clock, who, "invoice.reopen", str(invoice.number), {"revision": again.revision})
        return again
