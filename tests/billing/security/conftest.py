"""The logins of every role, and a browser for each."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.contrib.auth.models import User
from django.test import Client

from cardhour_billing.models import Customer, PortalUser, StaffRole
from tests.billing.in_process import Store

Browser = Callable[..., Client]
ROLES = ("anonymous", "lost", "member", "organiser", "stranger", "viewer", "billing", "admin")


@pytest.fixture
def browser(books_of_two: Store) -> Browser:
    """A browser that somebody of a role has signed in with: ``browser("viewer")``. Acme's, but for the stranger."""
    logins: dict[str, User] = {}

    def made(role: str, *, csrf: bool = False) -> Client:
        client = Client(enforce_csrf_checks=csrf, raise_request_exception=True)
        if role != "anonymous":
            logins[role] = logins.get(role) or login(role)
            client.force_login(logins[role])
        return client

    return made


def login(role: str) -> User:
    """A new login of ``role``; without a password, which would be slow to make."""
    staff = role in ("viewer", "billing", "admin")
    user = User.objects.create_user(f"the.{role}", is_staff=staff)
    if staff:
        StaffRole.objects.create(user=user, role=role)
    elif role != "lost":
        key = "rival" if role == "stranger" else "acme"
        PortalUser.objects.create(user=user, customer=Customer.objects.get(key=key), is_admin=role != "member")
    return user
