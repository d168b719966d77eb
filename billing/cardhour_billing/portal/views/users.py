"""Logins of staff and of customers, for admins: inviting, adding, changing, disabling, a new password, removing."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.models import User
from django.core.paginator import Paginator
from django.db.models import Q
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_variables
from django.views.decorators.http import require_http_methods, require_safe

from cardhour_billing.logins import users
from cardhour_billing.logins.invitation import invite, invite_again
from cardhour_billing.models import Customer
from cardhour_billing.portal.access import admin_only
from cardhour_billing.portal.inviting import can_invite, invited, say, sending_from
from cardhour_billing.portal.records.catalog_lists import customers
from cardhour_billing.portal.staff_zone import staff_zone
from cardhour_contract.clock import SystemClock
from cardhour_contract.errors import Refuse

PAGE_ROWS = 50
TEXT_CHARS_MAX = 100


@require_http_methods(["GET", "HEAD", "POST"])
@sensitive_variables("password")
@admin_only
def user_list(request: HttpRequest) -> HttpResponse:
    """Every login; a post adds one, and its answer is the only page that ever has the password."""
    if request.method != "POST":
        return _list(request)
    if request.POST.get("action") == "invite":
        return _invite(request)
    name, owner, role = (request.POST.get(each, "").strip() for each in ("name", "owner", "role"))
    password = users.new_password()
    try:
        users.add_user(
            name, password, customer=owner or None, role=role, clock=SystemClock(), who=request.user.get_username()
        )
    except Refuse as error:
        return _list(request, problems=error.problems, typed=request.POST, status=422)
    return _list(request, made=name, password=password)


@require_safe
@admin_only
def user_page(request: HttpRequest, user_id: int) -> HttpResponse:
    """One login, and what can be done with it."""
    return _page(request, get_object_or_404(users.logins(), pk=user_id))


@require_http_methods(["POST"])
@sensitive_variables("password")
@admin_only
def user_change(request: HttpRequest, user_id: int, action: str) -> HttpResponse:
    """Do one thing to a login: ``role``, ``email``, ``invite``, ``disable``, ``enable``, ``reset``, ``remove``."""
    login = get_object_or_404(users.logins(), pk=user_id)
    name, who, clock = login.username, request.user.get_username(), SystemClock()
    try:
        if action == "role":
            users.change_role(name, request.POST.get("role", ""), clock=clock, who=who)
        elif action == "email":
            users.set_email(name, request.POST.get("email", ""), clock=clock, who=who)
        elif action == "invite":
            sending = sending_from(request, _language(login))
            say(request, login.email, invite_again(login, sending=sending, clock=clock, who=who))
            return redirect("user", user_id)
        elif action in ("disable", "enable"):
            users.set_active(name, action == "enable", clock=clock, who=who)
        elif action == "reset":
            password = users.reset_password(name, clock=clock, who=who)
            return _page(request, login, password=password)
        elif action == "remove" and request.POST.get("name", "").strip() == name:
            users.remove_user(name, clock=clock, who=who)
            messages.success(request, _("The login %(name)s was removed.") % {"name": name})
            return redirect("users")
        elif action == "remove":
            raise Refuse(_("Write the name of the login to remove it."))
        else:
            raise Http404(f"nothing is called {action}")
    except Refuse as error:
        return _page(request, login, problems=error.problems, status=422)
    messages.success(request, _("Saved."))
    return redirect("user", user_id)


def _invite(request: HttpRequest) -> HttpResponse:
    email, owner, role = (request.POST.get(each, "").strip() for each in ("email", "owner", "role"))
    language = Customer.objects.filter(key=owner).values_list("language", flat=True).first() or ""
    try:
        fate = invite(
            email, customer=owner or None, role=role, sending=sending_from(request, language), clock=SystemClock(),
            who=request.user.get_username(),
        )  # fmt: skip
    except Refuse as error:
        return _list(request, problems=error.problems, asked=request.POST, status=422)
    say(request, email, fate)
    return redirect("users")


def _language(login: User) -> str:
    customer = users.customer_of_login(login)
    return customer.language if customer else ""


def _list(request: HttpRequest, *, status: int = 200, **more: object) -> HttpResponse:
    text = request.GET.get("q", "").strip().replace("\x00", "")[:TEXT_CHARS_MAX]
    found = users.logins()
    if text:
        found = found.filter(
            Q(username__icontains=text)
            | Q(email__icontains=text)
            | Q(first_name__icontains=text)
            | Q(last_name__icontains=text)
            | Q(portal_user__customer__key__icontains=text)
        )
    page = Paginator(found, PAGE_ROWS).get_page(request.GET.get("page"))
    facts = {
        "section": "users",
        "text": text,
        "page": page,
        "rows": [_row(each) for each in page.object_list],
        "customers": customers(),
        "roles": (*users.STAFF_ROLES, "member"),
        "can_invite": can_invite(request),
        "zone": staff_zone(),
    }
    return render(request, "users.html", {**facts, **more}, status=status)


def _row(login: User) -> dict[str, object]:
    return {
        "login": login,
        "role": users.role_of(login),
        "owner": users.owner_of(login),
        "invited": invited(login, SystemClock().now_ms()),
    }


def _page(request: HttpRequest, login: User, *, status: int = 200, **more: object) -> HttpResponse:
    facts = {
        "section": "users",
        **_row(login),
        "can_invite": can_invite(request),
        "zone": staff_zone(),
        "roles": users.STAFF_ROLES if login.is_staff else users.CUSTOMER_ROLES,
    }
    return render(request, "user.html", {**facts, **more}, status=status)
