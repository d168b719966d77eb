"""Logins of the portal: staff, or one customer's. Owns adding and removing them. Django keeps the passwords."""

from __future__ import annotations

from django.contrib.auth.models import User
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import transaction

from cardhour_billing.audit import audit
from cardhour_billing.models import Customer, PortalUser
from cardhour_contract.clock import Clock
from cardhour_contract.errors import Refuse


def add_user(name: str, password: str, *, customer: str | None, clock: Clock, who: str) -> User:
    """Add a login: of ``customer``, or of staff where that is ``None``. Refuses a weak password and a taken name."""
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
        audit(clock, who, "user.add", name, {"customer": customer or "", "staff": customer is None})
    return login


def remove_user(name: str, *, clock: Clock, who: str) -> bool:
    """Take a login away. Whether there was one."""
    with transaction.atomic():
        deleted, _ = User.objects.filter(username=name).delete()
        if deleted:
            audit(clock, who, "user.remove", name, {})
    return bool(deleted)
