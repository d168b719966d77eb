"""Budgets: each threshold is said once a month, by mail and to the customer's own webhook, until it is heard."""

from __future__ import annotations

import hashlib
import hmac
import json
from base64 import b64decode, b64encode
from collections.abc import Iterator

import pytest
from django.db import DatabaseError, transaction

from cardhour_billing.budgets.budget import add_budget
from cardhour_billing.budgets.mail import mail_due
from cardhour_billing.hourly import run_usage_hour
from cardhour_billing.models import AuditLog, Budget, BudgetAlert, Customer, Event, WebhookDelivery
from cardhour_billing.money import Money
from cardhour_billing.outgoing import MailSettings, WebhookSettings
from cardhour_billing.receivables import credit
from cardhour_billing.sending.customer_webhook import check_url, log_of, send_test, set_webhook, tell_customers_due
from cardhour_contract.errors import Refuse
from tests.billing.books import ISSUER, PRICE, apply, clock_at
from tests.billing.conftest import Store
from tests.billing.in_process import Desk
from tests.billing.mail_server import PATIENCE_S, post_office
from tests.billing.memory_ledger import MemoryLedger
from tests.billing.receiver import Receiver, receiving

CATALOG = (
    ISSUER
    + PRICE.replace("1.616532", "10.00")
    + """
[[customer]]
id = "acme"
name = "Acme Ltd"
[[binding]]
owner = "k8s:acme"
customer = "acme"
project = "research"
from = 2026-01-01T00:00:00Z
[[binding]]
owner = "k8s:acme-web"
customer = "acme"
project = "web"
from = 2026-01-01T00:00:00Z
"""
)
ANYWHERE = WebhookSettings(customers_anywhere=True, timeout_s=PATIENCE_S)


@pytest.fixture
def acme(store: Store) -> Customer:
    apply(store.home, CATALOG)
    return Customer.objects.select_related("issuer").get(key="acme")


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as started:
        yield started


def dollars(cents: int) -> Money:
    return Money(amount=cents, currency="USD")


def held(hours: int, owner: str = "k8s:acme") -> MemoryLedger:
    """So many hours at 10.00 from the 2nd on."""
    ledger = MemoryLedger()
    ledger.hold(owner, "T4", "2026-01-02T00:00:00Z", f"2026-01-02T{hours:02d}:00:00Z")
    return ledger


def said() -> list[tuple[str, int]]:
    return list(BudgetAlert.objects.order_by("id").values_list("name", "threshold"))


def test_each_threshold_is_said_once_a_month(acme: Customer) -> None:
    add_budget(acme, dollars(10000), thresholds=(50, 100), clock=clock_at("2026-01-01T00:00:00Z"), who="ada")
    add_budget(acme, dollars(4000), project="web", clock=clock_at("2026-01-01T00:00:00Z"), who="ada")
    run_usage_hour(held(4), clock_at("2026-01-03T00:00:00Z"))
    assert said() == []
    run_usage_hour(held(5), clock_at("2026-01-03T01:00:00Z"))
    run_usage_hour(held(9), clock_at("2026-01-03T02:00:00Z"))
    assert said() == [("everything", 50)]
    ledger = held(9)
    ledger.hold("k8s:acme-web", "T4", "2026-01-02T00:00:00Z", "2026-01-02T04:00:00Z", card="GPU-1")
    run_usage_hour(ledger, clock_at("2026-01-03T03:00:00Z"))
    run_usage_hour(ledger, clock_at("2026-01-03T04:00:00Z"))
    assert said() == [("everything", 50), ("everything", 100), ("project web", 80), ("project web", 100)]
    event = Event.objects.get(budget_alert__threshold=100, budget_alert__name="everything")
    assert (event.kind, event.detail["reached"], event.detail["amount"]) == ("budget.threshold", "130.00", "100.00")
    ledger.hold("k8s:acme", "T4", "2026-02-02T00:00:00Z", "2026-02-02T06:00:00Z")
    run_usage_hour(ledger, clock_at("2026-02-03T00:00:00Z"))
    assert said()[4:] == [("everything", 50)]  # another month, and it begins again


def test_a_balance_that_falls_below_is_said(acme: Customer) -> None:
    clock = clock_at("2026-01-01T00:00:00Z")
    add_budget(acme, dollars(5000), kind=Budget.Kind.BALANCE, clock=clock, who="ada")
    credit.top_up(acme, dollars(6000), "T-1", clock=clock, who="ada")
    run_usage_hour(MemoryLedger(), clock_at("2026-01-03T00:00:00Z"))
    assert said() == []
    credit.refund(acme, dollars(2000), "R-1", clock=clock, who="ada")
    run_usage_hour(MemoryLedger(), clock_at("2026-01-03T01:00:00Z"))
    run_usage_hour(MemoryLedger(), clock_at("2026-01-03T02:00:00Z"))
    assert said() == [("balance", 100)]


def test_an_alert_is_mailed_once_through_a_real_server(acme: Customer) -> None:
    add_budget(
        acme,
        dollars(10000),
        thresholds=(50,),
        emails=["ada@acme.example"],
        clock=clock_at("2026-01-01T00:00:00Z"),
        who="ada",
    )
    run_usage_hour(held(6), clock_at("2026-01-03T00:00:00Z"))
    with post_office() as (post, port):
        settings = MailSettings(
            host="127.0.0.1", port=port, tls="none", sender="Example <billing@example.com>", timeout_s=PATIENCE_S
        )
        assert [fate.state for fate in mail_due(settings, clock_at("2026-01-03T00:01:00Z"))] == ["sent"]
        assert mail_due(settings, clock_at("2026-01-03T00:02:00Z")) == []
        ((_, letter),) = post.received
    assert letter["To"] == "ada@acme.example"
    assert letter["Subject"] == "Example Compute: Budget of January 2026 at 50%: everything"
    assert "60.00 USD of 100.00 USD" in letter.get_content()


def test_events_are_signed_and_tried_until_they_are_heard(acme: Customer, receiver: Receiver) -> None:
    start = clock_at("2026-01-01T00:00:00Z")
    webhook = set_webhook(acme, receiver.url, ANYWHERE, clock=start, who="ada")
    add_budget(acme, dollars(10000), thresholds=(50,), clock=start, who="ada")
    run_usage_hour(held(6), clock_at("2026-01-03T00:00:00Z"))
    receiver.answers = [500, 204]
    clock = clock_at("2026-01-03T00:00:30Z")
    assert [told.outcome for told in tell_customers_due(ANYWHERE, clock)] == ["the receiver answered 500"]
    assert tell_customers_due(ANYWHERE, clock) == []  # not before a minute has passed
    clock.step_ms(60_000)
    assert [told.delivered for told in tell_customers_due(ANYWHERE, clock)] == [True]
    clock.step_ms(3_600_000)
    assert tell_customers_due(ANYWHERE, clock) == []
    headers, body = receiver.heard[-1]
    key = b64decode(webhook.secret.removeprefix("whsec_"))
    mac = hmac.new(key, f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body, hashlib.sha256)
    assert headers["webhook-signature"] == f"v1,{b64encode(mac.digest()).decode()}"
    assert json.loads(body)["data"]["reached"] == "60.00"
    (logged,) = log_of(webhook, clock.now_ms(), 10)
    assert (logged.attempts, logged.delivered, logged.status) == (2, True, 204)


def test_a_test_is_told_at_once_and_not_again(acme: Customer, receiver: Receiver) -> None:
    clock = clock_at("2026-01-01T00:00:00Z")
    webhook = set_webhook(acme, receiver.url, ANYWHERE, clock=clock, who="ada")
    receiver.answers = [404]
    assert send_test(webhook, ANYWHERE, clock).outcome == "the receiver answered 404"
    assert send_test(webhook, ANYWHERE, clock).delivered
    clock.step_ms(600_000)
    assert tell_customers_due(ANYWHERE, clock) == []
    assert [json.loads(body)["type"] for _, body in receiver.heard] == ["webhook.test", "webhook.test"]


@pytest.mark.parametrize(
    ("scheme", "host"),
    [
        ("http", "93.184.216.34"), ("https", "127.0.0.1"), ("https", "[::1]"), ("https", "169.254.169.254"),
        ("https", "10.0.0.8"), ("https", "ada:secret@93.184.216.34"), ("ftp", "93.184.216.34"), ("https", ""),
    ],
)  # fmt: skip
def test_no_event_goes_inside_or_in_the_clear(scheme: str, host: str) -> None:
    with pytest.raises(Refuse, match="url: "):
        check_url(f"{scheme}://{host}/hooks", WebhookSettings())


def test_a_name_that_means_an_address_inside_later_is_not_followed(acme: Customer, receiver: Receiver) -> None:
    """It was set while that was allowed; now it is not."""
    clock = clock_at("2026-01-01T00:00:00Z")
    webhook = set_webhook(acme, receiver.url, ANYWHERE, clock=clock, who="ada")
    told = send_test(webhook, WebhookSettings(), clock)
    assert "inside a private network" in told.outcome
    assert receiver.heard == []


def test_what_was_said_and_tried_is_never_changed(acme: Customer, receiver: Receiver) -> None:
    clock = clock_at("2026-01-01T00:00:00Z")
    add_budget(acme, dollars(1000), thresholds=(50,), clock=clock, who="ada")
    run_usage_hour(held(6), clock_at("2026-01-03T00:00:00Z"))
    send_test(set_webhook(acme, receiver.url, ANYWHERE, clock=clock, who="ada"), ANYWHERE, clock)
    for rows in (BudgetAlert.objects.all(), WebhookDelivery.objects.all()):
        assert rows.exists()
        with pytest.raises(DatabaseError), transaction.atomic():
            rows.delete()


def test_budgets_by_command(acme: Customer, desk: Desk) -> None:
    desk.text(
        "budget", "add", "acme", "600000", "--threshold", "50", "--threshold", "90", "--email", "ada@acme.example"
    )
    (row,) = desk.rows("budget", "list")
    assert (row["of"], row["amount"], row["thresholds"], row["spent"]) == ("everything", "600000.00", "50, 90", None)
    assert "has no project 'speech'; it has research, web" in desk.refusal(
        "budget", "add", "acme", "1", "--project", "speech"
    )
    assert "'ada' is no address" in desk.refusal("budget", "add", "acme", "1", "--email", "ada")
    assert "not an amount" in desk.refusal("budget", "add", "acme", "much")
    desk.text("budget", "remove", str(row["budget"]))
    assert desk.rows("budget", "list") == []
    assert "there is no budget" in desk.refusal("budget", "remove", str(row["budget"]))
    audited = AuditLog.objects.filter(action__startswith="budget.").order_by("position")
    assert list(audited.values_list("action", flat=True)) == ["budget.add", "budget.remove"]
