"""Today's page: what cards do now, what the month came to, what needs a person, and what is said when usage is away."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

import pytest
from django.core.cache import cache

from cardhour_billing.config import BillingConfig, load_config
from cardhour_billing.models import Issuer
from cardhour_billing.portal.today import fleet, money
from cardhour_billing.portal.today.pictures import card_bar, money_chart, week_chart
from cardhour_billing.portal.views import today as page
from cardhour_billing.usage.ledger import Ledger
from cardhour_contract.errors import Retry
from cardhour_contract.moment import HOUR_MS, MINUTE_MS, QUARTER_MS, QUARTER_US, parse_rfc3339
from cardhour_ingest.warehouse.client import Warehouse
from cardhour_ingest.warehouse.rollup import roll_up
from tests.billing.books import ACME, ISSUER, PRICE, apply, clock_at, issue
from tests.billing.in_process import Desk, Store
from tests.billing.memory_ledger import MemoryLedger
from tests.billing.visitor import Visitor
from tests.ledger.facts import Card, CardRow, Claim, Facts, UsageRow
from tests.ledger.store import put

NOON = parse_rfc3339("2026-03-01T12:00:00Z")
NOW = NOON + QUARTER_MS + 3 * MINUTE_MS
"""The quarter hour from noon is over, and rolled up."""


@pytest.fixture(autouse=True)
def nothing_kept() -> Iterator[None]:
    """Pages keep what they read; a test begins without."""
    cache.clear()
    yield
    cache.clear()


def heard(warehouse: Warehouse, node: str, at_ms: int) -> None:
    statement = (
        "INSERT INTO ingest_batch (batch, source_id, node, received_at) "
        "VALUES ({batch:UInt64}, {node:String}, {node:String}, fromUnixTimestamp64Milli({at:Int64}, 'UTC'))"
    )
    warehouse.command(statement, batch=at_ms, node=node, at=at_ms)


def test_each_card_counts_in_the_state_that_most_of_the_last_quarter_hour_went_to(
    warehouse: Warehouse, store: Store, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    claim = Claim(owner="k8s:a", workload="train")
    usage = UsageRow(card="GPU-1", process=1, node="n1", start_ms=NOON, end_ms=NOON + QUARTER_MS, claim=claim)
    cards = tuple(Card(card=f"GPU-{at}") for at in (1, 2, 3))
    watched = tuple(CardRow(card=f"GPU-{at}", start_ms=NOON, end_ms=NOON + QUARTER_MS) for at in (1, 2))
    put(warehouse, Facts(usage=(usage,), card_rows=watched, cards=cards), [NOON])
    roll_up(warehouse)
    heard(warehouse, "n1", NOW - MINUTE_MS)
    heard(warehouse, "n2", NOW - 30 * MINUTE_MS)
    heard(warehouse, "n2", NOW - 20 * MINUTE_MS)
    heard(warehouse, "n3", NOW - 30 * 24 * HOUR_MS)  # gone, not silent

    @contextmanager
    def opened(config: BillingConfig) -> Iterator[Warehouse]:
        yield warehouse

    monkeypatch.setattr(fleet, "kept_warehouse", opened)
    seen = fleet.fleet_now(load_config(), NOW)
    assert dict(zip(fleet.STATES, seen.counts, strict=True)) == {
        "billable": 1, "idle": 1, "faulted": 0, "unobserved": 1,
    }  # fmt: skip
    assert (seen.nodes, seen.silent) == (2, (fleet.Silent(node="n2", since_ms=NOW - 20 * MINUTE_MS),))
    assert seen.hours == ()  # the hour under way is not over
    with monkeypatch.context() as away:
        away.setattr(fleet, "kept_warehouse", None)
        assert fleet.fleet_now(load_config(), NOW + 59_000) == seen  # kept for a minute
    (hour,) = fleet.fleet_now(load_config(), NOW + HOUR_MS).hours
    assert (hour.start_ms, hour.terms_us[0]) == (NOON, QUARTER_US)


def test_the_page_says_in_place_that_usage_is_away_and_the_rest_works(
    store: Store, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    apply(store.home, ISSUER + ACME + PRICE)
    ledger = MemoryLedger()
    ledger.hold("k8s:acme", "T4", "2026-01-05T00:00:00Z", "2026-01-09T04:00:00Z")
    issue(ledger, "2026-01", "2026-02-05T00:00:00Z")

    def away(config: BillingConfig) -> NoReturn:
        raise Retry("the usage store does not answer")

    monkeypatch.setattr(fleet, "kept_warehouse", away)
    monkeypatch.setattr(page, "opened_ledger", away)
    staff = Visitor("wen", "viewer")
    text = staff.get("/today/?all=1")
    assert "cards and hours cannot be shown now" in text
    assert "the month so far cannot be added up now" in text
    assert "Overdue" in text
    assert "161.65 USD" in text
    assert "Adding up the month" in staff.get("/today/")
    Visitor("alice", "admin", customer="acme").get("/today/", status=403)


def test_the_month_so_far_adds_up_beside_the_month_before(store: Store, desk: Desk) -> None:
    apply(store.home, ISSUER + ACME + PRICE)
    ledger = MemoryLedger()
    ledger.hold("k8s:acme", "T4", "2026-01-05T00:00:00Z", "2026-01-06T00:00:00Z")  # 24 hours: 38.80
    ledger.hold("k8s:acme", "T4", "2026-01-20T00:00:00Z", "2026-01-20T10:00:00Z")
    ledger.hold("k8s:acme", "T4", "2026-02-03T00:00:00Z", "2026-02-04T12:00:00Z")  # 36 hours: 58.20
    ledger.hold("k8s:stranger", "T4", "2026-02-03T00:00:00Z", "2026-02-03T02:00:00Z", card="GPU-8")
    issue(ledger, "2026-01", "2026-02-02T00:00:00Z")
    issuer = Issuer.objects.get()

    @contextmanager
    def opened() -> Iterator[Ledger]:
        yield ledger

    found = money.month_money(issuer, opened, clock_at("2026-02-10T12:00:00Z"))
    (usd,) = found.earned
    assert (usd.currency, usd.now, usd.before, usd.before_whole) == ("USD", 5_820, 3_880, 5_496)
    assert (usd.days[2], usd.days[3], len(usd.days)) == (3_880, 1_940, 10)
    assert sum(usd.days_before) == usd.before_whole
    assert (found.unassigned_owners, str(found.unassigned)) == (1, "3.23")
    ledger.held.clear()
    assert money.month_money(issuer, opened, clock_at("2026-02-10T12:59:00Z")) == found  # kept: the page says when
    assert not money.renew_money(ledger, clock_at("2026-02-10T12:09:00Z"))
    assert money.renew_money(ledger, clock_at("2026-02-10T12:11:00Z")), "the scheduler keeps it young"
    renewed = money.kept_money(issuer, clock_at("2026-02-10T12:12:00Z"))
    assert renewed is not None
    assert (renewed.at_ms, renewed.earned[0].now) == (parse_rfc3339("2026-02-10T12:11:00Z"), 0)
    assert money.kept_money(issuer, clock_at("2026-02-10T13:12:00Z")) is None, "nothing is shown that is an hour old"
    assert money.month_money(issuer, opened, clock_at("2026-02-10T13:12:00Z")).at_ms > renewed.at_ms


def test_pictures_end_where_their_figures_do() -> None:
    assert [(part.x, part.width) for part in card_bar((2, 1, 0, 1))] == [(0, 500), (500, 250), (750, 250)]
    assert card_bar((0, 0, 0, 0)) == ()
    hours = [fleet.Hour(start_ms=NOON + at * HOUR_MS, terms_us=(QUARTER_US, 3 * QUARTER_US, 0, 0)) for at in range(3)]
    week = week_chart(hours, "UTC", width=400, height=100, label_every=1)
    assert week is not None
    assert [area.paint for area in week.areas] == ["fill-billable", "fill-idle"]
    assert week_chart(hours[:1], "UTC", width=400, height=100, label_every=1) is None
    earned = money.Earned(
        currency="USD", now=300, before=100, before_whole=400, days=(100, 200), days_before=(100, 100, 200)
    )
    lines = money_chart(earned, width=400, height=200)
    assert lines is not None
    assert lines.now.endswith(f"{lines.end_x},{lines.end_y}")
    nothing = money.Earned(currency="USD", now=0, before=0, before_whole=0, days=(0,), days_before=(0,))
    assert money_chart(nothing, width=400, height=200) is None
