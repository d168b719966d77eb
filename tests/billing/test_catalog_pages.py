"""Changing the catalog in the portal: a form or a text, its effect in money before it is saved, and saving it once."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from hypothesis import given
from hypothesis import strategies as st

from cardhour_billing.catalog.current import current_bindings, current_prices
from cardhour_billing.catalog.current_terms import current_leases
from cardhour_billing.catalog.file import parse_catalog
from cardhour_billing.catalog.text import table_text
from cardhour_billing.models import AuditLog, Binding, Customer, Lease, Price
from cardhour_billing.portal.catalog.effect import NAME, TEXT_BYTES_MAX, months, planned
from cardhour_billing.rating.price import PriceRow
from cardhour_contract.moment import parse_rfc3339
from cardhour_ingest.importer import import_csv
from cardhour_ingest.warehouse.client import Warehouse
from cardhour_ingest.warehouse.rollup import roll_up
from tests.billing.books import apply
from tests.billing.conftest import Store
from tests.billing.portal_client import at_home, over, staff
from tests.billing.test_fleet_page import ON_ONE, USAGE
from tests.billing.test_lease_charges import BOOKS, LEASE
from tests.billing.test_margin_month import A100


@pytest.fixture
def client(store: Store, warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch) -> Client:
    """Books with a price and a lease, fifteen card-hours of October, and a clerk."""
    at_home(store.home, monkeypatch)
    over(warehouse, monkeypatch, "cardhour_billing.portal.views.catalog")
    apply(store.home, BOOKS + A100 + LEASE)
    (store.home / "usage.csv").write_text(USAGE)
    import_csv(warehouse, store.home / "usage.csv")
    roll_up(warehouse)
    return staff("billing")


def a100() -> Price:
    return Price.objects.get(model="A100", superseded_by=None)


def prices() -> list[PriceRow]:
    """The current prices of the A100."""
    return [row for row in current_prices() if row.model == "A100"]


def shown(page: str) -> str:
    found = re.search(r'name="shown" value="([0-9a-f]{64})"', page)
    assert found
    return found[1]


def written(page: str) -> str:
    found = re.search(r"<textarea name=\"text\"[^>]*>(.*?)</textarea>", page, re.S)
    assert found
    return found[1].replace("&quot;", '"').replace("&#x27;", "'")


def post(client: Client, path: str, status: int = 200, /, **values: Any) -> str:
    answer = client.post(path, values)
    assert answer.status_code == status, answer.content.decode()[-3000:]
    return answer.content.decode()


@ON_ONE
def test_a_price_is_previewed_in_money_and_saved_once(client: Client) -> None:
    """14 card-hours of GPU-1 and GPU-2 in October: at 22.42 they are 313.88, at 30 they are 420."""
    price = a100()
    assert "22.42" in client.get(f"/catalog/price/?id={price.pk}").content.decode()
    page = post(client, "/catalog/price/preview/", id_of=price.pk, amount="30", model="other", to="")
    assert "1 change, not yet saved" in page
    text = written(page)
    page = post(client, "/catalog/preview/", text=text, month="2026-10")
    assert "+106.12" in page
    assert Price.objects.filter(model="A100").count() == 1
    answer = client.post("/catalog/apply/", {"text": text, "shown": shown(page)})
    assert (answer.status_code, answer.headers["Location"]) == (302, "/records/prices/")
    (row,) = prices()
    assert (row.nano, row.model) == (30_000_000_000, "A100")
    entry = AuditLog.objects.order_by("-position").first()
    assert entry is not None
    assert (entry.who, entry.action) == ("the.billing", "catalog.change")
    assert client.post("/catalog/apply/", {"text": text, "shown": shown(page)}).status_code == 302
    assert Price.objects.filter(model="A100").count() == 2


@ON_ONE
def test_a_change_from_a_day_on_ends_what_held_until_then(client: Client) -> None:
    price = a100()
    page = post(client, "/catalog/price/preview/", id_of=price.pk, amount="30", since="2027-01-01")
    assert "2 changes, not yet saved" in page
    post(client, "/catalog/apply/", 302, text=written(page), shown=shown(page))
    first, second = sorted(prices(), key=lambda row: row.from_ms)
    assert first.to_ms == second.from_ms == parse_rfc3339("2027-01-01T00:00:00+08:00")
    assert (first.nano, second.nano) == (22_420_000_000, 30_000_000_000)


@ON_ONE
def test_a_binding_a_lease_and_a_customer_go_the_same_way(client: Client) -> None:
    binding, lease, customer = Binding.objects.get(), Lease.objects.get(), Customer.objects.get(key="acme")
    values = {"owner": "ignored", "customer": "acme", "project": "research"}
    page = post(client, "/catalog/binding/preview/", id_of=binding.pk, **values)
    post(client, "/catalog/apply/", 302, text=written(page), shown=shown(page))
    assert [(row.owner, row.project) for row in current_bindings()] == [(binding.owner, "research")]
    form = client.get(f"/catalog/lease/?id={lease.pk}").content.decode()
    assert 'value="133400.00"' in form
    page = post(
        client, "/catalog/lease/preview/", id_of=lease.pk, customer="acme", model="A100", nodes="n8", count="8",
        amount="120000", per="server-month", **{"from": "2026-01-01", "to": ""},
    )  # fmt: skip
    assert "−13,400.00" in post(client, "/catalog/preview/", text=written(page), month="2026-10")
    post(client, "/catalog/apply/", 302, text=written(page), shown=shown(page))
    assert current_leases()[0].nano == 120_000 * 10**9
    page = post(client, "/catalog/customer/preview/", id_of=customer.pk, name="Acme & Söhne", address="1 Road\nTown",
                terms_days="14", language="en", currency=customer.currency, timezone=customer.timezone)  # fmt: skip
    post(client, "/catalog/apply/", 302, text=written(page).replace("&amp;", "&"), shown=shown(page))
    customer.refresh_from_db()
    assert (customer.name, customer.address, customer.terms_days) == ("Acme & Söhne", "1 Road\nTown", 14)


@ON_ONE
def test_a_file_that_is_wrong_says_where_and_changes_nothing(client: Client) -> None:
    bad = A100.replace('"22.42"', "22.42").encode()
    page = post(client, "/catalog/preview/", 422, file=SimpleUploadedFile("prices.toml", bad))
    assert "catalog:2" in page
    assert "write the price in quotes" in page
    assert "at line 1" in post(client, "/catalog/preview/", 422, text="no catalog")
    assert "is not a text in UTF-8" in post(client, "/catalog/preview/", 422, file=SimpleUploadedFile("x", b"\xfd"))
    large = SimpleUploadedFile("x", b"#" * (TEXT_BYTES_MAX + 1))
    assert "apply it with cardhour catalog apply" in post(client, "/catalog/preview/", 422, file=large)
    page = post(client, "/catalog/binding/preview/", 422, owner="", customer="acme", **{"from": "soon"})
    assert "this is needed" in page
    assert "is not a day" in page
    assert (Price.objects.count(), Binding.objects.count()) == (2, 1)


@ON_ONE
def test_what_changed_since_the_preview_is_shown_again(store: Store, client: Client) -> None:
    page = post(client, "/catalog/preview/", text=A100.replace("22.42", "30"))
    apply(store.home, A100.replace("22.42", "25"))
    page = post(client, "/catalog/apply/", 409, text=A100.replace("22.42", "30"), shown=shown(page))
    assert "changed by someone else" in page
    assert prices()[0].nano == 25_000_000_000


@ON_ONE
def test_only_billing_changes_the_catalog(client: Client) -> None:
    looking = staff("viewer")
    assert looking.get("/catalog/").status_code == 403
    for path in ("preview/", "apply/", "price/preview/"):
        assert looking.post(f"/catalog/{path}", {"text": A100}).status_code == 403
    assert Client(enforce_csrf_checks=True).post("/catalog/apply/", {}).status_code == 403
    assert client.get("/catalog/cost/").status_code == 404
    assert client.get("/catalog/price/?id=999").status_code == 404


@ON_ONE
def test_a_change_that_begins_later_is_looked_at_in_its_month(store: Store) -> None:
    apply(store.home, BOOKS + A100)
    found = planned(
        A100.replace("22.42", "30").replace("T4", "H800").replace("A100", "H800").replace("2026-01", "2027-03")
    )
    now_ms = parse_rfc3339("2026-11-26T00:00:00Z")
    assert months(found.changes, "Asia/Shanghai", now_ms) == (
        "2027-03", ["2026-08", "2026-09", "2026-10", "2026-11", "2026-12", "2027-01", "2027-03"],
    )  # fmt: skip


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=60))
def test_any_text_survives_being_written_as_a_catalog(text: str) -> None:
    file = parse_catalog(table_text("customer", {"id": "x", "name": f"a{text}"}), NAME)
    ((located,),) = [tables for tables in file.tables.values() if tables]
    assert located.table.name == f"a{text}"
