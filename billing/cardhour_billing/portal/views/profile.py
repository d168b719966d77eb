"""One's own login: password, address, language, second factor; and the page that asks for a code after the password.

Until the code is given, the session may do nothing else (``access.signed_in``).
"""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth import update_session_auth_hash
from django.contrib.auth.decorators import login_required
from django.contrib.auth.forms import PasswordChangeForm
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from cardhour_billing.config import load_config
from cardhour_billing.logins import second_factor
from cardhour_billing.logins.users import chose_password, role_of, set_email
from cardhour_billing.portal.access import ASK, ENROL, SECOND_FACTOR, signed_in
from cardhour_billing.portal.qr import qr_path
from cardhour_contract.clock import SystemClock
from cardhour_contract.errors import Refuse


def begin(request: HttpRequest, user: User) -> None:
    """After the password: what this session must do before anything else."""
    if second_factor.standing(user).enrolled:
        request.session[SECOND_FACTOR] = ASK
    elif must_have(user):
        request.session[SECOND_FACTOR] = ENROL


def must_have(user: User) -> bool:
    """Whether the settings ask for a second factor of this login."""
    return user.is_staff and role_of(user) in load_config().web.second_factor


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@login_required
def code_page(request: HttpRequest) -> HttpResponse:
    """The second step of signing in."""
    if request.session.get(SECOND_FACTOR) != ASK:
        return redirect("home")
    user, wrong = _user(request), False
    if request.method == "POST":
        if second_factor.passes(user, request.POST.get("code", "")):
            del request.session[SECOND_FACTOR]
            request.session.cycle_key()
            return redirect(_next(request))
        wrong = True
    facts = {"wrong": wrong, "next": request.POST.get("next") or request.GET.get("next", "")}
    return render(request, "second_factor.html", facts, status=403 if wrong else 200)


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@login_required
def enrol_page(request: HttpRequest) -> HttpResponse:
    """Show the secret to an authenticator, and take its first code."""
    user, wrong = _user(request), False
    if request.session.get(SECOND_FACTOR) == ASK:
        return redirect("second-factor")
    try:
        if request.method == "POST":
            codes = second_factor.confirm(user, request.POST.get("code", ""), clock=SystemClock())
            if codes:
                request.session.pop(SECOND_FACTOR, None)
                return render(request, "recovery_codes.html", {"codes": codes})
            wrong = True
        enrolment = second_factor.enrolment(user)
    except Refuse:
        return redirect("profile")
    facts = {"enrolment": enrolment, "qr": qr_path(enrolment.address), "wrong": wrong, "must": must_have(user)}
    return render(request, "enrol.html", facts, status=403 if wrong else 200)


@require_http_methods(["GET", "HEAD", "POST"])
@signed_in
def profile_page(request: HttpRequest) -> HttpResponse:
    """Who one is here; POST changes the password."""
    user = _user(request)
    if request.method == "POST" and request.POST.get("action") == "email":
        return _change_email(request, user)
    form = PasswordChangeForm(user, request.POST or None)
    if request.method == "POST" and form.is_valid():
        with transaction.atomic():
            form.save()
            chose_password(user, how="profile", clock=SystemClock())
        update_session_auth_hash(request, user)
        messages.success(request, _("Your password is changed. Other sessions of yours are signed out."))
        return redirect("profile")
    return _profile(request, user, form=form, status=409 if form.is_bound else 200)


def _change_email(request: HttpRequest, user: User) -> HttpResponse:
    """Where a link to a new password goes: only who knows the present password says where."""
    form, typed = PasswordChangeForm(user), request.POST.get("email", "")
    if not user.check_password(request.POST.get("password", "")):
        return _profile(request, user, form=form, typed=typed, email_problem=_("The password is wrong."), status=409)
    try:
        set_email(user.get_username(), typed, clock=SystemClock(), who=user.get_username())
    except Refuse as error:
        return _profile(request, user, form=form, typed=typed, email_problem=str(error), status=422)
    messages.success(request, _("Saved."))
    return redirect("profile")


def _profile(request: HttpRequest, user: User, *, status: int, **more: object) -> HttpResponse:
    facts = {
        "section": "profile",
        "role": role_of(user),
        "factor": second_factor.standing(user),
        "must": must_have(user),
        "typed": user.email,
    }
    return render(request, "profile.html", facts | more, status=status)


@require_POST
@signed_in
def codes_page(request: HttpRequest) -> HttpResponse:
    """New recovery codes, for whoever gives a code."""
    user = _user(request)
    if not second_factor.passes(user, request.POST.get("code", "")):
        messages.error(request, _("The code is wrong, or was used already."))
        return redirect("profile")
    return render(request, "recovery_codes.html", {"codes": second_factor.renew_codes(user, clock=SystemClock())})


@require_POST
@signed_in
def turn_off(request: HttpRequest) -> HttpResponse:
    """Do without a second factor, where the settings allow it."""
    user = _user(request)
    if must_have(user) or not second_factor.passes(user, request.POST.get("code", "")):
        messages.error(request, _("The code is wrong, or was used already."))
    else:
        second_factor.reset(user, clock=SystemClock(), who=user.get_username())
        messages.success(request, _("The second factor is off."))
    return redirect("profile")


def _user(request: HttpRequest) -> User:
    if request.user.is_anonymous:  # the decorators let nobody in who is
        raise PermissionDenied
    return request.user


def _next(request: HttpRequest) -> str:
    wanted = request.POST.get("next", "")
    safe = url_has_allowed_host_and_scheme(wanted, {request.get_host()}, require_https=request.is_secure())
    return wanted if safe else "home"
