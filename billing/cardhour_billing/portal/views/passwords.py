"""Setting a password without the old one: a link asked for on the sign-in page, or the link of an invitation.

Views and tokens are Django's. Whoever sets a password signs in with it afterwards, so that lock-out and second factor
stand where they always stand. Does not own who is written to and invited (``logins``).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from axes.helpers import get_client_ip_address
from django.contrib import messages
from django.contrib.auth.forms import SetPasswordForm
from django.contrib.auth.models import User
from django.contrib.auth.views import INTERNAL_RESET_SESSION_TOKEN, PasswordResetConfirmView
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.urls import reverse, reverse_lazy
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from cardhour_billing.config import load_config
from cardhour_billing.logins import password_reset
from cardhour_billing.logins.invitation import InvitationTokens, accept
from cardhour_billing.logins.users import checked_email, chose_password
from cardhour_billing.portal_links import can_link, portal_link
from cardhour_contract.clock import SystemClock
from cardhour_contract.errors import Refuse


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
def forgotten(request: HttpRequest) -> HttpResponse:
    """Ask for a link. The answer is the same, and as quick, whether anybody has the address."""
    config, typed = load_config(), request.POST.get("email", "").strip()
    able = can_link(config, request)
    facts = {"able": able, "sent": "sent" in request.GET, "typed": typed, "issuer": password_reset.sender_name()}
    if request.method != "POST" or not able:
        return render(request, "forgotten.html", facts, status=200 if request.method != "POST" else 503)
    try:
        email = checked_email(typed)
    except Refuse:
        email = ""
    if not email:
        return render(request, "forgotten.html", facts | {"wrong": True}, status=422)
    clock = SystemClock()
    place_may, address_may = password_reset.may_ask(get_client_ip_address(request) or "", email, clock)
    if not place_may:
        answer = render(request, "forgotten.html", facts | {"too_many": True}, status=429)
        answer.headers["Retry-After"] = "3600"
        return answer
    mail = partial(
        password_reset.mail_links, email, partial(portal_link, config, request=request), config.mail,
        language=get_language() or "en", clock=clock,
    )  # fmt: skip
    return _Answered(f"{reverse('forgotten')}?sent=1", mail if address_may else None)


class _Answered(HttpResponseRedirect):
    """An answer that something follows once it has gone, so that it says nothing by how long it took."""

    def __init__(self, to: str, after: Callable[[], object] | None) -> None:
        super().__init__(to)
        self._after = after

    def close(self) -> None:
        super().close()
        after, self._after = self._after, None
        if after is not None:
            after()


class NewPassword(PasswordResetConfirmView):
    """The page behind a link: two fields, good once. Other sessions of the login end with its old password."""

    template_name = "new_password.html"
    success_url = reverse_lazy("login")
    invited = False

    def get_user(self, uidb64: str) -> User | None:
        user = super().get_user(uidb64)
        return user if isinstance(user, User) and user.is_active else None

    def form_valid(self, form: SetPasswordForm[User]) -> HttpResponse:
        token = self.request.session.get(INTERNAL_RESET_SESSION_TOKEN)
        with transaction.atomic():
            # Of two who use the link at the same moment, the second finds that it was used.
            fresh = User.objects.select_for_update().get(pk=form.user.pk)
            if not self.token_generator.check_token(fresh, token):
                return redirect("forgotten")
            answer = super().form_valid(form)
            chose_password(fresh, how="invitation" if self.invited else "link", clock=SystemClock())
            if self.invited:
                accept(fresh, clock=SystemClock())
        messages.success(self.request, _("Your password is set. Sign in with it."))
        return answer

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(login=self.user, invited=self.invited, **kwargs)

    def render_to_response(self, context: dict[str, Any], **kwargs: Any) -> HttpResponse:
        bound = context["form"].is_bound if context.get("form") else False
        kwargs["status"] = 404 if not self.validlink else 422 if bound else 200
        return super().render_to_response(context, **kwargs)


class AcceptInvitation(NewPassword):
    """The same page behind an invitation's link."""

    token_generator = InvitationTokens()
    invited = True
