"""Reversing a payment that bounced or was recorded by mistake: what is open again, why, and doing it."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from cardhour_billing.models import Payment
from cardhour_billing.portal.access import billing_only
from cardhour_billing.portal.acts import reversal
from cardhour_billing.portal.acts.pay import read_day
from cardhour_billing.portal.views.acts.shared import check_seen, seen
from cardhour_billing.receivables.payments import reverse
from cardhour_billing.receivables.standing import today
from cardhour_contract.clock import SystemClock
from cardhour_contract.errors import Refuse


@require_http_methods(["GET", "HEAD", "POST"])
@billing_only
def reverse_page(request: HttpRequest, payment_id: int) -> HttpResponse:
    """What reversing would do; POST with a reason does what was shown."""
    payment = get_object_or_404(Payment.objects.select_related("customer"), pk=payment_id)
    clock, who, now = SystemClock(), request.user.get_username(), today(SystemClock())
    form = request.POST.dict() if request.method == "POST" else {"day": now.isoformat()}
    problem, frees = "", None
    try:
        frees = reversal.preview(payment, day=now, clock=clock, who=who)
        if request.method == "POST":
            check_seen(form.get("seen", ""), frees)
            day, reason = read_day(form), form.get("reason", "").strip()
            if not reason:
                raise Refuse("say why: it is kept in the audit log")
            done = reverse(payment, day=day, reason=reason, clock=clock, who=who)
            told = _("%(payment)s is reversed by %(reversal)s. What it paid is open again.")
            messages.success(request, told % {"payment": payment.code, "reversal": done.code})
            return redirect("record", "payments", payment.pk)
    except Refuse as error:
        problem = str(error)
    facts = {
        "section": "payments",
        "payment": payment,
        "frees": frees,
        "seen": seen(frees) if frees else "",
        "form": form,
        "problem": problem,
    }
    return render(request, "acts/reverse.html", facts, status=409 if problem and request.method == "POST" else 200)
