"""Logins of a customer's own organisation, kept by its admins.

Owns what an admin may do there: only to logins of the same customer, never to itself, so that an organisation keeps one
who can. Does not own logins (``users``). A new login gets a password that is shown once.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import QuerySet

from cardhour_billing.logins.invitation import Sending, invite
from cardhour_billing.logins.users import ADMIN, MEMBER, add_user, change_role, remove_user
from cardhour_billing.models import Customer
from cardhour_billing.receivables.allocating import locked
from cardhour_billing.sending.mailing import Fate
from cardhour_contract.clock import Clock
from cardhour_contract.errors import Refuse

LOGINS_MAX = 200
"""Logins of one organisation."""

PASSWORD_BYTES = 15
"""Twenty characters: nobody guesses it before it is changed, or afterwards."""


def members(customer: Customer) -> QuerySet[User]:
    """The logins of a customer, by name."""
    return (
        User.objects.select_related("portal_user__customer__issuer", "invitation")
        .filter(portal_user__customer=customer)
        .order_by("username")
    )


def add_member(customer: Customer, name: str, *, admin: bool, clock: Clock, who: str) -> str:
    """Add a login; its password, which is kept nowhere."""
    password = secrets.token_urlsafe(PASSWORD_BYTES)
    with transaction.atomic():
        locked(customer)
        if members(customer).count() >= LOGINS_MAX:
            raise Refuse(f"{customer.key} has {LOGINS_MAX} logins: remove one first")
        add_user(name, password, customer=customer.key, role=ADMIN if admin else MEMBER, clock=clock, who=who)
    return password


def invite_member(customer: Customer, email: str, *, admin: bool, sending: Sending, clock: Clock, who: str) -> Fate:
    """Add a login without a password, and write to it; what became of the letter."""
    if members(customer).count() >= LOGINS_MAX:
        raise Refuse(f"{customer.key} has {LOGINS_MAX} logins: remove one first")
    role = ADMIN if admin else MEMBER
    return invite(email, customer=customer.key, role=role, sending=sending, clock=clock, who=who)


def set_admin(customer: Customer, login: User, *, admin: bool, clock: Clock, who: str) -> None:
    """Let a login manage the organisation, or not."""
    with _another(customer, login, who):
        change_role(login.username, ADMIN if admin else MEMBER, clock=clock, who=who)


def remove_member(customer: Customer, login: User, *, clock: Clock, who: str) -> None:
    """Take a login away. What it did stays in the audit log."""
    with _another(customer, login, who):
        remove_user(login.username, clock=clock, who=who)


@contextmanager
def _another(customer: Customer, login: User, who: str) -> Iterator[None]:
    """One change at a time, by an admin who still is one, and to somebody else."""
    if login.username == who:
        raise Refuse("this is your own login: another admin of your organisation can do that")
    with transaction.atomic():
        locked(customer)
        if not members(customer).filter(username=who, portal_user__is_admin=True).exists():
            raise Refuse("you are no admin of this organisation any more")
        yield
