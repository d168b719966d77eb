"""Monthly reports by e-mail: one's own subscriptions with the log of what was sent; and the link that ends one.

The link is for whoever has the letter: its signature is all that is asked for, so that a mail program can end the
subscription with one click (RFC 8058), without signing in and without the token of a form.
"""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_POST

from cardhour_billing.config import load_config
from cardhour_billing.models import Mail, ReportSubscription
from cardhour_billing.portal.access import customer_only, own_customer
from cardhour_billing.portal.views.reports import grouping_names
from cardhour_billing.portal_links import can_link
from cardhour_billing.usage_report.mailing import last_month, month_days, sent_to
from cardhour_billing.usage_report.subscription import of_link, subscribe, unsubscribe
from cardhour_contract.clock import SystemClock
from cardhour_contract.errors import Refuse

SHOWN = 24
"""Letters of the log that the page shows."""


@require_http_methods(["GET", "HEAD", "POST"])
@customer_only
def subscription_page(request: HttpRequest) -> HttpResponse:
    """One's own subscriptions; a post makes another."""
    if request.method != "POST":
        return _page(request)
    user, asked = _user(request), request.POST
    try:
        if not can_link(load_config()):
            raise Refuse(_("This portal sends no reports by mail."))
        _made, new = subscribe(
            user, grouping=asked.get("by", ""), form=asked.get("format", ""), language=asked.get("language", ""),
            clock=SystemClock(), who=user.get_username(),
        )  # fmt: skip
    except Refuse as error:
        return _page(request, problems=error.problems, typed=asked, status=422)
    if new:
        messages.success(request, _("Subscribed: the report of this month comes once the month is closed."))
    else:
        messages.info(request, _("You have this subscription already."))
    return redirect("report-subscriptions")


@require_POST
@customer_only
def subscription_end(request: HttpRequest, subscription_id: int) -> HttpResponse:
    """End one of one's own."""
    found = get_object_or_404(ReportSubscription, pk=subscription_id, user=_user(request))
    unsubscribe(found, clock=SystemClock(), who=request.user.get_username())
    messages.success(request, _("You are sent this report no more."))
    return redirect("report-subscriptions")


@csrf_exempt
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def report_end(request: HttpRequest, token: str) -> HttpResponse:
    """The link of a letter: a page with one button, which a mail program may press by itself."""
    ours, found = of_link(token)
    if ours and found and request.method == "POST":
        unsubscribe(found, clock=SystemClock(), who=found.user.get_username())
        found = None
    facts = {"ours": ours, "found": found, "names": dict(grouping_names())}
    return render(request, "report_end.html", facts, status=200 if ours else 404)


def _page(request: HttpRequest, *, status: int = 200, **more: object) -> HttpResponse:
    customer, user = own_customer(request), _user(request)
    names = dict(grouping_names())
    first, last = month_days(last_month(customer, SystemClock()), customer)
    facts = {
        "section": "usage",
        "customer": customer,
        "able": can_link(load_config()),
        "rows": [
            {
                "id": each.pk,
                "name": names.get(each.grouping, each.grouping),
                "form": each.form.upper(),
                "chinese": each.language == "zh-hans",
                "since": each.since,
                "query": f"from={first}&to={last}&by={each.grouping}&format={each.form}",
            }
            for each in ReportSubscription.objects.filter(user=user)
        ],
        "sent": [_sent(each) for each in sent_to(user.pk)[:SHOWN]],
        "groupings": grouping_names(),
        "language": get_language(),
    }
    return render(request, "report_subscriptions.html", facts | more, status=status)


def _sent(mail: Mail) -> dict[str, object]:
    outcome = getattr(mail, "outcome", None)
    return {
        "period": mail.key[-7:],
        "to": ", ".join(mail.recipients),
        "at_ms": mail.at_ms,
        "state": outcome.state if outcome else "uncertain",
        "detail": outcome.detail if outcome else "",
    }


def _user(request: HttpRequest) -> User:
    if request.user.is_anonymous:  # the guards let nobody in who is
        raise PermissionDenied
    return request.user
