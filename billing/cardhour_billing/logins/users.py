"""Logins of the portal: staff, or one customer's, each with a role. Owns adding, changing and removing them.

Does not own passwords and sessions, which Django keeps, nor what a role may see (``portal.access``).
"""

from __future__ import annotations

import secrets

from django.contrib.auth.models import User
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ObjectDoesNotExist, ValidationError
from django.db import transaction
from django.db.models import QuerySet

from cardhour_billing.audit.log import audit
from cardhour_billing.models import Customer, PortalUser, StaffRole
from cardhour_contract.clock import Clock
from cardhour_contract.errors import Refuse

STAFF_ROLES = tuple(str(value) for value in StaffRole.Role.values)
MEMBER, ADMIN = "member", "admin"
CUSTOMER_ROLES = (MEMBER, ADMIN)
"""A member of a customer's organisation looks; its admin manages its logins, keys and budgets."""


def logins() -> QuerySet[User]:
    """Every login, with what ``role_of`` and ``customer_of`` need."""
    return User.objects.select_related("staff_role", "portal_user__customer__issuer").order_by("username")


def role_of(login: User) -> str:
    """One of ``STAFF_ROLES`` or ``CUSTOMER_ROLES``; empty for a login that was given to nobody."""
    try:
        if login.is_staff:
            return str(login.staff_role.role)
        return ADMIN if login.portal_user.is_admin else MEMBER
    except ObjectDoesNotExist:
        return str(StaffRole.Role.VIEWER) if login.is_staff else ""


def owner_of(login: User) -> str:
    """``staff``, the customer's key, or empty."""
    if login.is_staff:
        return "staff"
    try:
        return login.portal_user.customer.key
    except ObjectDoesNotExist:
        return ""


def add_user(name: str, password: str, *, customer: str | None, role: str = "", clock: Clock, who: str) -> User:
    """Add a login: of ``customer``, or of staff where that is ``None``. Refuses a weak password and a taken name.

    Without a role, staff are ``billing`` and a customer's login is a ``member``.
    """
    role = role or (str(StaffRole.Role.BILLING) if customer is None else MEMBER)
    login = User(username=name, is_staff=customer is None)
    try:
        User.username_validator(name)
        validate_password(password, login)
    except ValidationError as error:
        raise Refuse(*error.messages) from error
    with transaction.atomic():
        if User.objects.filter(username=name).exists():
            raise Refuse(f"the login '{name}' exists already")
        owner = Customer.objects.filter(key=customer).first() if customer else None
        if customer and owner is None:
            raise Refuse(f"there is no customer '{customer}'")
        login.set_password(password)
        login.save()
        if owner:
            PortalUser.objects.create(user=login, customer=owner)
        _set_role(login, role)
        audit(clock, who, "user.add", name, {"customer": customer or "", "staff": customer is None, "role": role})
    return login


def change_role(name: str, role: str, *, clock: Clock, who: str) -> str:
    """Give login ``name`` another role; the one it had."""
    with transaction.atomic():
        login = _locked(name)
        before = role_of(login)
        if before == role and (not login.is_staff or StaffRole.objects.filter(user=login).exists()):
            return before
        _keep_an_admin(login, before)
        _set_role(login, role)
        audit(clock, who, "user.role", name, {"before": before, "after": role})
    return before


def remove_user(name: str, *, clock: Clock, who: str) -> None:
    """Take a login away. What it did stays in the audit log."""
    with transaction.atomic():
        login = _locked(name)
        _keep_an_admin(login, role_of(login))
        login.delete()
        audit(clock, who, "user.remove", name, {})


def set_active(name: str, active: bool, *, clock: Clock, who: str) -> None:
    """Let a login in again, or no longer; what it did stays. Saying it twice changes nothing."""
    with transaction.atomic():
        login = _locked(name)
        if login.is_active == active:
            return
        if not active:
            _keep_an_admin(login, role_of(login))
        login.is_active = active
        login.save(update_fields=["is_active"])
        audit(clock, who, "user.enable" if active else "user.disable", name, {})


def reset_password(name: str, *, clock: Clock, who: str) -> str:
    """Give a login a new password, which ends its sessions; the password, which nothing keeps."""
    password = new_password()
    with transaction.atomic():
        login = _locked(name)
        login.set_password(password)
        login.save(update_fields=["password"])
        audit(clock, who, "user.reset", name, {})
    return password


def new_password() -> str:
    """A password that nobody chose: 120 bits."""
    return secrets.token_urlsafe(15)


def find_login(name: str) -> User:
    """The login called so."""
    login = User.objects.filter(username=name).first()
    if login is None:
        raise Refuse(f"there is no login '{name}'; cardhour user list shows them")
    return login


def _locked(name: str) -> User:
    """The login, and with it every admin of staff: two admins cannot take the role from each other at once."""
    admins = User.objects.select_for_update().filter(staff_role__role=StaffRole.Role.ADMIN).order_by("pk")
    list(admins.values_list("pk"))
    return find_login(name)


def _keep_an_admin(login: User, role: str) -> None:
    """Staff never lock themselves out: the last who may manage logins stays one."""
    if not login.is_staff or role != ADMIN:
        return
    others = User.objects.filter(is_active=True, is_staff=True, staff_role__role=StaffRole.Role.ADMIN)
    if not others.exclude(pk=login.pk).exists():
        raise Refuse(f"{login.username} is the only admin of staff; make another one first: cardhour user role")


def _set_role(login: User, role: str) -> None:
    known = STAFF_ROLES if login.is_staff else CUSTOMER_ROLES
    if role not in known:
        whose = "staff" if login.is_staff else "a customer's logins"
        raise Refuse(f"there is no role '{role}' for {whose}; say one of {', '.join(known)}")
    if login.is_staff:
        StaffRole.objects.update_or_create(user=login, defaults={"role": role})
        return
    if not PortalUser.objects.filter(user=login).update(is_admin=role == ADMIN):
        raise Refuse(f"{login.username} belongs to no customer; remove it and add it with --customer ID")
