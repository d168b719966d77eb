"""The page of API keys: an organisation's admin keeps its own keys, an admin of staff everybody's."""

from __future__ import annotations

import re

from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from cardhour_billing.logins.api_keys import SCOPES, find_key
from cardhour_billing.models import ApiKey, Customer, PortalUser, StaffRole
from cardhour_billing.portal.api_key_rows import SCOPE_NAMES
from tests.billing import books_of_two as books
from tests.billing.api.program import Program
from tests.billing.in_process import Store

FORM = {"name": "nightly", "scope": ["invoices:read"], "days": "90"}


def signed_in(name: str, *, customer: str = "", admin: bool = True) -> Client:
    """A browser of a login that was just made."""
    login = User.objects.create_user(name, is_staff=not customer)
    if customer:
        PortalUser.objects.create(user=login, customer=Customer.objects.get(key=customer), is_admin=admin)
    elif admin:
        StaffRole.objects.create(user=login, role="admin")
    client = Client()
    client.force_login(login)
    return client


def token_on(page: str) -> str:
    found = re.search(r'value="(chk_[^"]+)"', page)
    assert found
    return found[1]


def test_an_organisations_admin_makes_a_key_and_sees_its_token_once(books_of_two: Store) -> None:
    chen = signed_in("chen.yi", customer="acme")
    answer = chen.post("/api-keys/", FORM)
    token = token_on(answer.content.decode())
    assert "no-store" in answer.headers["Cache-Control"]
    assert Program(token).get("/invoices").status == 200
    assert token[12:] not in chen.get("/api-keys/").content.decode()
    assert not any(token[12:] in str(each.get_decoded()) for each in Session.objects.all())
    made = find_key(token[:12])
    assert (made.customer and made.customer.key, made.created_by) == ("acme", "chen.yi")


def test_a_revoked_key_ends_at_once(books_of_two: Store) -> None:
    chen = signed_in("chen.yi", customer="acme")
    token = token_on(chen.post("/api-keys/", FORM).content.decode())
    page = chen.post(f"/api-keys/{find_key(token[:12]).pk}/revoke/", follow=True).content.decode()
    assert "was revoked" in page
    assert Program(token).get("/invoices").status == 401


def test_what_cannot_be_a_key_is_said_and_what_was_typed_stays(books_of_two: Store) -> None:
    chen = signed_in("chen.yi", customer="acme")
    answer = chen.post("/api-keys/", {"name": "nightly", "days": "never"})
    page = answer.content.decode()
    assert answer.status_code == 422
    assert "without a scope" in page
    assert 'value="nightly"' in page
    assert not ApiKey.objects.exists()


def test_an_organisation_keeps_its_own_keys_alone(books_of_two: Store) -> None:
    books.token("rival")
    rivals = ApiKey.objects.get()
    chen = signed_in("chen.yi", customer="acme")
    assert rivals.prefix not in chen.get("/api-keys/").content.decode()
    assert chen.post(f"/api-keys/{rivals.pk}/revoke/").status_code == 404
    chen.post("/api-keys/", {**FORM, "customer": "rival"})
    assert ApiKey.objects.filter(customer__key="rival").count() == 1
    for other in (signed_in("xu.fan", customer="acme", admin=False), signed_in("wen.jie", admin=False)):
        assert other.get("/api-keys/").status_code == 403
        assert other.post("/api-keys/", FORM).status_code == 403


def test_an_admin_of_staff_keeps_keys_of_any_customer_and_their_own(books_of_two: Store) -> None:
    books.token("rival")
    lin = signed_in("lin.yue")
    lin.post("/api-keys/", {**FORM, "customer": "acme"})
    lin.post("/api-keys/", FORM)
    page = lin.get("/api-keys/").content.decode()
    assert all(each.prefix in page for each in ApiKey.objects.all())
    assert sorted(str(each.customer and each.customer.key) for each in ApiKey.objects.all()) == [
        "None",
        "acme",
        "rival",
    ]
    found = lin.get("/api-keys/", {"q": "rival"}).content.decode()
    assert [each.prefix in found for each in ApiKey.objects.order_by("pk")] == [True, False, False]
    assert "no customer" in lin.post("/api-keys/", {**FORM, "customer": "nobody"}).content.decode()


def test_the_list_of_keys_takes_few_queries(
    books_of_two: Store, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for _ in range(20):
        books.token("acme")
    lin = signed_in("lin.yue")
    with django_assert_max_num_queries(5):
        lin.get("/api-keys/")


def test_every_scope_has_a_name_on_the_page() -> None:
    assert SCOPE_NAMES.keys() == SCOPES.keys()
