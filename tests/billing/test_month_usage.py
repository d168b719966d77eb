"""A customer's month of usage: what its pages show adds up to what is, or will be, billed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest
from django.contrib.auth.models import User

from cardhour_billing.frozen.document import decode
from cardhour_billing.hourly import run_usage_hour
from cardhour_billing.models import Customer, JobRun, PortalUser, UsageSnapshot
from cardhour_billing.month import Month
from cardhour_billing.month_usage.content import MonthUsage
from cardhour_billing.month_usage.keeping import month_usage
from cardhour_billing.usage.ledger import Ledger, WarehouseLedger
from cardhour_contract.errors import Retry
from cardhour_contract.moment import CARD_HOUR_US, format_rfc3339
from cardhour_ingest.importer import import_csv
from cardhour_ingest.warehouse.client import Warehouse
from tests.billing.books import ISSUER, apply, clock_at, issue, issued
from tests.billing.conftest import Store
from tests.billing.memory_ledger import MemoryLedger
from tests.billing.test_commands import HEADER

CATALOG = (
    ISSUER
    + """
[[customer]]
id = "acme"
name = "Acme Ltd"
[[binding]]
owner = "k8s:acme-*"
customer = "acme"
project = "research"
from = 2026-01-01T00:00:00Z
[[binding]]
owner = "k8s:acme-b"
customer = "acme"
project = "serving"
from = 2026-01-01T00:00:00Z
[[price]]
model = "T4"
per = "card-hour"
amount = "1.616532"
from = 2026-01-01T00:00:00Z
[[lease]]
id = "box"
customer = "acme"
model = "T4"
cards = ["GPU-8", "GPU-9"]
per = "card-month"
amount = "310.00"
from = 2026-01-01T00:00:00Z
"""
)
JANUARY = Month(year=2026, month=1)


@pytest.fixture
def acme(store: Store) -> Customer:
    """Two projects on T4 by the hour, two T4 leased for 620.00 a month; it has a login."""
    apply(store.home, CATALOG)
    customer = Customer.objects.select_related("issuer").get(key="acme")
    PortalUser.objects.create(user=User.objects.create(username="ada"), customer=customer)
    return customer


@pytest.fixture
def ledger() -> MemoryLedger:
    """Odd times, so that nothing divides; one leased card half used on the 2nd and broken for an hour, one idle."""
    held = MemoryLedger()
    held.hold("k8s:acme-a", "T4", "2026-01-02T01:15:00Z", "2026-01-03T02:30:00Z", card="GPU-0")
    held.hold("k8s:acme-b", "T4", "2026-01-03T05:00:00Z", "2026-01-03T05:45:00Z", card="GPU-1")
    held.hold("k8s:acme-a", "T4", "2026-01-02T00:00:00Z", "2026-01-02T12:00:00Z", card="GPU-8")
    held.hold("k8s:acme-a", "T4", "2026-01-03T00:00:00Z", "2026-01-03T01:00:00Z", card="GPU-9")
    held.fault("GPU-8", "T4", "2026-01-02T13:00:00Z", "2026-01-02T14:00:00Z")
    return held


def seen(customer: Customer, ledger: Ledger, at: str, month: Month = JANUARY) -> MonthUsage:
    @contextmanager
    def opened() -> Iterator[Ledger]:
        yield ledger

    return month_usage(customer, month, opened, clock_at(at))


def money(usage: MonthUsage) -> int:
    return sum(cell.net for cell in usage.cells) + sum(charge.net for charge in usage.charges)


def test_an_open_month_has_projects_workloads_and_leased_days(acme: Customer, ledger: MemoryLedger) -> None:
    usage = seen(acme, ledger, "2026-01-04T06:07:00Z")
    assert usage.last_day == "2026-01-04"
    assert {(cell.project, cell.kind) for cell in usage.cells} == {
        ("research", "usage"), ("serving", "usage"), ("research", "leased"),
    }  # fmt: skip
    assert sum(cell.quantity_us for cell in usage.cells if cell.kind == "leased") == 13 * CARD_HOUR_US
    (rent,) = usage.charges
    assert (rent.net, len(rent.days)) == (62000, 31)
    assert sum(net for _, net in rent.days) == rent.net
    assert sum(work.net for work in usage.works) == sum(cell.net for cell in usage.cells) == 4203
    assert [(work.workload, work.project) for work in usage.works] == [("job-a", "research"), ("job-b", "serving")]


def test_idle_time_of_leased_cards_is_what_is_left(acme: Customer, ledger: MemoryLedger) -> None:
    cards = {card.card: card for card in seen(acme, ledger, "2026-01-04T06:07:00Z").leased_cards}
    eight, nine = cards["GPU-8"], cards["GPU-9"]
    hours = [us // CARD_HOUR_US for us in eight.leased_us[:5]]
    assert hours == [24, 24, 24, 6, 0]
    assert (eight.used_us[1], eight.faulted_us[1]) == (12 * CARD_HOUR_US, CARD_HOUR_US)
    assert (nine.used_us[1], nine.used_us[2]) == (0, CARD_HOUR_US)


def test_a_billed_month_comes_to_its_invoice_to_the_cent_and_by_day(acme: Customer, ledger: MemoryLedger) -> None:
    issue(ledger, "2026-01", "2026-02-10T00:00:00Z")
    usage = seen(acme, ledger, "2026-02-10T00:00:00Z")
    document = decode(bytes(issued()[0].frozen))
    assert money(usage) == int(document.net.replace(".", ""))
    printed = {share.day: int(share.amount.replace(".", "")) for line in document.lines for share in line.days}
    by_day: dict[str, int] = {}
    for cell in usage.cells:
        if cell.kind == "usage":
            by_day[cell.day] = by_day.get(cell.day, 0) + cell.net
    assert by_day == printed
    assert usage.document == document.number
    assert sum(work.net for work in usage.works) == sum(by_day.values())


def test_a_month_is_kept_and_made_anew_when_it_is_billed(acme: Customer, ledger: MemoryLedger) -> None:
    before = seen(acme, ledger, "2026-02-01T00:00:00Z")
    ledger.hold("k8s:acme-a", "T4", "2026-01-20T00:00:00Z", "2026-01-20T01:00:00Z", card="GPU-1")
    assert seen(acme, ledger, "2026-02-01T00:10:00Z") == before
    issue(ledger, "2026-01", "2026-02-10T00:00:00Z")
    after = seen(acme, ledger, "2026-02-10T00:00:00Z")
    assert money(after) > money(before)
    assert UsageSnapshot.objects.get(customer=acme, period="2026-01").document == after.document


def test_without_the_usage_store_a_billed_month_shows_what_its_document_says(
    acme: Customer, ledger: MemoryLedger
) -> None:
    issue(ledger, "2026-01", "2026-02-10T00:00:00Z")
    whole = seen(acme, ledger, "2026-02-10T00:00:00Z")
    UsageSnapshot.objects.all().delete()

    def away() -> AbstractContextManager[Ledger]:
        raise Retry("the warehouse did not answer")

    plain = month_usage(acme, JANUARY, away, clock_at("2026-02-10T00:00:00Z"))
    assert (plain.detailed, money(plain)) == (False, money(whole))
    assert not UsageSnapshot.objects.exists()
    with pytest.raises(Retry):
        month_usage(acme, Month(year=2026, month=2), away, clock_at("2026-02-10T00:00:00Z"))


def test_the_scheduler_puts_open_months_together_once_an_hour(acme: Customer, ledger: MemoryLedger) -> None:
    run_usage_hour(ledger, clock_at("2026-01-04T06:07:00Z"))
    first = UsageSnapshot.objects.get(period="2026-01").computed_at_ms
    assert run_usage_hour(ledger, clock_at("2026-01-04T06:40:00Z")) is None
    run_usage_hour(ledger, clock_at("2026-01-04T07:00:00Z"))
    assert UsageSnapshot.objects.get(period="2026-01").computed_at_ms > first
    assert JobRun.objects.filter(job="usage", state="done").count() == 2


def test_a_month_without_usage_is_there_and_empty(acme: Customer) -> None:
    usage = seen(acme, MemoryLedger(), "2026-01-01T00:05:00Z")
    assert (usage.cells, usage.days_known, sum(each.net for each in usage.charges)) == ((), 1, 62000)


def test_the_real_engine_gives_the_same_month(
    acme: Customer, ledger: MemoryLedger, warehouse: Warehouse, store: Store
) -> None:
    rows = "".join(
        f"{owner},job-{owner[-1]},{node},{card},{model},,{format_rfc3339(start)},{format_rfc3339(end)},1,,\n"
        for owner, _, node, card, model, start, end in ledger.held
    )
    (store.home / "usage.csv").write_text(HEADER + rows)
    import_csv(warehouse, store.home / "usage.csv")
    ledger.faulted.clear()  # a usage file says nothing of faults
    expected = seen(acme, ledger, "2026-01-04T06:07:00Z")
    UsageSnapshot.objects.all().delete()
    real = WarehouseLedger(warehouse)
    real.settle()
    found = seen(acme, real, "2026-01-04T06:07:00Z")
    assert (found.cells, found.charges, found.leased_cards) == (expected.cells, expected.charges, expected.leased_cards)
    assert [(each.workload, each.net) for each in found.works] == [(each.workload, each.net) for each in expected.works]
