"""What a browser is given and what it may do with it: sessions, headers, lock-out, and nothing secret in a log."""

from __future__ import annotations

import json
import logging
from collections import defaultdict

import pytest
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.test import Client
from structlog.testing import capture_logs

from cardhour_billing.logins.users import add_user
from cardhour_billing.middleware import POLICY
from cardhour_contract.clock import SystemClock
from tests.billing import books_of_two as books
from tests.billing.in_process import Store
from tests.billing.security.conftest import Browser
from tests.billing.security.table import PAGES

pytestmark = pytest.mark.parametrize("migrated", ["sqlite"], indirect=True)

PASSWORD = "an unlikely pass phrase"
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}


@pytest.fixture
def chen(books_of_two: Store) -> User:
    """A login of acme with a password."""
    return add_user("chen.yi", PASSWORD, customer="acme", clock=SystemClock(), who="tests")


def signing_in(client: Client, password: str = PASSWORD, name: str = "chen.yi") -> int:
    return client.post("/sign-in/", {"username": name, "password": password}).status_code


def test_signing_in_takes_a_new_session_and_signing_out_ends_it(chen: User) -> None:
    client = Client()
    session = client.session
    session["planted"] = "by somebody else"
    session.save()
    planted = session.session_key
    assert signing_in(client) == 302
    key = client.cookies["sessionid"].value
    assert key != planted
    assert not Session.objects.filter(pk=planted).exists()
    assert client.get("/invoices/").status_code == 200
    client.post("/sign-out/")
    thief = Client()
    thief.cookies["sessionid"] = key
    assert thief.get("/invoices/").status_code == 302


def test_a_session_ends_with_its_password(chen: User) -> None:
    client = Client()
    signing_in(client)
    chen.set_password("another unlikely phrase")
    chen.save()
    assert client.get("/invoices/").status_code == 302


def test_a_session_ends_with_its_login(chen: User) -> None:
    client = Client()
    signing_in(client)
    User.objects.filter(pk=chen.pk).update(is_active=False)
    assert client.get("/invoices/").status_code == 302


def test_no_script_reads_the_session_and_no_other_site_sends_it(chen: User) -> None:
    client = Client()
    signing_in(client)
    cookie = client.cookies["sessionid"]
    assert (cookie["httponly"], cookie["samesite"], cookie["path"]) == (True, "Lax", "/")
    assert 0 < int(cookie["max-age"]) <= 12 * 3600


def test_signing_in_leads_to_no_other_site(chen: User) -> None:
    for target in ("https://evil.example/", "//evil.example/", "javascript:alert(1)"):
        answer = Client().post("/sign-in/", {"username": "chen.yi", "password": PASSWORD, "next": target})
        assert answer.headers["Location"] == "/"
        language = Client().post("/language/", {"language": "en", "next": target})
        assert "evil" not in language.headers.get("Location", "")


def test_guessing_locks_the_name_at_that_address_and_nobody_else(chen: User) -> None:
    add_user("xu.fan", PASSWORD, customer="acme", clock=SystemClock(), who="tests")
    client = Client()
    assert [signing_in(client, f"guess {at}") for at in range(5)] == [200, 200, 200, 200, 429]
    assert signing_in(client) == 429
    assert signing_in(Client(), name="xu.fan") == 302
    assert signing_in(Client(REMOTE_ADDR="192.0.2.7")) == 302


@pytest.mark.parametrize("role", ["anonymous", "organiser", "stranger", "admin"])
def test_every_answer_has_its_headers(role: str, browser: Browser) -> None:
    client = browser(role)
    paths = [each.path.format_map(defaultdict(lambda: 1)) for each in PAGES.values()]
    for path in [*paths, "/no-such-page", "/api/v1/openapi.json", "/api/v1/invoices", "/static/portal/tokens.css"]:
        answer = client.get(path)
        answer.close()
        missing = {name for name, value in HEADERS.items() if answer.headers.get(name) != value}
        if path.startswith("/static/"):
            missing &= {"X-Content-Type-Options"}
        assert not missing, f"{path} answers {answer.status_code} without {missing}"
        if role != "anonymous" and answer.status_code == 200 and not path.startswith(("/static/", "/sign-in/")):
            assert "no-store" in answer.headers.get("Cache-Control", ""), path


def test_no_log_has_a_password_or_a_token(chen: User, caplog: pytest.LogCaptureFixture) -> None:
    client, token = Client(), books.token("acme")
    with capture_logs() as told, caplog.at_level(logging.DEBUG):
        signing_in(client, "a wrong secret phrase")
        signing_in(client)
        client.get("/invoices/")
        made = client.post("/api-keys/", {"name": "n", "scope": "usage:read", "days": "30"})
        Client(headers={"Authorization": f"Bearer {token}"}).get("/api/v1/nowhere")
    said = json.dumps(told, default=str) + caplog.text
    secrets = [PASSWORD, "a wrong secret phrase", token[12:], client.cookies["sessionid"].value]
    assert made.status_code == 403
    assert [each for each in secrets if each in said] == []
