"""Mailing an issued invoice: what would leave and to whom, then leaving, once for each time it is asked for."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from cardhour_billing.config import load_config
from cardhour_billing.einvoice.gate import broken
from cardhour_billing.portal.access import billing_only
from cardhour_billing.portal.views.acts.shared import done, issued_invoice
from cardhour_billing.sending.invoice_mail import invoice_letter, kept_xml, key_of
from cardhour_billing.sending.mailing import check_sendable, fate_of, send
from cardhour_contract.clock import SystemClock
from cardhour_contract.errors import InvariantBroken, Refuse


@require_http_methods(["GET", "HEAD", "POST"])
@billing_only
def send_page(request: HttpRequest, invoice_id: int) -> HttpResponse:
    """The letter; POST sends it, unless it was sent since the page was made."""
    invoice, settings = issued_invoice(request, invoice_id), load_config().mail
    fate, letter, problem = fate_of(key_of(str(invoice.number))), None, ""
    try:
        check_sendable(settings)
        letter = invoice_letter(invoice)
        if wrong := broken(kept_xml([invoice])):
            raise Refuse(*wrong.values())
        if request.method == "POST":
            if request.POST.get("round") != str(fate.round):
                return done(request, invoice, _("It was sent already."))
            who = request.user.get_username()
            fate = send(invoice.customer, letter, settings, clock=SystemClock(), who=who, again=True)
            if fate.state == "sent":
                return done(request, invoice, _("Sent to %(to)s.") % {"to": ", ".join(letter.recipients)})
            problem = fate.detail
    except (Refuse, InvariantBroken) as error:
        letter, problem = None, str(error)
    facts = {"section": "invoices", "invoice": invoice, "letter": letter, "fate": fate, "problem": problem}
    return render(request, "acts/send.html", facts, status=409 if problem and request.method == "POST" else 200)
