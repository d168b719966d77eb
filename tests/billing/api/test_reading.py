"""What a customer's program reads: the same figures as the portal and the documents, page by page."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from django.contrib.auth.models import User
from django.test import Client

from cardhour_billing.logins.api_keys import add_key
from cardhour_billing.models import ApiKey, Invoice
from cardhour_billing.money import Money
from cardhour_billing.receivables.credit import top_up
from cardhour_contract.clock import SystemClock
from tests.billing import books_of_two as books
from tests.billing.api.program import Program
from tests.billing.in_process import Store

Programs = Callable[..., Program]


def test_an_invoice_its_lines_and_its_files_say_the_same(program: Programs) -> None:
    acme = program()
    (invoice,) = acme.walk("/invoices")
    assert (invoice["number"], invoice["period"], invoice["state"]) == ("EC-2026-0001", "2026-01", "overdue")
    assert (invoice["total"], invoice["settled"], invoice["left"]) == ("3181.73", "20.00", "3161.73")
    assert acme.get(f"/invoices/{invoice['id']}").json == invoice
    lines = acme.walk(f"/invoices/{invoice['id']}/lines", detail="days", limit=1)
    assert [line["position"] for line in lines] == [1, 2, 3]
    assert sum(Decimal(line["net"]) for line in lines) == Decimal(invoice["net"])
    usage = lines[0]
    assert (usage["quantity_us"], usage["amount"]) == (32 * 3_600_000_000, "51.73")
    assert sum(day["quantity_us"] for day in usage["days"]) == usage["quantity_us"]
    for form, start in (("pdf", b"%PDF"), ("csv", b"\xef\xbb\xbfnumber,"), ("xlsx", b"PK")):
        file = acme.get(f"/invoices/{invoice['id']}/files/{form}")
        assert file.status == 200
        assert file.content.startswith(start)
        assert file.headers["Content-Disposition"] == f'attachment; filename="EC-2026-0001.{form}"'
    xml = acme.get(f"/invoices/{invoice['id']}/files/xml")
    assert (xml.status, xml.code) == (404, "not_found")
    assert "country" in xml.json["detail"]


def test_lists_are_narrowed_and_a_misspelt_filter_is_refused(program: Programs) -> None:
    acme = program()
    assert len(acme.walk("/invoices", period="2026-01", kind="invoice", state="overdue")) == 1
    assert acme.walk("/invoices", period="2026-02") == []
    assert acme.walk("/invoices", state="paid") == []
    refused = acme.get("/invoices", perid="2026-01")
    assert (refused.status, refused.code) == (422, "invalid")
    assert refused.json["errors"] == [{"where": "query.perid", "what": "no such parameter"}]


def test_a_draft_is_no_statement_to_anyone(program: Programs) -> None:
    issued = Invoice.objects.get(customer__key="acme")
    Invoice.objects.create(
        issuer=issued.issuer, customer=issued.customer, period="2026-02", period_start_ms=1, period_end_ms=2,
        currency="USD", net=1, total=1, frozen=issued.frozen, computed_at_ms=3,
    )  # fmt: skip
    assert [each["id"] for each in program().walk("/invoices")] == [issued.pk]
    draft = Invoice.objects.get(state="draft")
    assert program().get(f"/invoices/{draft.pk}").status == 404
    assert program().get(f"/invoices/{draft.pk}/files/pdf").status == 404


def test_payments_leases_and_commitments(program: Programs) -> None:
    acme = program()
    (payment,) = acme.walk("/payments")
    assert (payment["amount"], payment["settles"], payment["reference"]) == ("20.00", "20.00", "TRF acme")
    assert [(each["number"], each["amount"]) for each in payment["pays"]] == [("EC-2026-0001", "20.00")]
    (lease,) = acme.walk("/leases")
    assert (lease["lease"], lease["kind"], lease["count"], lease["price"]) == ("acme-pool", "pool", 2, "1550.00")
    assert (lease["state"], lease["starts_at"], lease["ends_at"]) == ("in-force", "2026-01-01T00:00:00Z", None)
    (add_on,) = acme.walk("/add-ons")
    assert (add_on["add_on"], add_on["quantity"], add_on["unit"]) == ("acme-storage", "1.5", "TB")
    (commitment,) = acme.walk("/commitments")
    assert (commitment["contract"], commitment["card_hours"]) == ("acme-1", "10.000000000")


def test_the_balance_is_the_sum_of_its_entries(program: Programs) -> None:
    acme = program()
    accounts = acme.get("/balance").json["accounts"]
    assert [(each["kind"], each["balance"]) for each in accounts] == [("prepaid", "500.00"), ("grant", "10.00")]
    entries = acme.walk("/balance/entries", limit=1)
    assert [(each["kind"], each["amount"], each["balance"]) for each in entries] == [
        ("top-up", "500.00", "500.00"),
        ("grant", "10.00", "10.00"),
    ]


def test_pages_neither_repeat_nor_skip_what_is_added_meanwhile(program: Programs) -> None:
    acme, clock = program(), SystemClock()
    first = acme.get("/statements", limit=1).json
    assert [each["id"] for each in first["items"]] == [books.statement_of("acme").pk]
    assert first["next_cursor"] is None
    entries = acme.get("/balance/entries", limit=1).json
    owner = ApiKey.objects.get(customer__key="acme").customer
    assert owner
    top_up(owner, Money(amount=5, currency="USD"), "late", clock=clock, who="tests")
    rest = acme.walk("/balance/entries", cursor=entries["next_cursor"])
    assert [each["reference"] for each in rest] == ["trial", "late"]


def test_a_cursor_leads_on_in_its_own_list_alone(program: Programs) -> None:
    acme = program()
    cursor = acme.get("/balance/entries", limit=1).json["next_cursor"]
    for path, wrong in (("/invoices", cursor), ("/balance/entries", "nonsense"), ("/invoices", "W10")):
        refused = acme.get(path, cursor=wrong)
        assert (refused.status, refused.code) == (400, "bad_cursor")


def test_a_key_of_staff_says_whose_data_it_asks_for(books_of_two: Store) -> None:
    login = User.objects.create_user("lin.yue", is_staff=True)
    _, token = add_key("export", ["invoices:read"], owner=login, clock=SystemClock(), who="tests")
    staff = Program(token)
    assert staff.get("/invoices").code == "customer_needed"
    assert staff.get("/invoices", customer="nobody").status == 404
    for customer in books.CUSTOMERS:
        (invoice,) = staff.walk("/invoices", customer=customer)
        assert invoice["id"] == Invoice.objects.get(customer__key=customer).pk


JANUARY = {"from": "2026-01-01T00:00:00Z", "to": "2026-02-01T00:00:00Z"}


def test_usage_is_given_by_any_grouping_and_adds_up(program: Programs) -> None:
    acme, hour_us = program(), 3_600_000_000
    by_project = acme.walk("/usage", **JANUARY, by="day,project", limit=1)
    assert [(each["group"], each["billable_us"], each["card_hours"]) for each in by_project] == [
        ({"day": "2026-01-05", "project": ""}, 2 * hour_us, "2.000000000"),
        ({"day": "2026-01-05", "project": "research"}, 24 * hour_us, "24.000000000"),
        ({"day": "2026-01-06", "project": "research"}, 6 * hour_us, "6.000000000"),
    ]
    for groups in ("workload", "model", "card", "owner,node"):
        rows = acme.walk("/usage", **JANUARY, by=groups)
        assert sum(each["billable_us"] for each in rows) == 32 * hour_us
    refused = acme.get("/usage", **JANUARY, by="customer")
    assert (refused.status, refused.code) == (422, "invalid")
    assert acme.get("/usage", **{**JANUARY, "to": "2030-01-01T00:00:00Z"}).code == "invalid"


def test_a_month_in_money_is_its_invoice(program: Programs) -> None:
    acme = program()
    assert acme.get("/months").json["months"][-1] == "2026-01"
    month = acme.get("/months/2026-01").json
    assert (month["invoice"], month["to_date"]) == ("EC-2026-0001", "3181.73")
    assert [(each["kind"], each["net"]) for each in month["charges"]] == [("lease", "3100.00"), ("add-on", "30.00")]
    parts = acme.walk("/months/2026-01/usage", limit=2)
    assert [(each["day"], each["project"], each["owner"]) for each in parts] == [
        ("2026-01-05", "", "user:acme-eve"),
        ("2026-01-05", "research", "k8s:acme"),
        ("2026-01-06", "research", "k8s:acme"),
    ]
    works = acme.walk("/months/2026-01/workloads")
    for found in (parts, works):
        assert sum(Decimal(each["net"]) for each in found) == Decimal("51.73")
        assert sum(each["quantity_us"] for each in found) == 32 * 3_600_000_000
    assert acme.get("/months/1999-01").status == 404


def test_the_document_of_the_api_is_there_without_a_key(books_of_two: Store) -> None:
    document = Client().get("/api/v1/openapi.json").json()
    assert document["info"]["version"] == "1"
    assert "/api/v1/invoices" in document["paths"]
    assert document["paths"]["/api/v1/invoices"]["get"]["responses"]["404"]["content"].keys() == {
        "application/problem+json"
    }
