"""Closing a month: drafts, issuing, freezing, and what must never happen twice."""

from __future__ import annotations

import hashlib

import pytest

from cardhour_billing.frozen.document import decode
from cardhour_billing.frozen.inputs import read_inputs
from cardhour_billing.models import AuditLog, Invoice, NumberSeries
from cardhour_billing.usage.ledger import Coverage
from cardhour_contract.errors import Refuse
from cardhour_contract.moment import CARD_HOUR_US, parse_rfc3339
from tests.billing.books import ACME, ISSUER, PRICE, apply, close, issued
from tests.billing.conftest import Store
from tests.billing.memory_ledger import MemoryLedger

MINIMAL = ISSUER + ACME + PRICE
AFTER = "2026-02-10T00:00:00Z"


@pytest.fixture
def ledger(store: Store) -> MemoryLedger:
    """Acme held one T4 for 10 hours on 5 January and another for 90 minutes over midnight of 20 January."""
    apply(store.home, MINIMAL)
    ledger = MemoryLedger()
    ledger.hold("k8s:acme", "T4", "2026-01-05T00:00:00Z", "2026-01-05T10:00:00Z")
    ledger.hold("k8s:acme", "T4", "2026-01-20T23:00:00Z", "2026-01-21T00:30:00Z", card="GPU-1")
    return ledger


def test_a_draft_has_the_figures_and_no_number(ledger: MemoryLedger) -> None:
    (closed,) = close(ledger, "2026-01", AFTER).invoices
    document = closed.document
    (line,) = document.lines
    assert (document.state, document.number, document.digest) == ("draft", None, None)
    assert line.quantity_us == 11 * CARD_HOUR_US + CARD_HOUR_US // 2
    assert (line.printed_quantity, line.unit_price, line.amount) == ("11.5000", "1.616532", "18.59")
    assert (document.net, document.total, document.due) == ("18.59", "18.59", "18.59")
    assert [(day.day, day.quantity_us) for day in line.days] == [
        ("2026-01-05", 10 * CARD_HOUR_US),
        ("2026-01-20", CARD_HOUR_US),
        ("2026-01-21", CARD_HOUR_US // 2),
    ]
    assert [(card.card, card.amount) for card in line.cards] == [("GPU-0", "16.17"), ("GPU-1", "2.42")]
    assert (line.first_day, line.last_day) == ("2026-01-05", "2026-01-21")


def test_a_draft_follows_late_usage(ledger: MemoryLedger) -> None:
    close(ledger, "2026-01", AFTER)
    ledger.hold("k8s:acme", "T4", "2026-01-30T00:00:00Z", "2026-01-30T01:00:00Z")
    (closed,) = close(ledger, "2026-01", AFTER).invoices
    assert closed.document.lines[0].printed_quantity == "12.5000"
    assert Invoice.objects.count() == 1


def test_issuing_numbers_dates_and_freezes(ledger: MemoryLedger) -> None:
    (closed,) = close(ledger, "2026-01", AFTER, issue=True).invoices
    assert closed.newly_issued
    (invoice,) = issued()
    document = decode(bytes(invoice.frozen))
    assert document == closed.document
    assert (document.number, document.issue_date, document.due_date) == ("EC-2026-0001", "2026-02-10", "2026-03-12")
    assert hashlib.sha256(bytes(invoice.inputs)).hexdigest() == invoice.digest == document.digest
    inputs = read_inputs(bytes(invoice.inputs))
    assert ledger.quarters[inputs.quarters]
    assert [row.owner for row in inputs.bindings] == ["k8s:acme"]
    assert [row.nano for row in inputs.prices] == [1_616_532_000]
    assert AuditLog.objects.filter(action="invoice.issue", subject="EC-2026-0001").count() == 1


def test_issuing_twice_issues_nothing_twice(ledger: MemoryLedger) -> None:
    (first,) = close(ledger, "2026-01", AFTER, issue=True).invoices
    ledger.hold("k8s:acme", "T4", "2026-01-30T00:00:00Z", "2026-01-30T01:00:00Z")
    (second,) = close(ledger, "2026-01", AFTER, issue=True).invoices
    (draft,) = close(ledger, "2026-01", AFTER).invoices
    assert second.document == first.document == draft.document
    assert not second.newly_issued
    assert NumberSeries.objects.get().last == 1


def test_a_month_without_usage_takes_no_number(store: Store, ledger: MemoryLedger) -> None:
    report = close(ledger, "2026-03", "2026-04-10T00:00:00Z", issue=True)
    assert (report.invoices, report.without_usage) == ((), ("acme",))
    assert not Invoice.objects.exists()
    assert not NumberSeries.objects.exists()


def test_a_draft_that_lost_its_usage_goes_away(ledger: MemoryLedger) -> None:
    close(ledger, "2026-01", AFTER)
    ledger.held.clear()
    assert close(ledger, "2026-01", AFTER).without_usage == ("acme",)
    assert not Invoice.objects.exists()


def test_a_month_that_has_not_ended_can_be_drafted_not_issued(ledger: MemoryLedger) -> None:
    report = close(ledger, "2026-01", "2026-01-31T23:59:59Z")
    assert "ends at 2026-02-01T00:00:00Z" in str(report.warnings[0])
    with pytest.raises(Refuse, match="cannot be issued before"):
        close(ledger, "2026-01", "2026-01-31T23:59:59Z", issue=True, within_grace=True)


def test_grace_hours_hold_issuing_back_unless_told_otherwise(ledger: MemoryLedger) -> None:
    within = "2026-02-02T23:59:59Z"
    assert "2026-02-03T00:00:00Z" in close(ledger, "2026-01", within).warnings[0].figures.values()
    with pytest.raises(Refuse, match="--within-grace"):
        close(ledger, "2026-01", within, issue=True)
    assert not issued()
    assert close(ledger, "2026-01", within, issue=True, within_grace=True).invoices[0].newly_issued


def test_a_price_change_inside_the_month_makes_two_lines_cut_at_its_quarter(store: Store, ledger: MemoryLedger) -> None:
    change = "2026-01-05T04:15:00Z"
    apply(
        store.home, PRICE + f"to = {change}\n" + PRICE.replace("2026-01-01T00:00:00Z", change).replace("1.616532", "2")
    )
    (closed,) = close(ledger, "2026-01", AFTER).invoices
    first, second = closed.document.lines
    assert (first.printed_quantity, first.unit_price, first.amount) == ("4.2500", "1.616532", "6.87")
    assert (second.printed_quantity, second.unit_price, second.amount) == ("7.2500", "2.00", "14.50")
    assert closed.document.total == "21.37"


def test_a_binding_change_inside_the_month_splits_usage_between_customers(store: Store, ledger: MemoryLedger) -> None:
    moved = "2026-01-05T06:00:00Z"
    apply(
        store.home,
        ACME + f"to = {moved}\n" + ACME.replace("2026-01-01T00:00:00Z", moved).replace('"acme"', '"beta"'),
    )
    report = close(ledger, "2026-01", AFTER)
    assert {each.customer: each.document.lines[0].printed_quantity for each in report.invoices} == {
        "acme": "6.0000",
        "beta": "5.5000",
    }


def test_usage_without_a_price_blocks_its_customer_and_no_other(store: Store, ledger: MemoryLedger) -> None:
    apply(store.home, ACME.replace("acme", "beta"))
    ledger.hold("k8s:acme", "H100", "2026-01-07T00:00:00Z", "2026-01-07T02:00:00Z", card="GPU-2")
    ledger.hold("k8s:beta", "T4", "2026-01-07T00:00:00Z", "2026-01-07T01:00:00Z", card="GPU-3")
    report = close(ledger, "2026-01", AFTER, issue=True)
    (blocked,) = report.blocked
    assert blocked.customer == "acme"
    assert "H100" in str(blocked.findings[0])
    assert "2.00 card-hours" in str(blocked.findings[0])
    assert [invoice.number for invoice in issued("beta")] == ["EC-2026-0001"]
    apply(store.home, PRICE.replace("T4", "H100"))
    close(ledger, "2026-01", AFTER, issue=True)
    assert [invoice.number for invoice in issued("acme")] == ["EC-2026-0002"]
    assert Invoice.objects.get(number="EC-2026-0002").findings == []


def test_usage_nobody_is_bound_to_is_reported_with_its_list_value(ledger: MemoryLedger) -> None:
    ledger.hold("k8s:stranger", "T4", "2026-01-07T00:00:00Z", "2026-01-07T02:00:00Z", card="GPU-2")
    ledger.hold("unknown:gone", "H100", "2026-01-07T00:00:00Z", "2026-01-07T02:00:00Z", card="GPU-3")
    report = close(ledger, "2026-01", AFTER, issue=True)
    found = {each.owner: (each.model, each.quantity_us, str(each.list_value)) for each in report.unassigned}
    assert found == {
        "k8s:stranger": ("T4", 2 * CARD_HOUR_US, "3.23"),
        "unknown:gone": ("H100", 2 * CARD_HOUR_US, "None"),
    }
    assert [each.customer for each in report.invoices] == ["acme"]


def test_each_customer_is_billed_its_own_month(store: Store, ledger: MemoryLedger) -> None:
    """Shanghai's February begins while UTC still has January."""
    apply(
        store.home, ACME.replace("acme", "qh").replace('name = "Acme Ltd"', 'name = "清禾"\ntimezone = "Asia/Shanghai"')
    )
    ledger.hold("k8s:qh", "T4", "2026-01-31T15:00:00Z", "2026-01-31T18:00:00Z", card="GPU-5")
    january, february = (
        {each.customer: each.document for each in close(ledger, month, AFTER).invoices}
        for month in ("2026-01", "2026-02")
    )
    assert january["qh"].lines[0].printed_quantity == "1.0000"
    assert february["qh"].lines[0].printed_quantity == "2.0000"
    assert january["qh"].period.started_at == "2025-12-31T16:00:00Z"
    assert february["qh"].lines[0].first_day == "2026-02-01"


@pytest.mark.parametrize(("month", "hours"), [("2026-03", "743.0000"), ("2026-11", "721.0000")])
def test_a_card_held_all_month_is_billed_the_hours_the_month_has(store: Store, month: str, hours: str) -> None:
    apply(store.home, ISSUER.replace("UTC", "America/New_York") + ACME + PRICE)
    ledger = MemoryLedger()
    ledger.hold("k8s:acme", "T4", "2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z")
    (closed,) = close(ledger, month, "2027-02-01T00:00:00Z").invoices
    line = closed.document.lines[0]
    assert line.printed_quantity == hours
    assert {day.quantity_us // CARD_HOUR_US for day in line.days} == ({23, 24} if month == "2026-03" else {24, 25})


def test_a_currency_without_decimals_and_one_with_three(store: Store) -> None:
    yen = ACME.replace("acme", "yen").replace('name = "Acme Ltd"', 'name = "Yen"\ncurrency = "JPY"')
    dinar = ACME.replace("acme", "dinar").replace('name = "Acme Ltd"', 'name = "Dinar"\ncurrency = "KWD"')
    prices = (
        PRICE.replace("1.616532", "301")
        + 'currency = "JPY"\n'
        + PRICE.replace("1.616532", "0.5015")
        + 'currency = "KWD"\n'
    )
    apply(store.home, ISSUER + yen + dinar + prices)
    ledger = MemoryLedger()
    for number, owner in enumerate(("k8s:yen", "k8s:dinar")):
        ledger.hold(owner, "T4", "2026-01-05T00:00:00Z", "2026-01-05T00:30:00Z", card=f"GPU-{number}")
    totals = {each.customer: each.document.total for each in close(ledger, "2026-01", AFTER).invoices}
    assert totals == {"yen": "151", "dinar": "0.251"}


def test_the_issue_date_never_goes_back(store: Store, ledger: MemoryLedger) -> None:
    """The clock of the machine stood in February, then was set back: numbers and dates still ascend together."""
    ledger.hold("k8s:acme", "T4", "2025-12-05T00:00:00Z", "2025-12-05T10:00:00Z")
    apply(store.home, ACME.replace("acme", "beta"))
    ledger.hold("k8s:beta", "T4", "2026-01-05T00:00:00Z", "2026-01-05T10:00:00Z", card="GPU-9")
    close(ledger, "2026-01", AFTER, issue=True, customer="acme")
    close(ledger, "2026-01", "2026-02-05T00:00:00Z", issue=True, customer="beta")
    (later,) = issued("beta")
    assert (later.number, str(later.issue_date)) == ("EC-2026-0002", "2026-02-10")


def test_a_new_year_starts_a_new_series(ledger: MemoryLedger) -> None:
    ledger.hold("k8s:acme", "T4", "2026-12-05T00:00:00Z", "2026-12-05T10:00:00Z")
    close(ledger, "2026-01", AFTER, issue=True)
    close(ledger, "2026-12", "2027-01-10T00:00:00Z", issue=True)
    assert [invoice.number for invoice in issued()] == ["EC-2026-0001", "EC-2027-0001"]


def test_a_ledger_that_does_not_add_up_is_not_billed(store: Store) -> None:
    class Breached(MemoryLedger):
        def coverage(self, from_ms: int, to_ms: int) -> Coverage:
            return Coverage(cards=1, unobserved_us=0, faulted_us=0, breached_pages=2)

    apply(store.home, MINIMAL)
    ledger = Breached()
    ledger.hold("k8s:acme", "T4", "2026-01-05T00:00:00Z", "2026-01-05T10:00:00Z")
    with pytest.raises(Refuse, match="2 ledger pages"):
        close(ledger, "2026-01", AFTER, issue=True)
    assert not issued()
    assert close(ledger, "2026-01", AFTER).invoices  # a draft can be looked at


def test_closing_before_there_is_a_catalog_says_what_to_do(store: Store) -> None:
    with pytest.raises(Refuse, match="catalog apply"):
        close(MemoryLedger(), "2026-01", AFTER)


def test_only_one_customer_can_be_closed(store: Store, ledger: MemoryLedger) -> None:
    apply(store.home, ACME.replace("acme", "beta"))
    ledger.hold("k8s:beta", "T4", "2026-01-07T00:00:00Z", "2026-01-07T01:00:00Z", card="GPU-3")
    assert [each.customer for each in close(ledger, "2026-01", AFTER, customer="beta").invoices] == ["beta"]
    with pytest.raises(Refuse, match="no customer 'gamma'"):
        close(ledger, "2026-01", AFTER, customer="gamma")


def test_period_instants_are_kept_with_the_invoice(ledger: MemoryLedger) -> None:
    close(ledger, "2026-01", AFTER, issue=True)
    (invoice,) = issued()
    assert (invoice.period_start_ms, invoice.period_end_ms) == (
        parse_rfc3339("2026-01-01T00:00:00Z"),
        parse_rfc3339("2026-02-01T00:00:00Z"),
    )
