"""What the pages of acts have in common: finding the invoice, and going back to it with a word about what was done."""

from __future__ import annotations

import hashlib

import msgspec
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils.translation import gettext as _
from msgspec import Struct

from cardhour_billing.models import Invoice
from cardhour_billing.portal.access import visible_invoices
from cardhour_contract.errors import Refuse


def issued_invoice(request: HttpRequest, invoice_id: int) -> Invoice:
    """The invoice an act is about: issued, and no credit note. 404 otherwise."""
    found = visible_invoices(request.user).select_related("customer__issuer", "issuer")
    invoice: Invoice = get_object_or_404(found, pk=invoice_id, state=Invoice.State.ISSUED, kind=Invoice.Kind.INVOICE)
    return invoice


def seen(preview: Struct) -> str:
    """What a person was shown, for the form that follows: only what was previewed is done."""
    return hashlib.sha256(msgspec.json.encode(preview)).hexdigest()


def check_seen(form: str, preview: Struct) -> None:
    """Refuse what a person was not shown: the form was changed after its preview, or the world was."""
    if form != seen(preview):
        raise Refuse(_("Not what you were shown before. Look at it again, and confirm it then."))


def done(request: HttpRequest, invoice: Invoice, word: str) -> HttpResponse:
    """Back to the invoice."""
    messages.success(request, word)
    return redirect("invoice", invoice.pk)
