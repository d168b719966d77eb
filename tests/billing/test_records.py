"""Lists of what the books hold: searched, narrowed, sorted, as known on a day, taken away; each record's history."""

from __future__ import annotations

import csv
import io
import json

import pytest
from django.db import connection
from django.http import HttpResponseBase, StreamingHttpResponse
from django.test import Client
from django.test.utils import CaptureQueriesContext

from cardhour_billing.catalog.applying import apply_catalog
from cardhour_billing.catalog.file import read_catalog
from cardhour_billing.catalog.plan import plan
from cardhour_billing.models import Binding, Customer, Lease
from cardhour_billing.money import Money
from cardhour_billing.portal.records.nouns import NOUNS
from cardhour_billing.receivables.credit import GrantTerms, customer_of, grant, top_up
from cardhour_contract.signing import PublicKey
from cardhour_ingest.warehouse import node_keys
from cardhour_ingest.warehouse.client import Warehouse
from tests.billing.books import clock_at
from tests.billing.conftest import Store
from tests.billing.portal_client import at_home, over, staff
from tests.billing.test_fleet_page import ON_ONE
from tests.billing.test_lease_charges import BOOKS, LEASE
from tests.billing.test_margin_month import A100, COST
from tests.portal.facts import KEYS


def apply_at(store: Store, text: str, at: str) -> None:
    path = store.home / "catalog.toml"
    path.write_text(text, encoding="utf-8")
    file = read_catalog(path)
    apply_catalog(file, plan(file), clock=clock_at(at), who="lin")


def streamed(answer: HttpResponseBase) -> bytes:
    assert isinstance(answer, StreamingHttpResponse)
    return b"".join(answer)


def rows(client: Client, path: str) -> list[dict[str, str]]:
    text = streamed(client.get(f"{path}{'&' if '?' in path else '?'}format=csv")).decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text)))


@pytest.fixture
def client(store: Store, warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch) -> Client:
    """Books whose lease was corrected in October, money paid ahead, a node's key; a login that may look."""
    at_home(store.home, monkeypatch)
    over(warehouse, monkeypatch, "cardhour_billing.portal.views.records")
    apply_at(store, BOOKS + A100 + COST + LEASE, "2026-09-01T00:00:00Z")
    apply_at(store, LEASE.replace("133400", "130000"), "2026-10-05T08:00:00Z")
    customer, clock = customer_of("acme"), clock_at("2026-10-06T00:00:00Z")
    top_up(customer, Money(amount=100_000, currency="CNY"), "TT-1", clock=clock, who="lin")
    grant(customer, Money(amount=5_000, currency="CNY"), GrantTerms(reason="=Trial", from_ms=0), clock=clock, who="lin")
    node_keys.record(warehouse, node_keys.enrolment(warehouse, "n1", PublicKey.parse(KEYS[0])), "lin")
    return staff("viewer")


@ON_ONE
def test_every_list_and_every_record_is_a_page_and_a_file(client: Client) -> None:
    """However many rows there are, a page asks the store a bounded number of times."""
    for slug, noun in NOUNS.items():
        with CaptureQueriesContext(connection) as asked:
            page = client.get(f"/records/{slug}/?q=&sort=-{noun.columns[0].key}&page=9")
        assert page.status_code == 200, slug
        assert len(asked) <= 8, slug
        found = rows(client, f"/records/{slug}/")
        assert json.loads(streamed(client.get(f"/records/{slug}/?format=json"))).__len__() == len(found)
        assert f"{len(found)} row" in page.content.decode() or not found, slug
        assert client.get(f"/records/{slug}/?q=%00no+such+thing%25").status_code == 200
    assert client.get("/records/nothing/").status_code == 404
    assert client.get("/records/leases/99/").status_code == 404
    assert client.get("/records/leases/x/").status_code == 404
    lease = Lease.objects.get(superseded_by=None)
    with CaptureQueriesContext(connection) as asked:
        assert client.get(f"/records/leases/{lease.pk}/").status_code == 200
    assert len(asked) <= 8
    assert "d7108b422f25cc5edb865cc4ae184f55" not in client.get("/records/nodes/n2/").content.decode()
    assert "TT-1" in client.get(f"/records/prepaid/{rowid('prepaid')}/").content.decode()


def rowid(slug: str) -> int:
    source = NOUNS[slug].rows
    assert source is not None
    return int(source().get().pk)


@ON_ONE
def test_a_list_shows_what_was_known_on_a_day(client: Client) -> None:
    """The rent was corrected on the fifth of October; the day before, nobody knew."""

    def prices(query: str) -> list[str]:
        return [row["price"] for row in rows(client, f"/records/leases/?{query}")]

    assert prices("") == ["130000.00"]
    assert prices("known=2026-10-04") == ["133400.00"]
    assert prices("known=2026-10-05") == ["130000.00"]
    assert prices("known=2026-08-31") == []
    assert prices("state=superseded") == ["133400.00"]
    assert sorted(prices("state=all")) == ["130000.00", "133400.00"]
    assert prices("on=2025-12-01") == []
    assert prices("on=2026-10-01") == ["130000.00"]


@ON_ONE
def test_a_record_tells_its_history_and_who_wrote_it(client: Client) -> None:
    old = Lease.objects.exclude(superseded_by=None).get()
    page = client.get(f"/records/leases/{old.pk}/").content.decode()
    assert "This is history" in page
    assert "until 2026-10-05 16:00" in page
    assert page.count("lin") >= 2
    assert "Catalog changed" in page
    customer = Customer.objects.get(key="acme")
    assert "Added to the catalog" in client.get(f"/records/customers/{customer.pk}/").content.decode()


@ON_ONE
def test_search_filter_and_order(client: Client) -> None:
    assert [row["owner"] for row in rows(client, "/records/bindings/?q=ACME")] == ["k8s:acme"]
    assert rows(client, "/records/bindings/?customer=nobody") == []
    assert rows(client, "/records/nodes/?q=n1")[0]["keys"] == "good"
    assert rows(client, "/records/nodes/?key=revoked") == []
    binding = Binding.objects.get()
    for number in range(120):
        Binding.objects.create(
            customer=binding.customer, owner=f"k8s:team-{number:03d}", valid_from_ms=0, recorded_at_ms=0
        )
    page = client.get("/records/bindings/?sort=-owner&page=3").content.decode()
    assert "Page 3 of 3" in page
    assert "k8s:acme" in page
    assert "k8s:team-119" not in page
    assert next(row["owner"] for row in rows(client, "/records/bindings/?sort=-owner")) == "k8s:team-119"


@ON_ONE
def test_a_file_cannot_become_a_formula_and_a_stranger_gets_none(client: Client) -> None:
    assert rows(client, "/records/grants/")[0]["reason"] == "'=Trial"
    assert Client().get("/records/grants/?format=csv").status_code == 302
