"""Logins of the customer's organisation: its admins invite, add and remove them, and make others admins."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_variables
from django.views.decorators.http import require_http_methods, require_POST

from cardhour_billing.logins.invitation import invite_again
from cardhour_billing.logins.organisation import add_member, invite_member, members, remove_member, set_admin
from cardhour_billing.portal.access import customer_admin_only, own_customer
from cardhour_billing.portal.inviting import can_invite, invited, say, sending_from
from cardhour_billing.portal.phrases import in_words
from cardhour_contract.clock import SystemClock
from cardhour_contract.errors import Refuse
from cardhour_contract.moment import to_ms


@require_http_methods(["GET", "HEAD", "POST"])
@sensitive_variables("password")
@customer_admin_only
def users(request: HttpRequest) -> HttpResponse:
    """The logins; a post adds one, and its answer is the only page that ever has the password."""
    if request.method != "POST":
        return _page(request)
    if request.POST.get("action") == "invite":
        return _invite(request)
    name = request.POST.get("name", "").strip()
    try:
        password = add_member(
            own_customer(request), name, admin=bool(request.POST.get("admin")), clock=SystemClock(),
            who=request.user.get_username(),
        )  # fmt: skip
    except Refuse as error:
        return _page(request, problems=error.problems, typed=request.POST, status=422)
    return _page(request, made=name, password=password)


@require_POST
@customer_admin_only
def change(request: HttpRequest, user_id: int) -> HttpResponse:
    """Make a login an admin, or a member, or take it away; or invite it once more."""
    customer, clock, who = own_customer(request), SystemClock(), request.user.get_username()
    login, action = get_object_or_404(members(customer), pk=user_id), request.POST.get("action", "")
    try:
        if action == "remove":
            remove_member(customer, login, clock=clock, who=who)
            messages.success(request, _("%(login)s was removed.") % {"login": login.username})
        elif action == "invite":
            sending = sending_from(request, customer.language)
            say(request, login.email, invite_again(login, sending=sending, clock=clock, who=who))
        elif action in ("admin", "member"):
            set_admin(customer, login, admin=action == "admin", clock=clock, who=who)
            messages.success(request, _("The role of %(login)s was changed.") % {"login": login.username})
    except Refuse as error:
        messages.error(request, " ".join(map(in_words, error.problems)))
    return redirect("organisation")


def _invite(request: HttpRequest) -> HttpResponse:
    customer, email = own_customer(request), request.POST.get("email", "").strip()
    try:
        fate = invite_member(
            customer, email, admin=bool(request.POST.get("admin")), sending=sending_from(request, customer.language),
            clock=SystemClock(), who=request.user.get_username(),
        )  # fmt: skip
    except Refuse as error:
        return _page(request, not_invited=error.problems, asked=request.POST, status=422)
    say(request, email, fate)
    return redirect("organisation")


def _page(request: HttpRequest, *, status: int = 200, **more: object) -> HttpResponse:
    customer, now_ms = own_customer(request), SystemClock().now_ms()
    rows = [
        {
            "invited": invited(login, now_ms),
            "id": login.pk,
            "name": login.username,
            "full_name": login.get_full_name(),
            "admin": login.portal_user.is_admin,
            "own": login.pk == request.user.pk,
            "last_ms": to_ms(login.last_login.replace(microsecond=0)) if login.last_login else None,
        }
        for login in members(customer)
    ]
    facts = {"section": "organisation", "customer": customer, "rows": rows, "can_invite": can_invite(request)}
    return render(request, "organisation.html", {**facts, **more}, status=status)
