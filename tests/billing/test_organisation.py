"""Logins of an organisation are kept by its admins, and by nobody else's."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User

from cardhour_billing.logins.organisation import add_member, members, remove_member, set_admin
from cardhour_billing.models import AuditLog, Customer, PortalUser
from cardhour_contract.errors import Refuse
from tests.billing.books import ACME, ISSUER, apply, clock_at
from tests.billing.conftest import Store

CLOCK = clock_at("2026-01-01T00:00:00Z")


@pytest.fixture
def acme(store: Store) -> Customer:
    apply(store.home, ISSUER + ACME)
    customer = Customer.objects.get(key="acme")
    PortalUser.objects.create(user=User.objects.create(username="ada"), customer=customer, is_admin=True)
    return customer


def test_an_admin_adds_promotes_and_removes_each_audited(acme: Customer) -> None:
    password = add_member(acme, "bob", admin=False, clock=CLOCK, who="ada")
    bob = members(acme).get(username="bob")
    assert bob.check_password(password)
    set_admin(acme, bob, admin=True, clock=CLOCK, who="ada")
    assert members(acme).get(username="bob").portal_user.is_admin
    remove_member(acme, bob, clock=CLOCK, who="ada")
    assert [login.username for login in members(acme)] == ["ada"]
    audited = AuditLog.objects.filter(action__startswith="user.").order_by("position")
    assert list(audited.values_list("action", "who")) == [
        ("user.add", "ada"), ("user.role", "ada"), ("user.remove", "ada"),
    ]  # fmt: skip


def test_an_organisation_keeps_an_admin(acme: Customer) -> None:
    ada = members(acme).get(username="ada")
    with pytest.raises(Refuse, match="your own login"):
        remove_member(acme, ada, clock=CLOCK, who="ada")
    add_member(acme, "bob", admin=True, clock=CLOCK, who="ada")
    set_admin(acme, ada, admin=False, clock=CLOCK, who="bob")
    with pytest.raises(Refuse, match="no admin of this organisation any more"):
        remove_member(acme, members(acme).get(username="bob"), clock=CLOCK, who="ada")


def test_a_name_that_is_taken_or_none_is_refused(acme: Customer) -> None:
    with pytest.raises(Refuse, match="exists already"):
        add_member(acme, "ada", admin=False, clock=CLOCK, who="ada")
    with pytest.raises(Refuse):
        add_member(acme, "no spaces here", admin=False, clock=CLOCK, who="ada")
