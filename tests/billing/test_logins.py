"""Logins and their roles: who is added as what, what each may then do, and who can never be locked out."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.contrib.auth.models import AnonymousUser, User
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.test import RequestFactory
from pytest_django import DjangoAssertNumQueries

from cardhour_billing.logins.users import logins
from cardhour_billing.models import AuditLog, StaffRole
from cardhour_billing.portal import access
from cardhour_billing.portal.access import Capabilities, capabilities, customer_of
from cardhour_billing.portal.backend import LoginBackend
from tests.billing.books import ACME, ISSUER, apply
from tests.billing.in_process import Desk, Store

PASSWORD = "correct horse battery\n"
GUARDS: tuple[Callable[[Callable[[HttpRequest], HttpResponseBase]], Callable[[HttpRequest], HttpResponseBase]], ...] = (
    access.staff_only,
    access.billing_only,
    access.admin_only,
    access.customer_only,
    access.customer_admin_only,
)


@pytest.fixture
def customers(store: Store) -> None:
    apply(store.home, ISSUER + ACME)


def add(desk: Desk, name: str, *whose: str) -> str:
    return desk.text("user", "add", name, *whose, "--password-stdin", answer=PASSWORD)


def test_logins_are_added_once_and_with_a_password_that_holds(desk: Desk, customers: None) -> None:
    weak = desk.refusal("user", "add", "alice", "--customer", "acme", "--password-stdin", answer="12345\n")
    assert "password" in weak
    assert add(desk, "alice", "--customer", "acme") == "Added alice, for customer acme: member.\n"
    again = desk.refusal("user", "add", "alice", "--customer", "acme", "--password-stdin", answer=PASSWORD)
    assert "exists already" in again
    assert desk.text("user", "remove", "alice") == "Removed alice.\n"
    assert "no login 'alice'" in desk.refusal("user", "remove", "alice")


def test_every_login_is_listed_with_whose_it_is_and_its_role(desk: Desk, customers: None) -> None:
    assert add(desk, "root", "--staff", "--role", "admin") == "Added root, staff: admin.\n"
    add(desk, "clerk", "--staff")
    add(desk, "alice", "--customer", "acme", "--role", "admin")
    User.objects.create(username="lost")
    assert [(row["login"], row["of"], row["role"]) for row in desk.rows("user", "list")] == [
        ("alice", "acme", "admin"),
        ("clerk", "staff", "billing"),
        ("lost", None, None),
        ("root", "staff", "admin"),
    ]


def test_a_role_is_of_staff_or_of_a_customer_and_changing_it_is_audited(desk: Desk, customers: None) -> None:
    add(desk, "clerk", "--staff")
    add(desk, "alice", "--customer", "acme")
    assert desk.text("user", "role", "clerk", "viewer") == "clerk is viewer now; before: billing.\n"
    assert desk.text("user", "role", "clerk", "viewer") == "clerk is viewer already.\n"
    assert desk.text("user", "role", "alice", "admin") == "alice is admin now; before: member.\n"
    assert "no role 'billing' for a customer's logins" in desk.refusal("user", "role", "alice", "billing")
    assert "no role 'member' for staff" in desk.refusal("user", "role", "clerk", "member")
    told = [(entry.subject, entry.detail) for entry in AuditLog.objects.filter(action="user.role")]
    assert told == [
        ("clerk", {"before": "billing", "after": "viewer"}),
        ("alice", {"before": "member", "after": "admin"}),
    ]


def test_the_last_admin_of_staff_stays_one(desk: Desk, customers: None) -> None:
    add(desk, "root", "--staff", "--role", "admin")
    assert "only admin" in desk.refusal("user", "role", "root", "viewer")
    assert "only admin" in desk.refusal("user", "remove", "root")
    add(desk, "second", "--staff", "--role", "admin")
    desk.text("user", "remove", "root")
    assert "only admin" in desk.refusal("user", "role", "second", "billing")


def test_what_each_role_may_do(desk: Desk, customers: None) -> None:
    for role in ("viewer", "billing", "admin"):
        add(desk, role, "--staff", "--role", role)
    add(desk, "alice", "--customer", "acme")
    add(desk, "boss", "--customer", "acme", "--role", "admin")
    User.objects.create(username="lost")
    User.objects.create(username="bare", is_staff=True)  # made by Django's own commands
    may = {login.username: capabilities(login) for login in logins()}
    assert may == {
        "viewer": Capabilities(staff=True),
        "bare": Capabilities(staff=True),
        "billing": Capabilities(staff=True, bill=True),
        "admin": Capabilities(staff=True, bill=True, administer=True),
        "alice": Capabilities(customer=True),
        "boss": Capabilities(customer=True, organise=True),
        "lost": Capabilities(),
    }
    allowed = {login.username: [_passes(guard, login) for guard in GUARDS] for login in logins()}
    assert allowed == {
        "viewer": [True, False, False, False, False],
        "bare": [True, False, False, False, False],
        "billing": [True, True, False, False, False],
        "admin": [True, True, True, False, False],
        "alice": [False, False, False, True, False],
        "boss": [False, False, False, True, True],
        "lost": [False, False, False, False, False],
    }


def test_who_has_not_signed_in_is_sent_to_the_sign_in_page() -> None:
    for guard in GUARDS:
        answer = guard(lambda request: HttpResponse())(_request(AnonymousUser()))
        assert (answer.status_code, answer.headers["Location"]) == (302, "/sign-in/?next=/page")


def test_role_and_customer_come_with_the_login_in_one_query(
    desk: Desk, customers: None, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    add(desk, "alice", "--customer", "acme")
    key = User.objects.get(username="alice").pk
    with django_assert_num_queries(1):
        login = LoginBackend().get_user(key)
        assert login is not None
        customer = customer_of(login)
        assert customer is not None
        assert (customer.key, customer.issuer.name) == ("acme", "Example Compute")
        assert capabilities(login).customer


def test_a_login_that_was_put_to_rest_is_nobody(desk: Desk, customers: None) -> None:
    add(desk, "clerk", "--staff")
    User.objects.filter(username="clerk").update(is_active=False)
    assert LoginBackend().get_user(User.objects.get(username="clerk").pk) is None


def test_staff_of_before_there_were_roles_may_still_do_everything(store: Store) -> None:
    from importlib import import_module

    from django.apps import apps as registry
    from django.db import connection

    User.objects.create(username="early", is_staff=True)
    with connection.schema_editor() as editor:
        import_module("cardhour_billing.migrations.0004_roles").give_roles(registry, editor)
    assert StaffRole.objects.get(user__username="early").role == "admin"


def _passes(
    guard: Callable[[Callable[[HttpRequest], HttpResponseBase]], Callable[[HttpRequest], HttpResponseBase]], user: User
) -> bool:
    try:
        return guard(lambda request: HttpResponse())(_request(user)).status_code == 200
    except PermissionDenied as refused:
        assert str(refused)
        return False


def _request(user: User | AnonymousUser) -> HttpRequest:
    request = RequestFactory().get("/page")
    request.user = user
    return request
