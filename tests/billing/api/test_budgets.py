"""Budgets by API: set, changed and removed once each, by a key that may, and the same as the portal has."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from cardhour_billing.budgets.budget import BUDGETS_MAX
from cardhour_billing.models import AuditLog, Budget, BudgetAlert, Customer, CustomerWebhook, WebhookDelivery
from cardhour_billing.money import Money
from tests.billing.api.program import Program
from tests.billing.books import clock_at
from tests.billing.visitor import Visitor

Programs = Callable[..., Program]
pytestmark = pytest.mark.parametrize("migrated", ["sqlite"], indirect=True)

NEW = {"amount": "6000.00", "project": "research", "thresholds": [100, 80], "emails": ["ada@acme.example"]}


def test_a_budget_is_added_changed_and_removed_once_each(program: Programs) -> None:
    acme = program("acme", "budgets:read", "budgets:write")
    made = acme.post("/budgets", NEW, key="one")
    assert made.status == 201, made.content
    assert (made.json["amount"], made.json["thresholds"], made.json["said"]) == ("6000.00", [80, 100], [])
    again = acme.post("/budgets", NEW, key="one")
    assert (again.status, again.json, again.headers["Idempotency-Replayed"]) == (201, made.json, "true")
    path = f"/budgets/{made.json['id']}"
    changed = acme.send("PATCH", path, {"amount": "8000.00"}, key="two")
    assert (changed.status, changed.json["amount"], changed.json["emails"]) == (200, "8000.00", ["ada@acme.example"])
    assert acme.get(path).json == changed.json
    for _ in range(2):
        assert acme.send("DELETE", path, key="three").json == changed.json
    assert acme.get(path).code == "not_found"
    assert acme.send("DELETE", path, key="four").code == "not_found"
    told = AuditLog.objects.filter(action__startswith="budget.").order_by("position")
    assert [each.action for each in told] == ["budget.add", "budget.change", "budget.remove"]
    assert all(each.who.startswith("api:chk_") for each in told)


def test_what_cannot_be_a_budget_is_invalid_and_leaves_nothing(program: Programs) -> None:
    acme = program("acme", "budgets:read", "budgets:write")
    for at, wrong in enumerate(
        (
            {},
            {"amount": "0"},
            {"amount": "-1"},
            {"amount": "1.0001"},
            {"amount": "1.005"},
            {"amount": "10", "project": "nobody"},
            {"amount": "10", "thresholds": []},
            {"amount": "10", "thresholds": [0]},
            {"amount": "10", "emails": ["nobody"]},
            {"amount": "10", "kind": "balance", "model": "T4"},
            {"amount": "10", "treshold": [80]},
        )
    ):
        refused = acme.post("/budgets", wrong, key=f"wrong-{at}")
        assert (refused.status, refused.code) == (422, "invalid"), wrong
    assert acme.post("/budgets", NEW).code in ("invalid", "idempotency_key_needed")
    assert not Budget.objects.exists()


def test_a_key_that_reads_writes_nothing_and_a_full_list_is_a_conflict(program: Programs) -> None:
    assert program("acme", "budgets:read").post("/budgets", NEW, key="x").code == "scope_missing"
    customer = Customer.objects.get(key="acme")
    Budget.objects.bulk_create(
        Budget(customer=customer, amount=at, currency=customer.currency, thresholds=[80], created_at_ms=0)
        for at in range(1, BUDGETS_MAX + 1)
    )
    acme = program("acme", "budgets:read", "budgets:write")
    assert acme.post("/budgets", NEW, key="full").code == "in_conflict"
    assert [each["amount"] for each in acme.walk("/budgets", limit=7)][:2] == ["0.01", "0.02"]
    assert len(acme.walk("/budgets", limit=7)) == BUDGETS_MAX


def test_alerts_and_deliveries_are_the_ones_of_the_page(program: Programs) -> None:
    from cardhour_billing.sending.events import raise_event

    customer, clock = Customer.objects.get(key="acme"), clock_at("2026-02-11T00:00:00Z")
    acme = program("acme", "budgets:read")
    assert acme.get("/webhook").code == "not_found"
    CustomerWebhook.objects.create(customer=customer, url="https://acme.example/hooks", secret="whsec_YQ", since_ms=0)
    event = raise_event(customer, "budget 1", "budget.threshold", {}, clock)
    BudgetAlert.objects.create(
        customer=customer, budget=1, period="2026-02", threshold=80, name="everything", reached=8_100, amount=10_000,
        currency=customer.currency, emails=["ada@acme.example"], event=event, at_ms=clock.now_ms(),
    )  # fmt: skip
    for attempt, status in enumerate((503, 204), start=1):
        WebhookDelivery.objects.create(
            customer=customer, event=event, attempt=attempt, at_ms=clock.now_ms(), status=status,
            outcome=f"the receiver answered {status}", delivered=status == 204,
        )  # fmt: skip
    (alert,) = acme.walk("/alerts")
    assert (alert["event"], alert["threshold"], alert["mail"]) == (f"evt_{event.pk}", 80, None)
    assert alert["reached"] == str(Money(amount=8_100, currency=customer.currency))
    assert "whsec" not in acme.get("/webhook").content.decode()
    told = next(each for each in acme.walk("/webhook/deliveries", limit=1) if each["event"] == f"evt_{event.pk}")
    assert (told["delivered"], told["next_try_at"]) == (True, None)
    assert [each["status"] for each in told["tries"]] == [503, 204]


def test_what_else_a_customer_sees_is_there(program: Programs) -> None:
    acme = program()
    month = acme.get("/months/2026-01").json
    assert month["forecast"] is None, "a month that is over"
    assert acme.walk("/months/2026-01/leased-cards") == [], "a pool names no cards"
    (commitment,) = acme.walk("/commitments")
    term = commitment["present_term"]
    assert term["unit"] == "card-hour"
    report = acme.get("/reports/usage", **{"from": "2026-01-01", "to": "2026-01-31", "by": "day-model"})
    assert report.status == 200
    assert report.content.startswith(b"\xef\xbb\xbfday,model,")
    for wrong in ({"from": "soon"}, {"to": "2028-01-01"}, {"by": "x"}, {"format": "exe"}, {"from": "2026-02-30"}):
        query = {"from": "2026-01-01", "to": "2026-01-31"} | wrong
        assert acme.get("/reports/usage", **query).code == "invalid", wrong
    assert acme.walk("/users") == []
    assert acme.walk("/api-keys")[0]["state"] == "good"


def test_the_page_changes_a_budget_as_the_api_does(program: Programs) -> None:
    acme = program("acme", "budgets:read", "budgets:write")
    number = acme.post("/budgets", NEW, key="one").json["id"]
    boss = Visitor("boss", role="admin", customer="acme")
    assert boss.form(f"/budgets/?change={number}", f"/budgets/{number}/change")["amount"] == ["6000.00"]
    fields = {"amount": "7,000.00", "thresholds": "90%", "emails": ""}
    assert "is not an amount" in boss.send(f"/budgets/{number}/change", fields | {"amount": "lots"}, status=422)
    boss.send(f"/budgets/{number}/change", fields)
    found = acme.get(f"/budgets/{number}").json
    assert (found["amount"], found["thresholds"], found["emails"]) == ("7000.00", [90], [])
    assert "Change the budget" not in Visitor("ben", customer="acme").get(f"/budgets/?change={number}")
