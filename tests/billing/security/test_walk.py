"""Every address of the portal and every route of the API, by everybody, on a thing of a customer that is not theirs.

The table says what is expected (``table``). An address that is not in it fails, so that nobody forgets to say.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from cardhour_billing.api.app import api
from cardhour_billing.audit.log import audit
from cardhour_billing.logins.api_keys import SCOPES as KNOWN_SCOPES
from cardhour_billing.logins.api_keys import add_key
from cardhour_billing.models import (
    ApiKey,
    Budget,
    CloseRun,
    Customer,
    CustomerWebhook,
    Invoice,
    Payment,
    PortalUser,
    ReportSubscription,
    StatementEvent,
)
from cardhour_billing.usage import letter_replay
from cardhour_contract.clock import SystemClock
from tests.billing import books_of_two as books
from tests.billing.api.program import Answer, Program
from tests.billing.in_process import Store
from tests.billing.security.conftest import ROLES, Browser
from tests.billing.security.table import BODY, NOT_THERE, OWN_PATHS, PAGES, QUERY, SCOPES, Address

pytestmark = pytest.mark.parametrize("migrated", ["sqlite"], indirect=True)
"""Who may what does not depend on the database."""

API = "api/v1/"
OPEN_ROUTES = {f"{API}openapi.json", API}
"""The API's description, and an address that there is nothing at."""


def routes(resolver: URLResolver, before: str = "") -> Iterator[str]:
    """Every route of the resolver, as ``urls.py`` has it."""
    for found in resolver.url_patterns:
        route = before + str(found.pattern)
        if isinstance(found, URLResolver):
            yield from routes(found, route)
        else:
            assert isinstance(found, URLPattern)
            yield route


@cache
def operations() -> list[tuple[str, str, str]]:
    """Method, path and name of every route of the API."""
    paths = api.get_openapi_schema(path_prefix=f"/{API}")["paths"]
    return [(method, path, each["operationId"]) for path, found in paths.items() for method, each in found.items()]


def test_every_address_is_in_the_table(migrated: str) -> None:
    known = {f"/{route}".replace("<", "{").replace(">", "}") for route in routes(get_resolver())}
    described = {path for _, path, _ in operations()} | {f"/{each}" for each in OPEN_ROUTES}
    missing = sorted(
        set(routes(get_resolver())) - PAGES.keys() - {each for each in routes(get_resolver()) if API in each}
    )
    assert not missing, f"say in tests/billing/security/table.py who may open {', '.join(missing)}"
    assert {each for each in known if each.startswith(f"/{API}")} == described
    gone = sorted(PAGES.keys() - set(routes(get_resolver())))
    assert not gone, f"tests/billing/security/table.py has addresses that there are not any more: {', '.join(gone)}"
    assert {name for *_, name in operations()} == SCOPES.keys(), (
        "say in table.py which scope each route of the API needs"
    )


@pytest.fixture
def things(books_of_two: Store) -> dict[str, int]:
    """Ids of acme's things, by what the table calls them."""
    books.token("acme")
    run = CloseRun.objects.create(
        token="walk", month="2026-01", issue=False, who="tests", state="done", started_at_ms=0, heard_at_ms=0,
        finished_at_ms=1,
    )  # fmt: skip
    acme = Customer.objects.get(key="acme")
    budget = Budget.objects.create(
        customer=acme, amount=1, currency=acme.currency, thresholds=[80], created_at_ms=0, who="tests"
    )
    CustomerWebhook.objects.create(customer=acme, url="https://acme.example/hooks", secret="whsec_YQ", since_ms=0)
    colleague = User.objects.create_user("colleague")
    PortalUser.objects.create(user=colleague, customer=Customer.objects.get(key="acme"))
    subscription = ReportSubscription.objects.create(
        user=colleague, grouping="day-model", form="csv", language="en", since="2026-01", created_at_ms=0
    )
    return {
        "budget": budget.pk,
        "subscription": subscription.pk,
        "user": colleague.pk,
        "customer": Customer.objects.get(key="acme").pk,
        "invoice": Invoice.objects.get(customer__key="acme").pk,
        "statement": books.statement_of("acme").pk,
        "payment": Payment.objects.get(customer__key="acme").pk,
        "key": ApiKey.objects.get(customer__key="acme").pk,
        "run": run.pk,
        "replay": audit(SystemClock(), "tests", letter_replay.ACTION, "clock_skew", {"letters": []}),
    }


@pytest.mark.parametrize("role", ROLES)
def test_everybody_sees_what_the_table_says(role: str, browser: Browser, things: dict[str, int]) -> None:
    client = browser(role)
    for route, address, path in places(things):
        if "GET" in address.methods:
            answer = client.get(path)
            told = f"GET {path} by {role} ({route}): {answer.status_code}"
            if role in address.who:
                assert answer.status_code in (address.found, 302), told
                assert "/sign-in/" not in answer.headers.get("Location", ""), told
            else:
                assert answer.status_code == expected(address, role), told
            if role in address.own:
                assert b"acme" not in shown(answer, path), told
        if "POST" in address.methods and role not in address.who:
            assert client.post(path).status_code == expected(address, role), f"POST {path} by {role}"
        if "POST" not in address.methods:
            assert client.post(path).status_code in (302, 403, 404, 405), f"POST {path} by {role}"


def places(things: dict[str, int]) -> Iterator[tuple[str, Address, str]]:
    """Every route with each path of it."""
    for route, address in PAGES.items():
        for path in (address.path, *address.more):
            yield route, address, path.format(**things)


def expected(address: Address, role: str) -> int:
    """The status for somebody who may not."""
    if role == "anonymous":
        return address.anonymous
    return 404 if role in address.hidden else address.refusal


def shown(answer: object, path: str) -> bytes:
    """What a page says, without what it was asked."""
    content = b"".join(getattr(answer, "streaming_content", None) or [getattr(answer, "content", b"")]).lower()
    asked = path.partition("?")[2].encode()
    return content.replace(asked.replace(b"&", b"&amp;"), b"").replace(b'value="acme"', b"")


@pytest.mark.parametrize(("method", "path", "name"), operations(), ids=[name for *_, name in operations()])
def test_a_route_of_the_api_is_for_its_scope_and_its_customer(
    method: str, path: str, name: str, things: dict[str, int], browser: Browser
) -> None:
    address = path.removeprefix("/api/v1").format(
        invoice_id=things["invoice"],
        statement_id=things["statement"],
        budget_id=things["budget"],
        format="csv",
        period="2026-01",
    ) + QUERY.get(name, "")
    scope, others = SCOPES[name], tuple(each for each in KNOWN_SCOPES if each != SCOPES[name])

    def asked(token: str) -> Answer:
        program = Program(token)
        return (
            program.get(address)
            if method == "get"
            else program.send(method.upper(), address, BODY.get(name), key="walk")
        )

    assert asked("").status == 401
    assert asked("chk_" + "A" * 43).status == 401
    assert asked(books.token("acme", *others)).code == "scope_missing"
    for role in ("organiser", "admin"):
        client = browser(role)
        assert client.generic(method.upper(), f"/api/v1{address}").status_code == 401, role
    foreign = asked(books.token("rival", scope))
    found = 201 if name == "add_budget" else 200
    absent = name in NOT_THERE or ("{" in path and name not in OWN_PATHS)
    assert foreign.status == (404 if absent else found)
    assert b"acme" not in foreign.content.lower()
    assert not StatementEvent.objects.exclude(kind="sent").exists()
    assert of_staff(asked, scope) == (403 if scope.endswith(":write") else 400)
    own = asked(books.token("acme", scope))
    assert own.status == found, own.content


def of_staff(asked: Callable[[str], Answer], scope: str) -> int:
    """The status for a key of staff that does not say whose data it wants. No such key may write."""
    login = User.objects.create_user("walking", is_staff=True)
    readable = scope if scope.endswith(":read") else "usage:read"
    return asked(add_key("walk", [readable], owner=login, clock=SystemClock(), who="tests")[1]).status


def test_a_form_from_elsewhere_is_refused_at_every_address(browser: Browser, things: dict[str, int]) -> None:
    client = browser("admin", csrf=True)
    for address in PAGES.values():
        if address.path != "/api/":
            path = address.path.format(**things)
            refused = address.found if address.signed else 403
            assert client.post(path).status_code == refused, f"POST {path} without the token of a form"


def test_the_books_are_as_they_were_after_a_walk_of_those_who_may_not(browser: Browser, things: dict[str, int]) -> None:
    before = [ApiKey.objects.get(pk=things["key"]).revoked_at_ms, Invoice.objects.count(), ApiKey.objects.count()]
    for role in ("anonymous", "lost", "stranger"):
        client: Client = browser(role)
        for address in PAGES.values():
            if role not in address.who:
                client.post(address.path.format(**things))
    after = [ApiKey.objects.get(pk=things["key"]).revoked_at_ms, Invoice.objects.count(), ApiKey.objects.count()]
    assert after == before
