"""Every page of the portal asks the store a bounded number of questions, however many customers and rows there are.

The bound of each page stands in the table of addresses (``table.Address.queries``). Each page is counted twice: over
the books of two customers with a little more of everything that pages list, and with a hundred more of it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.cache import cache
from django.db import connection
from django.db.models import Model
from django.test import Client
from django.test.utils import CaptureQueriesContext

from cardhour_billing.charges.finding import kept, noted
from cardhour_billing.models import (
    AddOn,
    ApiKey,
    Binding,
    Budget,
    CloseRun,
    Commitment,
    Contract,
    Customer,
    Invoice,
    InvoiceLine,
    Lease,
    Payment,
    PortalUser,
    Price,
    Project,
    ReportRun,
    Statement,
    StatementEvent,
)
from tests.billing.security.conftest import Browser
from tests.billing.security.test_walk import places, things

__all__ = ["things"]

pytestmark = pytest.mark.parametrize("migrated", ["sqlite"], indirect=True)
"""Which questions are asked does not depend on the database."""

FEW, MANY = range(2), range(2, 102)
"""More of everything: so little that a list has every kind of row, and two pages of any list."""
LOOKERS = ("admin", "organiser", "member")
"""Each page is asked for by the first of them who may."""


def test_the_questions_of_a_page_are_bounded_and_do_not_grow_with_what_it_lists(
    browser: Browser, things: dict[str, int]
) -> None:
    clients = {role: browser(role) for role in LOOKERS}
    grow(FEW)
    cache.clear()
    asked(clients, things)  # what is made for all who follow is not a page's own
    before = asked(clients, things)
    grow(MANY)
    after = asked(clients, things)
    grown = {path: (count, after[path]) for path, (count, _) in before.items() if after[path][0] > count}
    assert not grown, "pages that ask more questions of larger books, with what they ask then"
    over = {path: (count, bound) for path, (count, bound) in after.items() if count > bound}
    assert not over, "say in table.py why a page needs more questions than others, or let it ask fewer"


def asked(clients: dict[str, Client], things: dict[str, int]) -> dict[str, tuple[int, int]]:
    """Questions of each page, and its bound."""
    found = {}
    for _, address, path in places(things):
        role = next((each for each in LOOKERS if each in address.who), "")
        if "GET" in address.methods and role:
            with CaptureQueriesContext(connection) as questions:
                _read(clients[role], path)
            found[path] = (len(questions), address.queries)
    return found


def _read(client: Client, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code < 500, path
    for _ in getattr(answer, "streaming_content", ()):
        pass


def grow(more_of: range) -> None:
    """More of everything: customers with an invoice each, and things of acme's."""
    more = partial(_more, more_of)
    acme = Customer.objects.get(key="acme")
    invoice = Invoice.objects.get(customer=acme, period="2026-01")
    more(acme, key=lambda at: f"more-{at}", name=lambda at: f"More {at}")
    others = {each.name: each.pk for each in Customer.objects.all()}
    more(
        invoice, customer_id=lambda at: others[f"More {at}"], state=lambda _: Invoice.State.DRAFT,
        number=lambda _: None, sequence=lambda _: None, series_id=lambda _: None, held=lambda at: at % 2,
        findings=lambda at: kept([noted("no_price", hours="1.00", model="H800", currency="USD")] * (at % 2)),
    )  # fmt: skip
    more(
        invoice, period=lambda at: f"{2010 + at // 12}-{1 + at % 12:02d}", number=lambda at: f"M-{at}",
        sequence=lambda at: 10_000 + at,
    )  # fmt: skip
    drafts = {each.customer.name: each.pk for each in Invoice.objects.filter(state=Invoice.State.DRAFT)}
    for line in InvoiceLine.objects.filter(invoice=invoice)[:2]:
        more(line, invoice_id=lambda at: drafts[f"More {at}"])
    more(User.objects.get(username="colleague"), username=lambda at: f"colleague-{at}")
    colleagues = dict(User.objects.values_list("username", "pk"))
    more(PortalUser.objects.get(user__username="colleague"), user_id=lambda at: colleagues[f"colleague-{at}"])
    more(first(ApiKey), prefix=lambda at: f"more{at:04d}", digest=lambda at: f"{at:064d}")
    more(first(Binding), owner=lambda at: f"k8s:more-{at}")
    more(first(Price), model=lambda at: f"More {at}")
    more(first(Project), key=lambda at: f"more-{at}")
    more(Contract.objects.filter(customer=acme)[0], key=lambda at: f"more-{at}")
    more(first(Commitment), key=lambda at: f"more-{at}")
    more(Lease.objects.filter(customer=acme)[0], key=lambda at: f"more-{at}")
    more(AddOn.objects.filter(customer=acme)[0], key=lambda at: f"more-{at}")
    more(first(Budget))
    more(first(CloseRun), token=lambda at: f"more-{at}")
    more(Payment.objects.filter(customer=acme, kind="receipt")[0], reference=lambda at: f"more {at}")
    statement = Statement.objects.filter(customer=acme)[0]
    more(statement, revision=lambda at: 1_000 + at)
    statements = dict(Statement.objects.values_list("revision", "pk"))
    more(StatementEvent.objects.filter(kind="sent")[0], statement_id=lambda at: statements[1_000 + at])
    for at in range(3):
        ReportRun.objects.create(
            customer=acme, first_day="2026-01-01", last_day="2026-01-31", grouping="day", form="csv", of=1, who="tests",
            started_at_ms=at, seen_at_ms=at,
        )  # fmt: skip


def _more(more_of: range, row: Model, **different: Callable[[int], Any]) -> None:
    """Rows like ``row`` but for what is different."""
    same = {each.attname: getattr(row, each.attname) for each in row._meta.concrete_fields if not each.primary_key}
    kind = type(row)
    made = [kind(**same | {name: of(at) for name, of in different.items()}) for at in more_of]
    kind._default_manager.bulk_create(made)


def first(kind: type[Model]) -> Model:
    found = kind._default_manager.first()
    assert found is not None
    return found
