"""Who may call, how often, and what a write does that is sent twice."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable

import pytest
import structlog
from django.contrib.auth.models import User
from django.test import Client
from pytest_django import Settings
from structlog.testing import capture_logs

from cardhour_billing.api.problem import CODES, MEDIA_TYPE
from cardhour_billing.logins.api_keys import find_key, revoke_key
from cardhour_billing.models import ApiAnswer, AuditLog, PortalUser, StatementEvent
from cardhour_billing.models.party import Customer
from cardhour_contract.clock import SystemClock
from cardhour_contract.moment import DAY_MS
from tests.billing import books_of_two as books
from tests.billing.api.program import Answer, Program
from tests.billing.in_process import Store

Programs = Callable[..., Program]
CONFIRMATION = {"by": "Ada Chen, finance"}


def is_problem(answer: Answer, status: int, code: str) -> bool:
    """Every failure has the same form."""
    assert answer.headers["Content-Type"] == MEDIA_TYPE
    assert answer.headers["Cache-Control"] == "no-store"
    assert (answer.json["status"], answer.json["type"]) == (answer.status, f"urn:cardhour:problem:{answer.code}")
    assert CODES[answer.code][0] == answer.status
    return (answer.status, answer.code) == (status, code)


def test_without_a_good_key_there_is_no_answer(program: Programs, books_of_two: Store) -> None:
    for token in ("", "chk_" + "x" * 43, "Ω"):
        assert is_problem(Program(token).get("/invoices"), 401, "unauthorized")
    token = books.token("acme")
    assert Program(token).get("/invoices").status == 200
    revoke_key(find_key(token[:12]), clock=SystemClock(), who="tests")
    refused = Program(token).get("/invoices")
    assert is_problem(refused, 401, "unauthorized")
    assert refused.headers["WWW-Authenticate"].startswith("Bearer")


def test_a_signed_in_browser_is_no_key(books_of_two: Store) -> None:
    login = User.objects.create_user("chen.yi")
    PortalUser.objects.create(user=login, customer=Customer.objects.get(key="acme"))
    client = Client(enforce_csrf_checks=False)
    client.force_login(login)
    path = f"/api/v1/statements/{books.statement_of('acme').pk}/confirm"
    assert client.get("/api/v1/invoices").status_code == 401
    assert client.post(path, CONFIRMATION, content_type="application/json").status_code == 401
    assert not StatementEvent.objects.filter(kind="confirmed").exists()


def test_a_key_does_what_its_scopes_say_and_no_more(program: Programs) -> None:
    reader = program("acme", "statements:read")
    refused = reader.get("/invoices")
    assert is_problem(refused, 403, "scope_missing")
    assert "invoices:read" in refused.json["detail"]
    statement = books.statement_of("acme").pk
    assert reader.get(f"/statements/{statement}").status == 200
    assert is_problem(reader.post(f"/statements/{statement}/confirm", CONFIRMATION, key="k"), 403, "scope_missing")


def test_a_key_that_calls_too_often_waits(program: Programs, settings: Settings) -> None:
    settings.API_CALLS_PER_MINUTE = 2
    acme, other = program(), program()
    assert [acme.get("/invoices").status for _ in range(3)] == [200, 200, 429]
    refused = acme.get("/invoices")
    assert is_problem(refused, 429, "too_many_calls")
    assert 1 <= int(refused.headers["Retry-After"]) <= 60
    assert other.get("/invoices").status == 200


def test_what_is_not_there_or_not_understood_is_a_problem_too(program: Programs) -> None:
    acme = program()
    assert is_problem(acme.get("/no-such-thing"), 404, "not_found")
    assert is_problem(acme.get("/invoices/999999"), 404, "not_found")
    assert is_problem(acme.get("/invoices/abc"), 422, "invalid")
    assert is_problem(acme.get("/invoices", limit=0), 422, "invalid")
    wrong = acme.post("/invoices", {})
    assert is_problem(wrong, 405, "method_not_allowed")
    assert wrong.headers["Allow"] == "GET"
    statement = books.statement_of("acme").pk
    assert is_problem(acme.post(f"/statements/{statement}/confirm", "{", key="k"), 400, "bad_request")
    assert is_problem(acme.post(f"/statements/{statement}/confirm", {}, key="k"), 422, "invalid")
    assert is_problem(acme.post(f"/statements/{statement}/confirm", CONFIRMATION), 422, "invalid")
    huge = {"by": "x" * 3_000_000}
    assert is_problem(acme.post(f"/statements/{statement}/confirm", huge, key="k"), 413, "too_large")


def test_a_write_sent_twice_acts_once(program: Programs) -> None:
    acme = program()
    path = f"/statements/{books.statement_of('acme').pk}/confirm"
    first, second = (acme.post(path, CONFIRMATION, key="c-1") for _ in range(2))
    assert (first.status, first.json["state"]) == (200, "confirmed")
    assert second.content == first.content
    assert "Idempotency-Replayed" not in first.headers
    assert second.headers["Idempotency-Replayed"] == "true"
    assert StatementEvent.objects.filter(kind="confirmed").count() == 1
    assert is_problem(acme.post(path, {"by": "Eve"}, key="c-1"), 409, "idempotency_key_reused")
    assert is_problem(acme.post(path, CONFIRMATION, key="c-2"), 409, "in_conflict")
    entry = AuditLog.objects.get(action="statement.confirmed")
    assert entry.who.startswith("api:chk_")


def test_what_was_refused_is_not_kept_and_may_be_asked_again(program: Programs) -> None:
    acme = program()
    path = f"/statements/{books.statement_of('acme').pk}/disputes"
    assert is_problem(acme.post(path, {"lines": [99], "reason": "unknown"}, key="d-1"), 409, "in_conflict")
    assert not ApiAnswer.objects.exists()
    done = acme.post(path, {"lines": [1, 2], "reason": "not ours"}, key="d-1")
    assert [(each["line"], each["reason"]) for each in done.json["disputed"]] == [(1, "not ours"), (2, "not ours")]


def test_an_answer_is_kept_for_a_day(program: Programs) -> None:
    acme = program()
    path = f"/statements/{books.statement_of('acme').pk}/disputes"
    body = {"lines": [1], "reason": "not ours"}
    assert acme.post(path, body, key="d-1").status == 200
    ApiAnswer.objects.update(at_ms=SystemClock().now_ms() - DAY_MS)
    again = acme.post(path, body, key="d-1")
    assert "Idempotency-Replayed" not in again.headers
    assert StatementEvent.objects.filter(kind="disputed").count() == 2


def test_another_customers_things_are_not_there(program: Programs) -> None:
    rival = program("rival")
    acme_invoice = program().walk("/invoices")[0]["id"]
    statement = books.statement_of("acme").pk
    for path in (
        f"/invoices/{acme_invoice}",
        f"/invoices/{acme_invoice}/lines",
        f"/invoices/{acme_invoice}/files/pdf",
        f"/statements/{statement}",
        f"/statements/{statement}/files/csv",
    ):
        assert is_problem(rival.get(path), 404, "not_found")
        assert is_problem(rival.get(path, customer="acme"), 404, "not_found")
    assert is_problem(rival.post(f"/statements/{statement}/confirm", CONFIRMATION, key="k"), 404, "not_found")
    for path in ("/invoices", "/statements", "/payments", "/leases", "/add-ons", "/commitments", "/balance/entries"):
        assert "acme" not in json.dumps(rival.walk(path)).lower()
    assert "acme" not in json.dumps(rival.get("/balance").json)


def test_no_log_has_a_token(program: Programs, books_of_two: Store, caplog: pytest.LogCaptureFixture) -> None:
    token = books.token("acme")
    structlog.reset_defaults()
    with capture_logs() as told, caplog.at_level(logging.DEBUG):
        for path in ("/invoices", "/usage", "/nowhere", "/invoices/7"):
            Program(token).get(path)
            Program(token + "x").get(path)
    assert token[12:] not in json.dumps(told, default=str) + caplog.text
