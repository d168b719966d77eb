"""Logins of the portal: staff, or one customer's, each with a role. Owns adding, changing and removing them.

Does not own passwords and sessions, which Django keeps, nor what a role may see (``portal.access``).
"""

from __future__ import annotations

import secrets

from django.contrib.auth.models import User
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ObjectDoesNotExist, ValidationError
from django.core.validators import validate_email
from django.db import transaction
from django.db.models import QuerySet

from cardhour_billing.audit.log import audit
from cardhour_billing.models import Customer, Invitation, PortalUser, StaffRole
from cardhour_contract.clock import Clock
from cardhour_contract.errors import Refuse

STAFF_ROLES = tuple(str(value) for value in StaffRole.Role.values)
MEMBER, ADMIN = "member", "admin"
CUSTOMER_ROLES = (MEMBER, ADMIN)
"""A member of a customer's organisation looks; its admin manages its logins, keys and budgets."""
EMAIL_CHARS_MAX = 150
"""As long as a login's name may be, which an address becomes."""


def logins() -> QuerySet[User]:
    """Every login, with what ``role_of`` and ``customer_of`` need."""
    return User.objects.select_related("staff_role", "portal_user__customer__issuer", "invitation").order_by("username")


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


def customer_of_login(login: User) -> Customer | None:
    """The customer that a login belongs to; none for staff, and for a login that was given to nobody."""
    try:
        return None if login.is_staff else login.portal_user.customer
    except ObjectDoesNotExist:
        return None


def add_user(name: str, password: str, *, customer: str | None, role: str = "", clock: Clock, who: str) -> User:
    """Add a login: of ``customer``, or of staff where that is ``None``. Refuses a weak password and a taken name.

    Without a role, staff are ``billing`` and a customer's login is a ``member``.
    """
    login = User(username=name, is_staff=customer is None)
    try:
        User.username_validator(name)
        validate_password(password, login)
    except ValidationError as error:
        raise Refuse(*error.messages) from error
    login.set_password(password)
    return _added(login, customer, role, "user.add", clock=clock, who=who)


def add_invited(email: str, *, customer: str | None, role: str = "", clock: Clock, who: str) -> User:
    """Add a login that is called as its address and has no password, which its owner sets (``logins.invitation``)."""
    address = checked_email(email)
    if not address:
        raise Refuse("an invitation needs an address such as ada@example.com")
    login = User(username=address, email=address, is_staff=customer is None)
    try:
        User.username_validator(address)
    except ValidationError as error:
        raise Refuse(f"'{address}' cannot be a login's name: use letters, digits and @ . + - _ alone") from error
    login.set_unusable_password()
    return _added(login, customer, role, "user.invite", clock=clock, who=who)


def checked_email(text: str) -> str:
    """An address as it is kept: its letters small, so that it is found. Empty for none."""
    address = text.strip().lower()
    if not address:
        return ""
    try:
        validate_email(address)
    except ValidationError as error:
        raise Refuse(f"'{address}' is no address such as ada@example.com") from error
    if len(address) > EMAIL_CHARS_MAX:
        raise Refuse(f"an address has at most {EMAIL_CHARS_MAX} characters")
    return address


def set_email(name: str, email: str, *, clock: Clock, who: str) -> None:
    """Where a login is written to when it forgot its password; empty for nowhere."""
    address = checked_email(email)
    with transaction.atomic():
        login = _locked(name)
        before, login.email = login.email, address
        if before != address:
            login.save(update_fields=["email"])
            audit(clock, who, "user.email", name, {"before": before, "after": address})


def _added(login: User, customer: str | None, role: str, action: str, *, clock: Clock, who: str) -> User:
    name, role = login.username, role or (str(StaffRole.Role.BILLING) if customer is None else MEMBER)
    with transaction.atomic():
        if User.objects.filter(username=name).exists():
            raise Refuse(f"the login '{name}' exists already")
        owner = Customer.objects.filter(key=customer).first() if customer else None
        if customer and owner is None:
            raise Refuse(f"there is no customer '{customer}'")
        login.save()
        if owner:
            PortalUser.objects.create(user=login, customer=owner)
        _set_role(login, role)
        audit(clock, who, action, name, {"customer": customer or "", "staff": customer is None, "role": role})
    return logins().get(pk=login.pk)  # as it was written, role and all


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


def chose_password(login: User, *, how: str, clock: Clock) -> None:
    """The owner of a login has set a new password, in the transaction of whoever saves it."""
    audit(clock, login.get_username(), "user.password", login.get_username(), {"by": how})


def reset_password(name: str, *, clock: Clock, who: str) -> str:
    """Give a login a new password, which ends its sessions; the password, which nothing keeps."""
    password = new_password()
    with transaction.atomic():
        login = _locked(name)
        login.set_password(password)
        login.save(update_fields=["password"])
        Invitation.objects.filter(user=login).delete()
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
    admins = User.objects.filter(is_active=True, is_staff=True, staff_role__role=StaffRole.Role.ADMIN)
    others = admins.filter(invitation=None)  # who was invited and has not come cannot help
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
