"""docs/api.md agrees with the API: its examples work, and its tables are the code's."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from typing import get_args

from django.db.models import Model
from django.test import Client

from cardhour_billing.api.problem import CODES
from cardhour_billing.api.routes.reports import Grouping
from cardhour_billing.logins.api_keys import SCOPES
from cardhour_billing.models import Budget, Customer, CustomerWebhook, Invoice
from cardhour_billing.usage_report.order import GROUPINGS
from tests.billing import books_of_two as books
from tests.billing.api.program import Program
from tests.billing.in_process import Store
from tests.repository.tree import ROOT

PAGE = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")


def test_every_example_works_as_it_is_printed(program: Callable[..., Program]) -> None:
    token = books.token("acme")
    acme = Customer.objects.get(key="acme")
    budget = Budget.objects.create(customer=acme, amount=1, currency=acme.currency, thresholds=[80], created_at_ms=0)
    CustomerWebhook.objects.create(customer=acme, url="https://acme.example/hooks", secret="whsec_YQ", since_ms=0)
    ids: dict[str, Model] = {
        "/invoices/1": Invoice.objects.get(customer=acme),
        "/statements/1": books.statement_of("acme"),
        "/budgets/1": budget,
    }
    blocks = re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)
    commands = [line for block in blocks for line in block.replace("\\\n", "").splitlines()]
    assert len(commands) == 29
    for command in commands:
        words = shlex.split(command.replace("$KEY", token).replace("$URL", ""))
        assert words.pop(0) == "curl"
        headers: dict[str, str] = {}
        body, method = "", ""
        while words[0].startswith("-"):
            option, value = words.pop(0), words.pop(0)
            headers |= dict([value.split(": ", 1)]) if option == "-H" else {}
            body = value if option == "-d" else body
            method = value if option == "-X" else method
        (address,) = words
        for path, found in ids.items():
            address = re.sub(rf"{path}(?=/|$)", f"{path[:-1]}{found.pk}", address)
        client = Client(headers=headers)
        method = method or ("POST" if body else "GET")
        answer = client.generic(method, address, body, "application/json")
        assert answer.status_code in (200, 201), command


def test_scopes_and_codes_are_the_ones_there_are() -> None:
    rows = re.findall(r"^\| `([a-z_]+)` \| (\d{3}) \| (.+) \|$", PAGE, re.MULTILINE)
    assert {code: (int(status), meaning) for code, status, meaning in rows} == CODES
    assert dict(re.findall(r"^\| `(\w+:\w+)` \| (.+) \|$", PAGE, re.MULTILINE)) == SCOPES


def test_every_route_needs_a_scope_but_the_document(books_of_two: Store) -> None:
    paths = Client().get("/api/v1/openapi.json").json()["paths"]
    assert [path for path, found in paths.items() for each in found.values() if not each.get("security")] == []


def test_the_groupings_of_the_document_are_those_of_reports() -> None:
    assert get_args(Grouping) == tuple(GROUPINGS)
