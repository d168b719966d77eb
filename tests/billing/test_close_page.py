"""A month closed in the portal: what a clerk is shown is what is issued, once, whatever is pressed how often."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from datetime import timedelta

import pytest
from pytest_django import DjangoAssertNumQueries

from cardhour_billing.closing import run as close_run
from cardhour_billing.closing.close import CloseOrder
from cardhour_billing.config import BillingConfig, load_config
from cardhour_billing.lock import exclusive
from cardhour_billing.models import CloseRun, Invoice
from cardhour_billing.month import Month, month_of, parse_month
from cardhour_billing.portal.closing import month_close
from cardhour_billing.portal.views import close as close_views
from cardhour_billing.usage.ledger import Ledger
from cardhour_contract.clock import SystemClock
from cardhour_contract.moment import from_ms
from tests.billing.books import ISSUER, PRICE, apply, clock_at
from tests.billing.in_process import Desk
from tests.billing.memory_ledger import MemoryLedger
from tests.billing.visitor import Visitor, finish_runs

TODAY = from_ms(SystemClock().now_ms()).date()
LAST: Month = month_of(TODAY.replace(day=1) - timedelta(days=40))
"""A month whose grace hours are over, whenever this runs."""
NAMES = ("acme", "beta", "gamma")


@pytest.fixture
def ledger(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> MemoryLedger:
    """Three customers hold a T4 for one, two and three hours of last month; the fourth a card without a price."""
    catalog = "".join(
        f'[[customer]]\nid = "{name}"\nname = "{name.title()} Ltd"\nemail = ["bills@{name}.example"]\n'
        f'[[binding]]\nowner = "k8s:{name}"\ncustomer = "{name}"\nfrom = 2026-01-01T00:00:00Z\n'
        for name in (*NAMES, "delta")
    )
    apply(load_config().home, ISSUER + PRICE + catalog)
    held = MemoryLedger()
    for hours, name in enumerate(NAMES, 1):
        held.hold(f"k8s:{name}", "T4", _at(1, 0), _at(1, hours), card=f"GPU-{hours}")
    held.hold("k8s:delta", "H100", _at(2, 0), _at(2, 1), card="GPU-9")

    @contextmanager
    def opened(config: BillingConfig) -> Iterator[Ledger]:
        yield held

    monkeypatch.setattr(close_views, "opened_ledger", opened)
    return held


def drafted(clerk: Visitor) -> str:
    """The page of the month after its drafts were computed on it."""
    fields = clerk.form(f"/close/{LAST}/", f"/close/{LAST}/draft/")
    assert clerk.send(f"/close/{LAST}/draft/", fields) == f"/close/{LAST}/"
    finish_runs()
    return clerk.get(f"/close/{LAST}/")


def states() -> dict[str, str]:
    return dict(Invoice.objects.values_list("customer__key", "state"))


def test_a_clerk_computes_drafts_sees_what_blocks_and_issues_the_rest(ledger: MemoryLedger) -> None:
    clerk = Visitor()
    page = drafted(clerk)
    assert "Issue all 3 ready" in page
    assert "card-hours of H100 have no price in USD" in page
    assert "Price gap" in page
    confirm = clerk.get(f"/close/{LAST}/issue/?all=1")
    assert "Issue 3 invoices" in confirm
    assert "9.70" in confirm  # 1.62 + 3.23 + 4.85
    fields = clerk.form(f"/close/{LAST}/issue/?all=1")
    assert clerk.send(f"/close/{LAST}/issue/", fields) == f"/close/{LAST}/"
    finish_runs()
    assert states() == {"acme": "issued", "beta": "issued", "gamma": "issued", "delta": "draft"}
    done = clerk.get(f"/close/{LAST}/")
    assert "3 issued · 1 draft, 1 held back" in " ".join(done.split())
    run = CloseRun.objects.get(issue=True)
    assert (run.who, run.state, run.issued, run.blocked) == ("lin", "done", 3, 1)


def test_a_form_that_is_sent_twice_issues_once(ledger: MemoryLedger) -> None:
    clerk = Visitor()
    drafted(clerk)
    fields = clerk.form(f"/close/{LAST}/issue/?all=1")
    clerk.send(f"/close/{LAST}/issue/", fields)
    clerk.send(f"/close/{LAST}/issue/", fields)
    finish_runs()
    clerk.send(f"/close/{LAST}/issue/", fields)
    finish_runs()
    assert CloseRun.objects.filter(issue=True).count() == 1
    issued = Invoice.objects.filter(state="issued").order_by("sequence")
    assert list(issued.values_list("sequence", flat=True)) == [1, 2, 3]


def test_only_those_that_are_ticked_are_issued(ledger: MemoryLedger) -> None:
    clerk = Visitor()
    drafted(clerk)
    fields = clerk.form(f"/close/{LAST}/issue/?customer=acme&customer=gamma&customer=delta")
    assert fields["customer"] == ["acme", "gamma"]  # delta is held back
    clerk.send(f"/close/{LAST}/issue/", fields)
    finish_runs()
    assert states() == {"acme": "issued", "beta": "draft", "gamma": "issued", "delta": "draft"}
    assert "Price gap" in clerk.get(f"/close/{LAST}/")  # the checklist of the whole month stands


def test_drafts_that_changed_while_a_clerk_read_are_shown_again(ledger: MemoryLedger) -> None:
    clerk = Visitor()
    drafted(clerk)
    fields = clerk.form(f"/close/{LAST}/issue/?all=1")
    ledger.hold("k8s:acme", "T4", _at(3, 0), _at(3, 1), card="GPU-1")
    page = drafted(clerk)
    assert "+1.61" in page  # what acme's draft has changed by: 3.23 − 1.62
    again = clerk.send(f"/close/{LAST}/issue/", fields, status=409)
    assert "The drafts are not those you were shown" in again
    assert "issued" not in states().values()


def test_usage_that_came_after_the_confirmation_is_not_issued_unseen(ledger: MemoryLedger) -> None:
    clerk = Visitor()
    drafted(clerk)
    fields = clerk.form(f"/close/{LAST}/issue/?all=1")
    ledger.hold("k8s:acme", "T4", _at(3, 0), _at(3, 1), card="GPU-1")
    clerk.send(f"/close/{LAST}/issue/", fields)
    finish_runs()
    assert states() == {"acme": "draft", "beta": "issued", "gamma": "issued", "delta": "draft"}
    assert "comes to another total than was confirmed" in clerk.get(f"/close/{LAST}/")


def test_a_month_within_its_grace_hours_is_issued_only_by_somebody_who_says_so(
    ledger: MemoryLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    clerk = Visitor()
    drafted(clerk)
    monkeypatch.setenv("CARDHOUR_BILLING_GRACE_HOURS", "87600")
    fields = clerk.form(f"/close/{LAST}/issue/?all=1")
    refused = clerk.send(f"/close/{LAST}/issue/", fields, status=409)
    assert "Late usage may still come in" in refused
    clerk.send(f"/close/{LAST}/issue/", fields | {"within_grace": ["yes"]})
    finish_runs()
    assert states()["acme"] == "issued"


def test_a_month_that_runs_cannot_be_issued(ledger: MemoryLedger) -> None:
    clerk, month = Visitor(), month_of(TODAY).next
    page = clerk.get(f"/close/{month}/")
    assert "The month has not ended" in page
    Invoice.objects.all().delete()
    fields = clerk.form(f"/close/{month}/", f"/close/{month}/draft/")
    clerk.send(f"/close/{month}/draft/", fields)
    finish_runs()
    clerk.send(f"/close/{month}/issue/", {"all": "1", "shown": "x"}, status=409)
    assert not CloseRun.objects.filter(issue=True).exists()


def test_looking_is_for_staff_and_issuing_for_billing(ledger: MemoryLedger) -> None:
    drafted(Visitor())
    viewer, customer = Visitor("wen", "viewer"), Visitor("alice", "admin", customer="acme")
    page = viewer.get(f"/close/{LAST}/")
    assert "Price gap" in page
    for button in ("Issue selected", "Recompute drafts", "Issue all"):
        assert button not in page
    for visitor in (viewer, customer):
        visitor.get(f"/close/{LAST}/issue/?all=1", status=403)
        visitor.send(f"/close/{LAST}/issue/", {"all": "1"}, status=403)
        visitor.send(f"/close/{LAST}/draft/", {}, status=403)
    run = CloseRun.objects.get()
    customer.get(f"/close/runs/{run.pk}/", status=403)
    assert viewer.get(f"/close/runs/{run.pk}/")


def test_a_run_that_fails_says_why_and_what_failed_is_not_lost(
    ledger: MemoryLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    clerk, future = Visitor(), parse_month("2099-01")
    order = CloseOrder(month=future, who="lin", issue=True, within_grace=True)
    run, _ = close_run.begin(order, "token", clock=SystemClock())
    close_run.carry_out(run, order, load_config(), lambda: nullcontext(ledger), SystemClock())
    page = clerk.get("/close/2099-01/")
    assert "it cannot be issued before" in page


def test_a_run_whose_process_died_is_known_by_its_lock(ledger: MemoryLedger) -> None:
    config = load_config()
    order = CloseOrder(month=LAST, who="lin")
    run, first = close_run.begin(order, "token", clock=clock_at("2026-03-01T00:00:00Z"))
    assert first
    soon, later = clock_at("2026-03-01T00:00:10Z"), clock_at("2026-03-01T00:01:00Z")
    assert close_run.looked_at(run, config, clock=soon).state == "running"
    with exclusive(close_run.LOCK, config.home, wait=True):
        if config.on_postgresql:
            return  # the lock is this connection's own: asking again would get it
        assert close_run.looked_at(run, config, clock=later).state == "running"
    seen = close_run.looked_at(run, config, clock=later)
    assert (seen.state, seen.what) == ("failed", close_run.CUT_OFF)


def test_the_page_shows_the_checklist_of_the_command_line_too(
    ledger: MemoryLedger, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    @contextmanager
    def opened(config: BillingConfig) -> Iterator[None]:
        yield None

    monkeypatch.setattr("cardhour_billing.usage.store.opened_warehouse", opened)
    monkeypatch.setattr("cardhour_billing.usage.ledger.WarehouseLedger", lambda _: ledger)
    ledger.hold("k8s:stranger", "T4", _at(4, 0), _at(4, 2), card="GPU-7")
    desk.text("close", str(LAST))
    page = Visitor().get(f"/close/{LAST}/")
    assert "Unassigned usage" in page
    assert "3.23 USD" in page
    assert "2.00 card-hours" in page


def test_an_owner_that_nobody_is_bound_to_is_one_click_from_its_form(ledger: MemoryLedger) -> None:
    ledger.hold("k8s:stranger", "T4", _at(4, 0), _at(4, 2), card="GPU-7")
    clerk = Visitor()
    page = drafted(clerk)
    form = f"/catalog/binding/?owner=k8s%3Astranger&amp;from={LAST}-01"
    assert form in page
    price = f"/catalog/price/?model=H100&amp;currency=USD&amp;from={LAST}-01"
    assert price in page
    assert clerk.form(price.replace("&amp;", "&"), "/catalog/price/preview/")["model"] == ["H100"]
    filled = clerk.form(form.replace("&amp;", "&"), "/catalog/binding/preview/")
    assert (filled["owner"], filled["from"]) == (["k8s:stranger"], [f"{LAST}-01"])
    assert "/catalog/" not in Visitor("wen", "viewer").get(f"/close/{LAST}/")


def test_findings_are_told_in_the_language_of_the_page(ledger: MemoryLedger) -> None:
    ledger.hold("k8s:stranger", "T4", _at(4, 0), _at(4, 2), card="GPU-7")
    drafted(Visitor())
    page = Visitor("wen", "viewer").get(f"/close/{LAST}/", language="zh-hans")
    assert f"H100 的 1.00 卡时没有 USD 单价（最早为 {LAST}-02）" in page
    assert "有 2.00 卡时没有归属客户（持有者 1 个）；按目录价计 3.23 USD" in page
    for english in ("card-hours of", "have no customer", "at list price", "add its", "Held back"):
        assert english not in page
    (held,) = Invoice.objects.exclude(findings=[])
    assert held.findings[0]["kind"] == "no_price_from"  # what is kept is of no language


def test_usage_leases_and_adjustments_add_up_to_the_net_of_each_row_and_of_the_sum(ledger: MemoryLedger) -> None:
    lease = (
        '[[lease]]\nid = "l1"\ncustomer = "acme"\nmodel = "T4"\ncount = 1\nper = "card-month"\namount = "100"\n'
        f"from = {LAST}-01T00:00:00Z\n"
    )
    apply(load_config().home, lease)
    drafted(Visitor())
    close = month_close(str(LAST), "", SystemClock())
    acme = next(row for row in close.rows if row.key == "acme")
    assert (acme.parts[1], acme.parts[2]) == ("100.00", "")
    (whole,) = close.sums
    for at in range(3):
        assert sum(cents(row.parts[at]) for row in close.rows) == cents(whole.parts[at])
    for parts, net in [(whole.parts, whole.net), *((row.parts, row.net) for row in close.rows)]:
        assert sum(map(cents, parts)) == cents(net)


def cents(text: str) -> int:
    return int(text.replace(",", "").replace(".", "").replace("\u2212", "-") or 0)


def test_the_page_asks_the_store_so_often_and_no_more(
    ledger: MemoryLedger, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    clerk = Visitor()
    drafted(clerk)
    with django_assert_max_num_queries(26):
        clerk.get(f"/close/{LAST}/")


def _at(day: int, hour: int) -> str:
    return f"{LAST}-{day:02d}T{hour:02d}:00:00Z"
