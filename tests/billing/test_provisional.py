"""Prepaid customers hour by hour: what is left, and one event for each crossing."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.db import DatabaseError, connection, transaction

from cardhour_billing.config import BillingConfig, BillingSettings, StoreSettings, WebSettings
from cardhour_billing.hourly import run_hour, tell_events
from cardhour_billing.models import Customer, Event, JobRun, ProvisionalCharge
from cardhour_billing.money import Money
from cardhour_billing.outgoing import WebhookSettings
from cardhour_billing.receivables import credit
from cardhour_billing.scheduler import run_due
from cardhour_contract.clock import VirtualClock
from cardhour_contract.moment import HOUR_MS
from cardhour_contract.settings import Secret
from tests.billing.books import ACME, ISSUER, PRICE, apply, clock_at, close
from tests.billing.conftest import Store
from tests.billing.in_process import Desk
from tests.billing.memory_ledger import MemoryLedger
from tests.billing.receiver import Receiver, receiving

PREPAID = ACME.replace('name = "Acme Ltd"', 'name = "Acme Ltd"\nprepaid = true\nlow_balance = "30"')
TEN = PRICE.replace("1.616532", "10.00")


@pytest.fixture
def acme(store: Store) -> Customer:
    """Prepaid 100.00, low below 30.00, at 10.00 an hour."""
    apply(store.home, ISSUER + PREPAID + TEN)
    customer = Customer.objects.get(key="acme")
    credit.top_up(
        customer, Money(amount=10000, currency="USD"), "T-1", clock=clock_at("2026-01-01T00:00:00Z"), who="tests"
    )
    return customer


def run(ledger: MemoryLedger, at: str) -> list[str]:
    """The hour's look; every event so far."""
    run_hour(ledger, clock_at(at))
    return list(Event.objects.order_by("id").values_list("kind", flat=True))


def unbilled() -> list[int]:
    return list(ProvisionalCharge.objects.order_by("id").values_list("unbilled", flat=True))


def test_what_is_left_falls_hour_by_hour_and_each_crossing_is_said_once(acme: Customer) -> None:
    ledger = MemoryLedger()
    said: list[list[str]] = []
    for hour in range(1, 13):
        ledger.hold("k8s:acme", "T4", f"2026-01-05T{hour - 1:02d}:00:00Z", f"2026-01-05T{hour:02d}:00:00Z")
        said.append(run(ledger, f"2026-01-05T{hour:02d}:05:00Z"))
    assert unbilled() == [1000 * hour for hour in range(1, 13)]
    assert said[6] == []  # 30.00 left is not below 30.00
    assert said[7] == said[8] == ["credit.low"]
    assert said[9] == said[11] == ["credit.low", "credit.exhausted"]
    exhausted = Event.objects.get(kind="credit.exhausted")
    assert exhausted.detail == {
        "level": "exhausted", "currency": "USD", "prepaid": "100.00", "unbilled": "100.00", "available": "0.00",
    }  # fmt: skip


def test_an_hour_is_looked_at_once_whoever_asks(acme: Customer) -> None:
    ledger = MemoryLedger()
    for minute in ("05", "20", "59"):
        run(ledger, f"2026-01-05T01:{minute}:00Z")
    assert len(unbilled()) == JobRun.objects.filter(job="provisional").count() == 1


def test_late_usage_and_a_retraction_correct_themselves(acme: Customer) -> None:
    ledger = MemoryLedger()
    ledger.hold("k8s:acme", "T4", "2026-01-05T00:00:00Z", "2026-01-05T08:00:00Z")
    assert run(ledger, "2026-01-06T00:05:00Z") == ["credit.low"]
    ledger.hold("k8s:acme", "T4", "2026-01-04T00:00:00Z", "2026-01-04T05:00:00Z", card="GPU-1")
    assert run(ledger, "2026-01-06T01:05:00Z")[-1] == "credit.exhausted"
    ledger.held.clear()
    assert run(ledger, "2026-01-06T02:05:00Z")[-1] == "credit.resumed"
    assert unbilled() == [8000, 13000, 0]


def test_a_month_that_waits_for_its_invoice_is_still_unbilled_and_then_is_not(acme: Customer) -> None:
    ledger = MemoryLedger()
    ledger.hold("k8s:acme", "T4", "2026-01-31T22:00:00Z", "2026-02-01T01:00:00Z")
    run(ledger, "2026-02-01T01:05:00Z")
    close(ledger, "2026-01", "2026-02-10T00:00:00Z", issue=True)
    run(ledger, "2026-02-10T01:05:00Z")
    assert list(ProvisionalCharge.objects.order_by("id").values_list("unbilled", "prepaid")) == [
        (3000, 10000),
        (1000, 8000),
    ]


def test_two_open_months_do_not_both_have_the_same_grant(acme: Customer) -> None:
    terms = credit.GrantTerms(reason="offer", from_ms=clock_at("2026-01-01T00:00:00Z").now_ms())
    credit.grant(acme, Money(amount=2500, currency="USD"), terms, clock=clock_at("2026-01-01T00:00:00Z"), who="tests")
    ledger = MemoryLedger()
    ledger.hold("k8s:acme", "T4", "2026-01-31T22:00:00Z", "2026-02-01T03:00:00Z")
    run(ledger, "2026-02-01T03:05:00Z")
    assert unbilled() == [5000 - 2500]


def test_topping_up_lets_a_customer_go_on_at_once(
    store: Store, acme: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = MemoryLedger()
    ledger.hold("k8s:acme", "T4", "2026-01-05T00:00:00Z", "2026-01-05T12:00:00Z")
    assert run(ledger, "2026-01-05T12:05:00Z") == ["credit.exhausted"]
    desk = Desk(store, monkeypatch)
    assert "credit.resumed, 10.00 USD available" in desk.text(
        "credit", "top-up", "acme", "30", "--reference", "T-2", "--yes"
    )
    assert "credit.restored" in desk.text("credit", "top-up", "acme", "500", "--reference", "T-3", "--yes")
    (held,) = desk.rows("credit", "balance", "acme")
    assert (held["balance"], held["unbilled"], held["available"]) == ("630.00", "120.00", "510.00")
    rows = desk.rows("events", "list")
    assert [(row["kind"], row["state"]) for row in rows] == [
        ("credit.exhausted", "given up"), ("credit.resumed", "waiting"), ("credit.restored", "waiting"),
    ]  # fmt: skip


def test_a_customer_who_pays_later_is_not_looked_at(store: Store) -> None:
    apply(store.home, ISSUER + ACME + TEN)
    assert run_hour(MemoryLedger(), clock_at("2026-01-05T12:05:00Z")) is None
    assert unbilled() == []


class TestThroughTheScheduler:
    """Its tick looks and its minute tells."""

    @pytest.fixture
    def receiver(self) -> Iterator[Receiver]:
        with receiving() as running:
            yield running

    def test_an_exhausted_balance_reaches_the_webhook(self, store: Store, acme: Customer, receiver: Receiver) -> None:
        config = BillingConfig(
            home=store.home,
            store=StoreSettings(url=store.url),
            web=WebSettings(),
            billing=BillingSettings(),
            webhook=WebhookSettings(url=receiver.url, secret=Secret("not-a-real-secret")),
        )
        ledger = MemoryLedger()
        ledger.hold("k8s:acme", "T4", "2026-01-05T00:00:00Z", "2026-01-05T12:00:00Z")
        clock: VirtualClock = clock_at("2026-01-05T12:05:00Z")
        run_due(config, ledger, clock)
        assert [each.state for each in tell_events(config, clock)] == ["delivered"]
        clock.sleep_ms(HOUR_MS)
        run_due(config, ledger, clock)
        assert tell_events(config, clock) == []
        assert len(receiver.heard) == 1


@pytest.mark.parametrize(
    "statement", ["UPDATE billing_provisionalcharge SET unbilled = 0", "DELETE FROM billing_provisionalcharge"]
)
def test_the_database_refuses_to_change_what_was_looked_at(acme: Customer, statement: str) -> None:
    run(MemoryLedger(), "2026-01-05T12:05:00Z")
    with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)


def test_a_rent_counts_once_while_two_months_are_open(store: Store, acme: Customer) -> None:
    """On the first of March, February is in its grace hours: its rent counts with it, and not with March as well."""
    apply(store.home, RENT)
    run(MemoryLedger(), "2026-02-20T00:05:00Z")
    run(MemoryLedger(), "2026-03-01T00:05:00Z")
    assert unbilled() == [2500, 5000]  # until the end of each month
    close(MemoryLedger(), "2026-02", "2026-03-04T00:00:00Z", issue=True)
    run(MemoryLedger(), "2026-03-04T00:05:00Z")
    assert unbilled()[-1] == 2500


RENT = """
[[lease]]
id = "acme-1"
customer = "acme"
model = "T4"
nodes = ["n8"]
count = 1
per = "server-month"
amount = "25"
from = 2026-02-01T00:00:00Z
"""
