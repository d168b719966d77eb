"""Keys of the API: an organisation's admin keeps its own, an admin of staff everybody's."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.models import User
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from cardhour_billing.logins.api_keys import EXPIRES_DAYS, add_key, revoke_key
from cardhour_billing.portal.access import customer_of, key_keeper_only
from cardhour_billing.portal.api_key_rows import DAYS, ROWS_MAX, choices, owner_for, rows, visible_keys
from cardhour_billing.portal.staff_zone import staff_zone
from cardhour_contract.clock import SystemClock
from cardhour_contract.errors import Refuse


@require_http_methods(["GET", "HEAD", "POST"])
@sensitive_post_parameters()
@key_keeper_only
def key_page(request: HttpRequest) -> HttpResponse:
    """The keys there are; a post makes one, and its answer is the only page that ever has the token."""
    if request.method != "POST":
        return _page(request)
    user, form = request.user, request.POST
    if not isinstance(user, User):
        raise Http404
    try:
        owner = owner_for(user, customer_of(user), form.get("customer", "").strip())
        days = int(form.get("days", "")) if form.get("days", "").isdecimal() else 0
        made, token = add_key(
            form.get("name", ""), form.getlist("scope"), owner=owner, days=days, clock=SystemClock(),
            who=user.get_username(),
        )  # fmt: skip
    except Refuse as error:
        return _page(request, problems=error.problems, status=422)
    return _page(request, made=made, token=token)


@require_POST
@key_keeper_only
def revoke(request: HttpRequest, key_id: int) -> HttpResponse:
    """End a key now."""
    key = get_object_or_404(visible_keys(customer_of(request.user), ""), pk=key_id)
    if revoke_key(key, clock=SystemClock(), who=request.user.get_username()):
        messages.success(request, _("%(key)s was revoked. It is refused from now on.") % {"key": key.prefix})
    return redirect("api-keys")


def _page(request: HttpRequest, *, status: int = 200, **more: object) -> HttpResponse:
    """The list and the form; the form keeps what was typed where it was refused."""
    customer, text = customer_of(request.user), request.GET.get("q", "").strip()
    typed = request.POST if "problems" in more else None
    found = list(visible_keys(customer, text)[: ROWS_MAX + 1])
    facts = {
        "section": "api-keys",
        "rows": rows(found[:ROWS_MAX], SystemClock().now_ms()),
        "too_many": len(found) > ROWS_MAX,
        "rows_max": ROWS_MAX,
        "text": text,
        "own": customer,
        "timezone": customer.timezone if customer else staff_zone(),
        "scopes": choices(typed.getlist("scope") if typed else ()),
        "all_days": DAYS,
        "days": typed.get("days", "") if typed else str(EXPIRES_DAYS),
        "typed": typed,
    }
    return render(request, "api_keys.html", {**facts, **more}, status=status)
