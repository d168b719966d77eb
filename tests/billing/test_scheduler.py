"""The scheduler: months close once, missed ones are caught up, and only one process leads."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from cardhour_billing.config import BillingConfig, BillingSettings, StoreSettings, WebSettings
from cardhour_billing.lock import exclusive
from cardhour_billing.models import Invoice, JobRun
from cardhour_billing.scheduler import run_due, start_scheduler
from cardhour_billing.usage.ledger import Ledger
from tests.billing.books import ACME, ISSUER, PRICE, apply, clock_at, issued
from tests.billing.conftest import Store
from tests.billing.memory_ledger import MemoryLedger

PATIENCE_S = 180
"""For another thread, on a busy machine."""


@pytest.fixture
def ledger(store: Store) -> MemoryLedger:
    """Acme holds a card throughout the first half of 2026."""
    apply(store.home, ISSUER + ACME + PRICE)
    ledger = MemoryLedger()
    ledger.hold("k8s:acme", "T4", "2026-01-01T00:00:00Z", "2026-07-01T00:00:00Z")
    return ledger


def config(store: Store, *, auto_issue: bool = False) -> BillingConfig:
    return BillingConfig(
        home=store.home,
        store=StoreSettings(url=store.url),
        web=WebSettings(),
        billing=BillingSettings(auto_issue=auto_issue),
    )


def test_months_missed_while_nothing_ran_are_caught_up_as_drafts(store: Store, ledger: MemoryLedger) -> None:
    run_due(config(store), ledger, clock_at("2026-04-15T00:00:00Z"))
    assert list(Invoice.objects.order_by("period").values_list("period", "state")) == [
        ("2026-01", "draft"),
        ("2026-02", "draft"),
        ("2026-03", "draft"),
    ]


def test_a_month_is_drafted_once(store: Store, ledger: MemoryLedger) -> None:
    assert len(run_due(config(store), ledger, clock_at("2026-02-15T00:00:00Z"))) == 1
    assert run_due(config(store), ledger, clock_at("2026-02-15T01:00:00Z")) == []


def test_nothing_is_issued_unless_asked_for(store: Store, ledger: MemoryLedger) -> None:
    run_due(config(store), ledger, clock_at("2026-04-15T00:00:00Z"))
    assert not issued()


def test_issuing_waits_for_the_grace_hours(store: Store, ledger: MemoryLedger) -> None:
    run_due(config(store, auto_issue=True), ledger, clock_at("2026-02-02T23:59:00Z"))
    assert not issued()
    run_due(config(store, auto_issue=True), ledger, clock_at("2026-02-03T00:00:00Z"))
    assert [invoice.number for invoice in issued()] == ["EC-2026-0001"]


def test_a_blocked_month_is_issued_once_its_price_is_known(store: Store, ledger: MemoryLedger) -> None:
    ledger.hold("k8s:acme", "H100", "2026-01-02T00:00:00Z", "2026-01-03T00:00:00Z", card="GPU-1")
    run_due(config(store, auto_issue=True), ledger, clock_at("2026-02-10T00:00:00Z"))
    run = JobRun.objects.get(job="issue")
    assert (run.state, run.outcome) == ("failed", "1 invoices; blocked: acme")
    apply(store.home, PRICE.replace("T4", "H100"))
    run_due(config(store, auto_issue=True), ledger, clock_at("2026-02-10T01:00:00Z"))
    run = JobRun.objects.get(job="issue")
    assert (run.state, run.attempts) == ("done", 2)
    assert len(issued()) == 1


def test_a_run_whose_process_died_is_taken_up_again(store: Store, ledger: MemoryLedger) -> None:
    JobRun.objects.create(job="draft", period="2026-01", started_at_ms=1)
    (run,) = run_due(config(store), ledger, clock_at("2026-02-15T00:00:00Z"))
    assert (run.state, run.attempts) == ("done", 2)


def test_only_the_leader_works(store: Store, ledger: MemoryLedger) -> None:
    taken, release = threading.Event(), threading.Event()

    def other() -> None:
        from django.db import connections

        with exclusive("scheduler", store.home, wait=True):
            taken.set()
            release.wait(PATIENCE_S)
        connections.close_all()

    holder = threading.Thread(target=other)
    holder.start()
    try:
        assert taken.wait(PATIENCE_S)
        assert run_due(config(store), ledger, clock_at("2026-02-15T00:00:00Z")) == []
    finally:
        release.set()
        holder.join()
    assert len(run_due(config(store), ledger, clock_at("2026-02-15T00:00:00Z"))) == 1


def test_the_scheduler_checks_as_soon_as_it_starts(store: Store, ledger: MemoryLedger) -> None:
    looked = threading.Event()

    @contextmanager
    def opened() -> Iterator[Ledger]:
        yield ledger
        looked.set()

    scheduler = start_scheduler(config(store), opened, clock_at("2026-02-15T00:00:00Z"))
    try:
        assert looked.wait(PATIENCE_S)
    finally:
        scheduler.shutdown(wait=True)
    assert JobRun.objects.get(job="draft").state == "done"
