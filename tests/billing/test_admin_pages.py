"""What admins do in the portal: logins, keys of nodes; and the audit log, which everybody on the staff may read."""

from __future__ import annotations

import csv
import io
import re

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from cardhour_billing.audit.log import audit
from cardhour_billing.logins.users import role_of
from cardhour_billing.models import AuditLog
from cardhour_contract.clock import SystemClock
from cardhour_contract.signing import PublicKey
from cardhour_ingest.warehouse.client import Warehouse
from cardhour_ingest.warehouse.node_keys import node_keys
from tests.billing.books import ACME, ISSUER, apply, clock_at
from tests.billing.conftest import Store
from tests.billing.portal_client import at_home, over, staff
from tests.billing.test_fleet_page import ON_ONE
from tests.billing.test_records import streamed
from tests.portal.facts import KEYS


@pytest.fixture
def admin(store: Store, monkeypatch: pytest.MonkeyPatch) -> Client:
    at_home(store.home, monkeypatch)
    apply(store.home, ISSUER + ACME)
    return staff("admin")


def password_on(page: str) -> str:
    found = re.search(r'class="mono" value="([^"]+)" readonly', page)
    assert found
    return found[1]


def last_action() -> tuple[str, str, str]:
    entry = AuditLog.objects.order_by("-position")[0]
    return entry.who, entry.action, entry.subject


@ON_ONE
def test_a_login_is_added_with_a_password_that_is_shown_once(admin: Client) -> None:
    answer = admin.post("/users/", {"name": "mei", "owner": "acme", "role": "member"})
    password = password_on(answer.content.decode())
    assert last_action() == ("the.admin", "user.add", "mei")
    assert User.objects.get(username="mei").check_password(password)
    assert password not in admin.get("/users/?q=mei").content.decode()
    refused = admin.post("/users/", {"name": "mei", "owner": "acme"})
    assert refused.status_code == 422
    assert "exists already" in refused.content.decode()
    assert all(password not in str(entry.detail) for entry in AuditLog.objects.all())


@ON_ONE
def test_role_disabling_and_a_new_password(admin: Client) -> None:
    clerk = staff("billing")
    login = User.objects.get(username="the.billing")
    assert clerk.get("/audit/").status_code == 200
    assert admin.post(f"/users/{login.pk}/role/", {"role": "viewer"}).status_code == 302
    assert role_of(User.objects.get(pk=login.pk)) == "viewer"
    page = admin.post(f"/users/{login.pk}/reset/").content.decode()
    assert User.objects.get(pk=login.pk).check_password(password_on(page))
    assert clerk.get("/audit/").status_code == 302  # its sessions ended
    assert admin.post(f"/users/{login.pk}/disable/").status_code == 302
    assert not User.objects.get(pk=login.pk).is_active
    assert last_action() == ("the.admin", "user.disable", "the.billing")
    assert admin.post(f"/users/{login.pk}/enable/").status_code == 302
    assert admin.post(f"/users/{login.pk}/remove/", {"name": "wrong"}).status_code == 422
    assert admin.post(f"/users/{login.pk}/remove/", {"name": "the.billing"}).status_code == 302
    assert not User.objects.filter(pk=login.pk).exists()


@ON_ONE
def test_the_last_admin_stays(admin: Client) -> None:
    mine = User.objects.get(username="the.admin")
    for action, values in (("disable", {}), ("role", {"role": "viewer"}), ("remove", {"name": "the.admin"})):
        assert admin.post(f"/users/{mine.pk}/{action}/", values).status_code == 422
    assert admin.get(f"/users/{mine.pk}/").status_code == 200
    assert admin.post(f"/users/{mine.pk}/nothing/").status_code == 404


@ON_ONE
def test_only_admins_manage_logins_and_keys(admin: Client) -> None:
    clerk = staff("billing")
    mine = User.objects.get(username="the.billing")
    for path in ("/users/", f"/users/{mine.pk}/", "/nodes/enrol/"):
        assert clerk.get(path).status_code == 403
    for path in ("/users/", f"/users/{mine.pk}/role/", "/nodes/enrol/", "/nodes/revoke/"):
        assert clerk.post(path, {"role": "admin"}).status_code == 403


@ON_ONE
def test_a_nodes_key_is_enrolled_and_revoked_after_a_look(
    admin: Client, warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    over(warehouse, monkeypatch, "cardhour_billing.portal.views.node_keys")
    key_id = PublicKey.parse(KEYS[0]).key_id
    assert admin.post("/nodes/enrol/", {"node": "n1", "key": "no key"}).status_code == 422
    page = admin.post("/nodes/enrol/", {"node": "n1", "key": KEYS[0]}).content.decode()
    assert key_id in page
    assert node_keys(warehouse) == []
    assert admin.post("/nodes/enrol/", {"node": "n1", "key": KEYS[0], "confirmed": "yes"}).status_code == 302
    assert last_action() == ("the.admin", "node enrol", "n1")
    page = admin.post("/nodes/revoke/", {"node": "n1", "key_id": key_id}).content.decode()
    assert "cannot be taken back" in page
    asked = {"node": "n1", "key_id": key_id, "confirmed": "yes"}
    assert "Say why" in admin.post("/nodes/revoke/", asked).content.decode()
    assert node_keys(warehouse)[0].revoked_from_ms is None
    assert admin.post("/nodes/revoke/", asked | {"reason": "stolen"}).status_code == 302
    assert (node_keys(warehouse)[0].reason, last_action()[1]) == ("stolen", "node revoke")
    assert admin.post("/nodes/revoke/", {"node": "n2", "key_id": ""}).status_code == 422


@ON_ONE
def test_a_nodes_keys_are_rotated_and_revoked_from_a_time(
    admin: Client, warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    over(warehouse, monkeypatch, "cardhour_billing.portal.views.node_keys")
    first, second = (PublicKey.parse(each).key_id for each in KEYS)
    asked = {"node": "n1", "key": KEYS[1]}
    assert "has no other key" in admin.post("/nodes/rotate/", asked).content.decode()
    admin.post("/nodes/enrol/", {"node": "n1", "key": KEYS[0], "confirmed": "yes"})
    assert admin.post("/nodes/rotate/", asked | {"overlap": "soon"}).status_code == 422
    page = admin.post("/nodes/rotate/", asked | {"overlap": "24"}).content.decode()
    assert first in page
    assert second in page
    assert "is refused" in page
    assert len(node_keys(warehouse)) == 1
    assert admin.post("/nodes/rotate/", asked | {"overlap": "24", "confirmed": "yes"}).status_code == 302
    assert last_action() == ("the.admin", "node rotate", "n1")
    found = {each.key_id: each for each in node_keys(warehouse)}
    ends_ms = found[first].revoked_from_ms
    assert ends_ms is not None
    assert ends_ms > SystemClock().now_ms()
    assert found[second].revoked_from_ms is None

    asked = {"node": "n1", "key_id": second, "confirmed": "yes", "reason": "stolen", "since": "2026-01-05 08:00"}
    seen = admin.post("/nodes/revoke/", asked | {"shown_since": ""}).content.decode()
    assert "2026-01-05 08:00" in seen
    assert node_keys(warehouse)[1].revoked_from_ms is None  # a time that was typed last is looked at first
    assert admin.post("/nodes/revoke/", asked | {"since": "noon"}).status_code == 422
    assert admin.post("/nodes/revoke/", asked | {"shown_since": asked["since"]}).status_code == 302
    assert {each.key_id for each in node_keys(warehouse) if each.reason == "stolen"} == {second}


@ON_ONE
def test_the_audit_log_is_searched_paged_by_key_and_verified(admin: Client) -> None:
    for number in range(120):
        audit(clock_at("2026-10-05T12:00:00Z"), "lin", "payment.record", f"P{number}", {"amount": "1"})
    with CaptureQueriesContext(connection) as asked:
        page = admin.get("/audit/?who=lin").content.decode()
    assert len(asked) <= 6
    assert page.count("payment.record") == 50
    older = re.search(r'href="\?([^"]*before=\d+)"', page)
    assert older
    path = "/audit/?" + older[1].replace("&amp;", "&")
    assert "P69" in admin.get(path).content.decode()
    assert "Nothing fits" in admin.get("/audit/?who=lin&last=2026-10-04").content.decode()
    answer = admin.get("/audit/?action=payment&first=2026-10-05&last=2026-10-05&format=csv")
    rows = list(csv.DictReader(io.StringIO(streamed(answer).decode("utf-8-sig"))))
    assert [row["subject"] for row in rows] == [f"P{number}" for number in range(120)]
    assert "The log is whole" in admin.post("/audit/verify/", follow=True).content.decode()
