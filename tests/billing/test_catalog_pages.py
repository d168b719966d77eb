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
from cardhour_billing.models import AuditLog, Binding, Commitment, Customer, Lease, Price
from cardhour_billing.portal.catalog.effect import NAME, TEXT_BYTES_MAX, months, planned
from cardhour_billing.portal.records.nouns import NOUNS
from cardhour_billing.rating.price import PriceRow
from cardhour_contract.moment import format_rfc3339, parse_rfc3339
from cardhour_ingest.importer import import_csv
from cardhour_ingest.warehouse.client import Warehouse
from cardhour_ingest.warehouse.rollup import roll_up
from tests.billing.books import apply
from tests.billing.conftest import Prepare, Store
from tests.billing.portal_client import at_home, over, staff
from tests.billing.test_fleet_page import ON_ONE, USAGE
from tests.billing.test_lease_charges import BOOKS, LEASE
from tests.billing.test_margin_month import A100


@pytest.fixture(scope="module")
def migrated(migrated: str, prepare: Prepare) -> str:
    """Books with a price and a lease."""
    return prepare(migrated, lambda home: apply(home, BOOKS + A100 + LEASE))


@pytest.fixture(scope="module")
def october(shared_warehouse: Warehouse, tmp_path_factory: pytest.TempPathFactory) -> Warehouse:
    """Fifteen card-hours of October."""
    usage = tmp_path_factory.mktemp("october") / "usage.csv"
    usage.write_text(USAGE)
    import_csv(shared_warehouse, usage)
    roll_up(shared_warehouse)
    return shared_warehouse


@pytest.fixture
def client(store: Store, october: Warehouse, monkeypatch: pytest.MonkeyPatch) -> Client:
    """A clerk."""
    at_home(store.home, monkeypatch)
    over(october, monkeypatch, "cardhour_billing.portal.views.catalog")
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


TERMS: dict[str, tuple[dict[str, str], dict[str, str], str, str]] = {
    "contract": (
        {"id": "acme-2026", "customer": "acme", "discount": "10", "from": "2026-10-01"},
        {"discount": "20"},
        "−", "/records/contracts/",
    ),
    "tax": (
        {"category": "standard", "rate": "6", "from": "2026-10-01"},
        {"category": "standard", "rate": "13"},
        "+", "/records/taxes/",
    ),
    "add-on": (
        {"id": "disk", "customer": "acme", "name": "Disk", "per": "month", "amount": "50", "from": "2026-10-01"},
        {"customer": "acme", "name": "Disk", "per": "month", "amount": "50", "quantity": "3", "from": "2026-10-01"},
        "+", "/records/add-ons/",
    ),
}  # fmt: skip
"""What is typed of a new one, what of its change, and which way October's total goes with the change."""


@ON_ONE
@pytest.mark.parametrize("name", TERMS)
def test_terms_are_added_and_changed_with_their_effect_in_money(client: Client, name: str) -> None:
    new, change, way, listed = TERMS[name]
    page = post(client, f"/catalog/{name}/preview/", **new, month="2026-10")
    assert "1 change, not yet saved" in page
    answer = client.post("/catalog/apply/", {"text": written(page), "shown": shown(page)})
    assert answer.headers["Location"] == listed
    noun = NOUNS[listed.split("/")[2]]
    assert noun.rows is not None
    row = noun.rows().get(superseded_by=None)
    assert client.get(f"/catalog/{name}/?id={row.pk}").status_code == 200
    page = post(client, f"/catalog/{name}/preview/", **{**new, **change}, id_of=row.pk, month="2026-10")
    effect = re.search(r'class="number strong">([+−])', page)
    assert effect
    assert effect[1] == way
    post(client, "/catalog/apply/", 302, text=written(page), shown=shown(page))
    assert noun.rows().filter(superseded_by=None).count() == 1


@ON_ONE
def test_a_commitment_is_a_form_under_its_contract(client: Client) -> None:
    """Of 1,000 card-hours 14 were used: 986 are made up for at 10."""
    page = post(client, "/catalog/contract/preview/", id="acme-2026", customer="acme", **{"from": "2026-10-01"})
    post(client, "/catalog/apply/", 302, text=written(page), shown=shown(page))
    asked = {"id": "hours", "contract": "acme-2026", "term": "month", "card_hours": "1000", "from": "2026-10-01"}
    refused = post(client, "/catalog/commitment/preview/", 422, **asked)
    assert "give the price of a card-hour that was committed and not used" in refused
    page = post(client, "/catalog/commitment/preview/", **asked, true_up="10", month="2026-10")
    assert "+9,860.00" in page
    post(client, "/catalog/apply/", 302, text=written(page), shown=shown(page))
    row = Commitment.objects.get()
    form = client.get(f"/catalog/commitment/?id={row.pk}").content.decode()
    assert 'value="1000"' in form
    page = post(client, "/catalog/commitment/preview/", **asked, id_of=row.pk, true_up="20", month="2026-10")
    assert "+9,860.00" in page


@ON_ONE
def test_what_a_form_refuses_is_said_in_the_language_of_the_page(client: Client) -> None:
    asked: dict[str, Any] = {"model": "A100", "amount": "x", "from": "2026-10-01"}
    chinese = {"Accept-Language": "zh-hans"}
    refused = client.post("/catalog/price/preview/", asked, headers=chinese).content.decode()
    assert "“x”不是小数，例如 1.616532" in refused
    assert "catalog:1" not in refused  # a form has no lines
    since = format_rfc3339(a100().valid_from_ms)
    refused = client.post("/catalog/price/preview/", asked | {"amount": "3"}, headers=chinese).content.decode()
    assert f"型号“A100”在同一时间有两个价格；与自 {since} 起生效的价格重叠" in refused
    price = {"amount": "30", "id_of": a100().pk}
    changed = client.post("/catalog/price/preview/", price, headers=chinese).content.decode()
    assert "22.42 CNY 每卡时，自 2026-01-01 08:00 起 → 30.00 CNY 每卡时" in changed.replace(", ", "，")
    text = {"text": A100.replace('"22.42"', '"x"')}
    assert "第 2 行：“x”不是小数" in client.post("/catalog/preview/", text, headers=chinese).content.decode()


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
