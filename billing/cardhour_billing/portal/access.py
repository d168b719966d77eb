"""Who may see and do what. Every view asks here, and nothing else in the portal filters by customer or role.

Staff see every customer and every invoice, drafts too; what they may change depends on their role. A customer's login
sees that customer's issued invoices: a draft is ours to recompute and is no statement to anyone. What may not be seen
does not exist for the one who asks: 404. A page for others than the one who asks is refused: 403, with the reason.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec

from django.contrib.auth.decorators import login_required
from django.contrib.auth.models import AnonymousUser, User
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.db.models import Exists, OuterRef, QuerySet
from django.http import Http404, HttpRequest, HttpResponseBase
from django.shortcuts import resolve_url
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from msgspec import Struct

from cardhour_billing.logins.users import ADMIN, customer_of_login, role_of
from cardhour_billing.models import Customer, Invoice, Statement, StatementEvent
from cardhour_billing.statements.mail import statement_named_by

P = ParamSpec("P")
View = Callable[Concatenate[HttpRequest, P], HttpResponseBase]


SECOND_FACTOR, ASK, ENROL = "second_factor", "ask", "enrol"
"""What a session must do before anything else: give its code, or set up a second factor. Set by signing in."""


class Capabilities(Struct, frozen=True, kw_only=True):
    """What a login may do, as templates ask for it (``may.bill``), so that nobody is shown a button in vain."""

    staff: bool = False
    """See every customer."""
    bill: bool = False
    """Change what moves money: issue, credit, record payments, change prices."""
    administer: bool = False
    """Manage logins, keys and nodes of the installation."""
    customer: bool = False
    """See one customer's own pages."""
    organise: bool = False
    """Manage the logins, keys and budgets of that customer."""


NOTHING = Capabilities()


def capabilities(user: User | AnonymousUser) -> Capabilities:
    """What ``user`` may do."""
    if user.is_anonymous:
        return NOTHING
    role = role_of(user)
    if user.is_staff:
        return Capabilities(staff=True, bill=role in ("billing", ADMIN), administer=role == ADMIN)
    return Capabilities(customer=bool(role), organise=role == ADMIN)


def customer_of(user: User | AnonymousUser) -> Customer | None:
    """The customer a login belongs to; none for staff, for nobody, and for a login not yet given to a customer."""
    return None if user.is_anonymous else customer_of_login(user)


def own_customer(request: HttpRequest) -> Customer:
    """The customer whose page is asked for, by a login that a guard below let through."""
    customer = customer_of(request.user)
    if customer is None:
        raise PermissionDenied(_not_a_customers())
    return customer


def visible_invoices(user: User | AnonymousUser) -> QuerySet[Invoice]:
    """The invoices ``user`` may list, open and download."""
    invoices = Invoice.objects.select_related("customer")
    if user.is_staff:
        return invoices
    customer = customer_of(user)
    return invoices.none() if customer is None else issued_to(customer)


def issued_to(customer: Customer) -> QuerySet[Invoice]:
    """What a customer may see of its invoices and credit notes, whoever asks for it."""
    return Invoice.objects.filter(customer=customer, state=Invoice.State.ISSUED).select_related("customer")


def statements_sent_to(customer: Customer) -> QuerySet[Statement]:
    """Statements that a customer may see: those it was sent."""
    sent = StatementEvent.objects.filter(statement=OuterRef("pk"))
    return Statement.objects.filter(Exists(sent), customer=customer)


def statement_by_link(token: str, now_ms: int) -> Statement:
    """The statement that the link of a mail is of, for whoever has the mail."""
    found = statement_named_by(token, now_ms)
    if found is None or not found.events.exists():
        raise Http404
    return found


def signed_in(view: View[P]) -> View[P]:
    """A page for whoever has signed in, with the second factor where there is one to give.

    Figures of customers are kept in no cache on the way.
    """

    @wraps(view)
    def known(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        step = getattr(request, "session", {}).get(SECOND_FACTOR)
        if step:
            return redirect_to_login(
                request.get_full_path(), resolve_url("enrol" if step == ENROL else "second-factor")
            )
        return view(request, *args, **kwargs)

    guarded: View[P] = never_cache(login_required(known))
    return guarded


def staff_only(view: View[P]) -> View[P]:
    """A page for staff of any role: it shows, and changes nothing."""
    return _only(view, lambda may: "" if may.staff else _not_staff())


def billing_only(view: View[P]) -> View[P]:
    """For staff who may move money."""
    return _only(view, lambda may: "" if may.bill else _not_billing() if may.staff else _not_staff())


def admin_only(view: View[P]) -> View[P]:
    """For staff who manage logins, keys and nodes."""
    return _only(view, lambda may: "" if may.administer else _not_admin() if may.staff else _not_staff())


def customer_only(view: View[P]) -> View[P]:
    """A page of a customer about itself: ``customer_of`` gives whose."""
    return _only(view, lambda may: "" if may.customer else _not_a_customers())


def customer_admin_only(view: View[P]) -> View[P]:
    """For the admin of a customer's organisation."""
    return _only(view, lambda may: "" if may.organise else _not_organising() if may.customer else _not_a_customers())


def key_keeper_only(view: View[P]) -> View[P]:
    """For whoever manages keys of the API: the installation's, or those of its own organisation."""
    return _only(
        view, lambda may: "" if may.administer or may.organise else _not_admin() if may.staff else _not_organising()
    )


def _only(view: View[P], reason: Callable[[Capabilities], str]) -> View[P]:
    """``view`` for those for whom there is no reason against it."""

    @wraps(view)
    def checked(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        against = reason(capabilities(request.user))
        if against:
            raise PermissionDenied(against)
        return view(request, *args, **kwargs)

    return signed_in(checked)


def _not_staff() -> str:
    return _("This page is for billing staff. You are signed in, but not as staff.")


def _not_billing() -> str:
    return _("This needs the role billing; yours is to look. An admin can give it to you.")


def _not_admin() -> str:
    return _("This needs the role admin. Ask an admin to do it, or to give it to you.")


def _not_a_customers() -> str:
    return _("This page belongs to a customer, and your login to none. Staff see customers in their own pages.")


def _not_organising() -> str:
    return _("This is for the admin of your organisation. Ask whoever manages its logins.")
