"""Keys of the API as their page shows them: whose they are, what they may do, and whether they are still good.

Owns the rows and the choices of the form. Does not own keys (``api_keys``) nor who may see the page (``access``).
"""

from __future__ import annotations

from collections.abc import Iterable

from django.contrib.auth.models import User
from django.db.models import Q, QuerySet
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from msgspec import Struct

from cardhour_billing.logins.api_keys import EXPIRES_DAYS, SCOPES, state_of_key
from cardhour_billing.models import ApiKey, Customer
from cardhour_contract.errors import Refuse

ROWS_MAX = 500
"""Keys on one page; staff look for others by customer."""

DAYS = (30, 90, EXPIRES_DAYS, 3 * EXPIRES_DAYS)

SCOPE_NAMES = {
    "usage:read": _("Read usage"),
    "invoices:read": _("Read invoices, credit notes and their files"),
    "statements:read": _("Read statements of account"),
    "statements:write": _("Confirm statements, or dispute lines of them"),
    "payments:read": _("Read payments"),
    "leases:read": _("Read leases, add-ons and commitments"),
    "balance:read": _("Read the balance and its entries"),
    "budgets:read": _("Read budgets, alerts and what the webhook was told"),
    "budgets:write": _("Add, change and remove budgets"),
    "users:read": _("Read the organisation’s users and API keys"),
}
"""``SCOPES`` in the language of the page; a test holds the two together."""


class KeyRow(Struct, frozen=True, kw_only=True):
    """A key. Times are UTC milliseconds."""

    id: int
    prefix: str
    name: str
    owner: str
    scopes: list[str]
    state: str
    created_by: str
    created_at_ms: int
    expires_at_ms: int
    last_used_at_ms: int | None


def visible_keys(customer: Customer | None, text: str) -> QuerySet[ApiKey]:
    """Those of ``customer``; of everybody for staff, narrowed to a customer, a login or a beginning."""
    keys = ApiKey.objects.select_related("customer", "user").order_by("-id")
    if customer is not None:
        return keys.filter(customer=customer)
    found = Q(customer__key__icontains=text) | Q(user__username__icontains=text) | Q(prefix__startswith=text)
    return keys.filter(found | Q(name__icontains=text)) if text else keys


def rows(keys: Iterable[ApiKey], now_ms: int) -> list[KeyRow]:
    """As they are listed."""
    return [
        KeyRow(
            id=each.pk, prefix=each.prefix, name=each.name, scopes=list(each.scopes), state=state_of_key(each, now_ms),
            owner=each.customer.key if each.customer else str(each.user), created_by=each.created_by,
            created_at_ms=each.created_at_ms, expires_at_ms=each.expires_at_ms, last_used_at_ms=each.last_used_at_ms,
        )
        for each in keys
    ]  # fmt: skip


def owner_for(user: User, customer: Customer | None, asked: str) -> Customer | User:
    """Whose a new key is: the organisation's own; of staff, the customer that is named, or else the login itself."""
    if customer is not None:
        return customer
    if not asked:
        return user
    found = Customer.objects.filter(key=asked).first()
    if found is None:
        raise Refuse(gettext("There is no customer “%(name)s”.") % {"name": asked})
    return found


def choices(chosen: Iterable[str]) -> list[tuple[str, str, bool]]:
    """Each scope with its name and whether it is chosen."""
    wanted = set(chosen)
    return [(scope, str(SCOPE_NAMES[scope]), scope in wanted) for scope in SCOPES]
