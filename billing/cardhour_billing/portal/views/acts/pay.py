"""Recording a payment from its invoice: a form, what it settles, and recording it."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from cardhour_billing.config import load_config
from cardhour_billing.portal.access import billing_only
from cardhour_billing.portal.acts import pay
from cardhour_billing.portal.views.acts.shared import check_seen, done, issued_invoice, seen
from cardhour_billing.receivables.allocating import open_of
from cardhour_billing.receivables.standing import today
from cardhour_contract.clock import SystemClock
from cardhour_contract.errors import Refuse


@require_http_methods(["GET", "HEAD", "POST"])
@billing_only
def pay_page(request: HttpRequest, invoice_id: int) -> HttpResponse:
    """What came in; ``step=record`` records what was previewed."""
    invoice, clock, who = issued_invoice(request, invoice_id), SystemClock(), request.user.get_username()
    left, most = open_of(invoice), load_config().billing.write_off_max
    problem, settles = "", None
    form = request.POST.dict() if request.method == "POST" else {"amount": str(left), "day": today(clock).isoformat()}
    if request.method == "POST":
        try:
            order = pay.read(invoice, form)
            settles = pay.preview(invoice, order, write_off_max=most, clock=clock, who=who)
            if form.get("step") == "record":
                check_seen(form.get("seen", ""), settles)
                payment = pay.pay(invoice, order, write_off_max=most, clock=clock, who=who)
                return done(request, invoice, _("Recorded as %(code)s.") % {"code": payment.code})
        except Refuse as error:
            problem = str(error)
    facts = {
        "section": "invoices",
        "invoice": invoice,
        "left": str(left),
        "form": form,
        "settles": settles,
        "seen": seen(settles) if settles else "",
        "problem": problem,
    }
    return render(request, "acts/pay.html", facts, status=409 if problem else 200)
