"""Opening the month of a void invoice again: a draft of it stands in the month close, as what is known today has it."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from cardhour_billing.invoices.reissuing import reopen
from cardhour_billing.portal.access import billing_only
from cardhour_billing.portal.phrases import in_words
from cardhour_billing.portal.views.acts.shared import issued_invoice
from cardhour_contract.clock import SystemClock
from cardhour_contract.errors import Refuse


@require_POST
@billing_only
def reissue(request: HttpRequest, invoice_id: int) -> HttpResponse:
    """Open it, and lead to the month close, which computes and issues it as any other."""
    invoice = issued_invoice(request, invoice_id)
    try:
        reopen(invoice, clock=SystemClock(), who=request.user.get_username())
    except Refuse as error:
        messages.error(request, in_words(str(error)))
        return redirect("invoice", invoice.pk)
    told = _("A draft takes the place of %(number)s. Compute the drafts, look at it, and issue it.")
    messages.success(request, told % {"number": invoice.number})
    return redirect("close-month", invoice.period)
