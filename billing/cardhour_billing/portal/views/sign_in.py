"""Signing in, and where one lands. Passwords and sessions are Django's, counting failures is django-axes'."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.views import LoginView
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from cardhour_billing.portal.access import customer_of, signed_in
from cardhour_billing.portal.card_day import card_day
from cardhour_billing.portal.views.profile import begin


class SignIn(LoginView):
    """The sign-in page. Whoever is signed in already goes on."""

    template_name = "sign_in.html"
    redirect_authenticated_user = True

    def form_valid(self, form: AuthenticationForm) -> HttpResponse:
        answer = super().form_valid(form)
        begin(self.request, form.get_user())
        return answer

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(day=card_day(), **kwargs)


@signed_in
def home(request: HttpRequest) -> HttpResponse:
    """Staff start at today, customers at their usage; who belongs to none is told so among the invoices."""
    if request.user.is_staff:
        return redirect("today")
    return redirect("usage" if customer_of(request.user) else "invoices")
