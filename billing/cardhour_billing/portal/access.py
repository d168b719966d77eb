"""Who may see what. Every view asks here, and nothing else in the portal filters by customer or role.

Staff see every invoice, drafts too. A customer's login sees that customer's issued invoices: a draft is ours to
recompute and is no statement to anyone. What may not be seen does not exist for the one who asks: 404, not 403.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec

from django.contrib.auth.decorators import login_required
from django.contrib.auth.models import AnonymousUser, User
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponseBase
from django.views.decorators.cache import never_cache

from cardhour_billing.models import Customer, Invoice

P = ParamSpec("P")
View = Callable[Concatenate[HttpRequest, P], HttpResponseBase]


def customer_of(user: User | AnonymousUser) -> Customer | None:
    """The customer a login belongs to; none for staff, for nobody, and for a login not yet given to a customer."""
    if user.is_anonymous or user.is_staff:
        return None
    return Customer.objects.select_related("issuer").filter(portal_users__user=user).first()


def visible_invoices(user: User | AnonymousUser) -> QuerySet[Invoice]:
    """The invoices ``user`` may list, open and download."""
    invoices = Invoice.objects.select_related("customer")
    if user.is_staff:
        return invoices
    customer = customer_of(user)
    if customer is None:
        return invoices.none()
    return invoices.filter(customer=customer, state=Invoice.State.ISSUED)


def signed_in(view: View[P]) -> View[P]:
    """A page for whoever has signed in. Figures of customers are kept in no cache on the way."""
    guarded: View[P] = never_cache(login_required(view))
    return guarded


def staff_only(view: View[P]) -> View[P]:
    """A page for staff; any other login is told so."""

    @wraps(view)
    def checked(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        if not request.user.is_staff:
            raise PermissionDenied
        return view(request, *args, **kwargs)

    return signed_in(checked)
