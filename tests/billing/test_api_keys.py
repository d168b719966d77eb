"""Keys of the API: what is kept of them, who ends them, and how often they may call."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.contrib.auth.models import User
from django.db import connection, transaction
from django.db.utils import DatabaseError

from cardhour_billing.logins.api_keys import KEYS_MAX, add_key, key_of_token, revoke_key, state_of_key
from cardhour_billing.logins.api_pace import pace
from cardhour_billing.models import ApiKey, AuditLog, Customer
from cardhour_contract.errors import Refuse
from cardhour_contract.moment import DAY_MS
from tests.billing.books import ACME, ISSUER, apply, clock_at
from tests.billing.in_process import Desk, Store

NOW = "2026-06-01T00:00:00Z"


def key_for(store: Store, *scopes: str, days: int = 30) -> tuple[ApiKey, str]:
    apply(store.home, ISSUER + ACME)
    customer = Customer.objects.get(key="acme")
    return add_key("nightly", scopes or ("usage:read",), owner=customer, days=days, clock=clock_at(NOW), who="chen.yi")


def test_a_key_is_found_by_its_token_until_it_expires(store: Store) -> None:
    made, token = key_for(store, days=30)
    now_ms = clock_at(NOW).now_ms()
    assert key_of_token(token, now_ms) == made
    assert key_of_token(token, now_ms + 30 * DAY_MS - 1) == made
    assert key_of_token(token, now_ms + 30 * DAY_MS) is None
    assert key_of_token(token[:-1], now_ms) is None


def test_the_token_is_kept_nowhere(store: Store) -> None:
    made, token = key_for(store)
    assert len(token) == 47
    rows = [*ApiKey.objects.values(), *AuditLog.objects.values()]
    assert token not in json.dumps(rows)
    assert token[len(made.prefix) :] not in json.dumps(rows)
    assert AuditLog.objects.get(action="api-key.add").subject == made.prefix


def test_a_revoked_key_is_good_for_nothing_and_cannot_be_revived(store: Store) -> None:
    made, token = key_for(store)
    clock = clock_at(NOW)
    assert revoke_key(made, clock=clock, who="chen.yi")
    assert not revoke_key(made, clock=clock, who="chen.yi")
    assert key_of_token(token, clock.now_ms()) is None
    made.refresh_from_db()
    assert state_of_key(made, clock.now_ms()) == "revoked"
    for change in ({"revoked_at_ms": None}, {"scopes": ["balance:read"]}, {"expires_at_ms": 2**40}):
        with pytest.raises(DatabaseError, match="make another"), transaction.atomic():
            ApiKey.objects.filter(pk=made.pk).update(**change)


def test_a_key_of_staff_only_reads_and_ends_with_its_login(store: Store) -> None:
    login = User.objects.create_user("lin.yue", is_staff=True)
    clock = clock_at(NOW)
    with pytest.raises(Refuse, match="a key of staff only reads"):
        add_key("export", ["statements:write"], owner=login, clock=clock, who="lin.yue")
    _, token = add_key("export", ["invoices:read"], owner=login, clock=clock, who="lin.yue")
    assert key_of_token(token, clock.now_ms())
    User.objects.filter(pk=login.pk).update(is_active=False)
    assert key_of_token(token, clock.now_ms()) is None


def test_what_cannot_be_a_key_is_refused_with_every_reason(store: Store) -> None:
    apply(store.home, ISSUER + ACME)
    customer = Customer.objects.get(key="acme")
    with pytest.raises(Refuse) as refused:
        add_key(" ", ["money:take"], owner=customer, days=9999, clock=clock_at(NOW), who="chen.yi")
    assert len(refused.value.problems) == 3
    for at in range(KEYS_MAX):
        add_key(f"key {at}", ["usage:read"], owner=customer, clock=clock_at(NOW), who="chen.yi")
    with pytest.raises(Refuse, match="revoke what is not used"):
        add_key("one more", ["usage:read"], owner=customer, clock=clock_at(NOW), who="chen.yi")


def test_a_key_may_burst_and_then_keeps_the_pace(store: Store) -> None:
    made, _ = key_for(store)
    clock = clock_at(NOW)
    assert [pace(made, 60, clock) for _ in range(60)] == [0] * 60
    assert pace(made, 60, clock) == 1
    clock.sleep_ms(1000)
    assert [pace(made, 60, clock), pace(made, 60, clock)] == [0, 1]
    clock.sleep_ms(60_000)
    assert [pace(made, 60, clock) for _ in range(60)] == [0] * 60
    made.refresh_from_db()
    assert made.last_used_at_ms == clock.now_ms()


def test_callers_at_once_share_one_pace(store: Store) -> None:
    made, _ = key_for(store)
    clock = clock_at(NOW)

    def calls(_: int) -> int:
        try:
            return sum(pace(made, 20, clock) == 0 for _ in range(15))
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(calls, range(4))) == 20


def test_keys_by_command(store: Store, desk: Desk) -> None:
    apply(store.home, ISSUER + ACME)
    said = desk.text("api-key", "add", "nightly", "--customer", "acme", "--scope", "usage:read")
    token = said.splitlines()[0]
    assert "only time" in said
    assert key_of_token(token, clock_at(NOW).now_ms())
    (row,) = desk.rows("api-key", "list", "--customer", "acme")
    assert (row["key"], row["state"], row["scopes"]) == (token[:12], "good", "usage:read")
    assert "no customer 'blue'" in desk.refusal("api-key", "list", "--customer", "blue")
    assert "no login of staff" in desk.refusal("api-key", "add", "x", "--staff", "eve", "--scope", "usage:read")
    desk.text("api-key", "revoke", token[:12])
    assert "revoked already" in desk.refusal("api-key", "revoke", token[:12])
    assert desk.rows("api-key", "list") == []
    assert [each["state"] for each in desk.rows("api-key", "list", "--all")] == ["revoked"]
    unknown = desk.refusal("api-key", "revoke", "chk_somebodys-whole-token-pasted-by-mistake")
    assert "pasted" not in unknown
