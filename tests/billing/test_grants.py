"""Grants, tax, prepaid: in that order, on the document and in the accounts at once."""

from __future__ import annotations

from datetime import date

import pytest
from django.db import transaction
from hypothesis import given
from hypothesis import strategies as st

from cardhour_billing.answers.verification import verify
from cardhour_billing.frozen.document import InvoiceDocument, decode
from cardhour_billing.models import CreditEntry, CreditGrant, Customer, Invoice
from cardhour_billing.money import Money
from cardhour_billing.rating.charge import Charge
from cardhour_billing.rating.grant_use import Allowance, recompute, take
from cardhour_billing.rating.tax import TaxRule
from cardhour_billing.receivables import credit
from cardhour_billing.receivables.allocating import return_prepaid
from cardhour_billing.receivables.credit import prepaid_of
from cardhour_billing.receivables.credit_view import holdings
from cardhour_billing.receivables.standing import standing_of
from cardhour_contract.moment import parse_rfc3339
from tests.billing.books import ACME, ISSUER, PRICE, apply, clock_at, close, issued
from tests.billing.conftest import Store
from tests.billing.memory_ledger import MemoryLedger

AFTER = "2026-02-10T00:00:00Z"
CLOCK = clock_at(AFTER)
TODAY = date(2026, 2, 10)
TAX = '[[tax]]\ncategory = "standard"\nrate = "6"\nfrom = 2026-01-01T00:00:00Z\n'
TEN = PRICE.replace("1.616532", "10.00")
H100 = TEN.replace('"T4"', '"H100"').replace("10.00", "20.00")


@pytest.fixture
def acme(store: Store) -> Customer:
    apply(store.home, ISSUER + ACME + TEN + H100 + TAX)
    return Customer.objects.get(key="acme")


@pytest.fixture
def ledger(acme: Customer) -> MemoryLedger:
    """100.00 of T4 and 40.00 of H100 in January."""
    ledger = MemoryLedger()
    ledger.hold("k8s:acme", "T4", "2026-01-05T00:00:00Z", "2026-01-05T10:00:00Z")
    ledger.hold("k8s:acme", "H100", "2026-01-05T00:00:00Z", "2026-01-05T02:00:00Z", card="GPU-1")
    return ledger


def grant(customer: Customer, cents: int, **terms: str | int) -> CreditGrant:
    kept = credit.GrantTerms(
        reason=str(terms.get("reason", "launch offer")),
        category=str(terms.get("category", "everything")),
        model=str(terms.get("model", "")),
        priority=int(terms.get("priority", 100)),
        from_ms=parse_rfc3339(str(terms.get("from_", "2026-01-01T00:00:00Z"))),
        expires_at_ms=parse_rfc3339(str(terms["expires"])) if "expires" in terms else None,
    )
    return credit.grant(customer, Money(amount=cents, currency="USD"), kept, clock=CLOCK, who="tests")


def top_up(customer: Customer, cents: int) -> None:
    credit.top_up(customer, Money(amount=cents, currency="USD"), f"T-{cents}", clock=CLOCK, who="tests")


def document(ledger: MemoryLedger, *, issue: bool = False) -> InvoiceDocument:
    return close(ledger, "2026-01", AFTER, issue=issue, files=True).invoices[0].document


def lines(document: InvoiceDocument) -> list[tuple[str, str]]:
    return [(line.kind, line.amount) for line in document.lines]


def test_grants_come_before_tax_and_prepaid_after_it(acme: Customer, ledger: MemoryLedger) -> None:
    """140.00 less a grant of 40.00 is 100.00; tax 6.00; of 106.00 prepaid pays 50.00."""
    grant(acme, 4000)
    top_up(acme, 5000)
    issued_one = document(ledger, issue=True)
    assert lines(issued_one) == [("usage", "40.00"), ("usage", "100.00"), ("grant", "-40.00")]
    assert (issued_one.net, issued_one.tax[0].tax, issued_one.total) == ("100.00", "6.00", "106.00")
    assert (issued_one.prepaid, issued_one.due) == ("50.00", "56.00")
    assert issued_one.lines[-1].description == "Grant 赠金: launch offer"
    assert [str(each.balance) for each in holdings([acme])] == ["0.00", "0.00"]
    (invoice,) = issued()
    stands = standing_of(invoice, TODAY)
    assert (stands.state, str(stands.left)) == ("part-paid", "56.00")


def test_a_draft_shows_what_would_be_taken_and_takes_nothing(acme: Customer, ledger: MemoryLedger) -> None:
    grant(acme, 4000)
    top_up(acme, 5000)
    draft = document(ledger)
    assert (draft.total, draft.prepaid, draft.due) == ("106.00", "50.00", "56.00")
    assert not CreditEntry.objects.filter(kind__in=("use", "apply")).exists()


def test_a_grant_pays_only_what_it_is_for(acme: Customer, ledger: MemoryLedger) -> None:
    grant(acme, 9000, model="H100")
    grant(acme, 9000, category="lease")
    draft = document(ledger)
    assert lines(draft)[-1] == ("grant", "-40.00")
    assert draft.net == "100.00"


def test_grants_pay_by_priority_then_by_what_ends_first(acme: Customer, ledger: MemoryLedger) -> None:
    grant(acme, 3000, reason="last", priority=200)
    grant(acme, 12000, reason="second")
    grant(acme, 1000, reason="first", expires="2026-03-01T00:00:00Z")
    described = [(line.description, line.amount) for line in document(ledger).lines if line.kind == "grant"]
    assert described == [
        ("Grant 赠金: first", "-10.00"),
        ("Grant 赠金: second", "-120.00"),
        ("Grant 赠金: last", "-10.00"),
    ]


def test_a_grant_pays_for_months_in_which_it_holds(acme: Customer, ledger: MemoryLedger) -> None:
    grant(acme, 1000, expires="2026-01-02T00:00:00Z")
    grant(acme, 2000, from_="2026-02-01T00:00:00Z")
    assert document(ledger).net == "130.00"


def test_a_document_with_grants_verifies(acme: Customer, ledger: MemoryLedger) -> None:
    grant(acme, 4000)
    top_up(acme, 5000)
    document(ledger, issue=True)
    assert [found for check in verify(issued()[0], ledger) for found in check.findings] == []


def test_two_months_cannot_take_the_same_grant(acme: Customer, ledger: MemoryLedger) -> None:
    """Both drafts show it; whoever is issued first has it, and the other is computed again."""
    ledger.hold("k8s:acme", "T4", "2026-02-05T00:00:00Z", "2026-02-05T10:00:00Z")
    grant(acme, 10000)
    close(ledger, "2026-02", "2026-03-10T00:00:00Z")
    document(ledger, issue=True)
    (february,) = close(ledger, "2026-02", "2026-03-10T00:00:00Z", issue=True, files=True).invoices
    assert (february.document.net, february.document.number) == ("100.00", "EC-2026-0002")


def test_a_price_that_includes_its_tax_is_paid_as_it_stands(store: Store) -> None:
    apply(store.home, ISSUER + ACME + TEN + "includes_tax = true\n" + TAX)
    ledger = MemoryLedger()
    ledger.hold("k8s:acme", "T4", "2026-01-05T00:00:00Z", "2026-01-05T10:00:00Z")
    grant(Customer.objects.get(key="acme"), 4700)
    draft = document(ledger)
    assert (draft.lines[-1].amount, draft.net, draft.tax[0].tax, draft.total) == ("-47.00", "50.00", "3.00", "53.00")


def test_what_a_voided_invoice_took_comes_back(acme: Customer, ledger: MemoryLedger) -> None:
    grant(acme, 4000)
    top_up(acme, 5000)
    document(ledger, issue=True)
    invoice = Invoice.objects.get()
    with transaction.atomic():
        return_prepaid(invoice, "void", clock=CLOCK, who="tests")
    assert str(prepaid_of(acme, "USD")) == "50.00"
    assert [str(each.balance) for each in holdings([acme])] == ["50.00", "40.00"]
    assert str(standing_of(invoice, TODAY).left) == "106.00"


def test_the_frozen_document_keeps_what_was_paid_ahead(acme: Customer, ledger: MemoryLedger) -> None:
    top_up(acme, 20000)
    document(ledger, issue=True)
    top_up(acme, 1)
    (invoice,) = issued()
    frozen = decode(bytes(invoice.frozen))
    assert (frozen.prepaid, frozen.due) == ("148.40", "0.00")
    assert str(prepaid_of(acme, "USD")) == "51.61"


RULES = [(TaxRule(id=at, category="standard", rate_ppm=rate, from_ms=0),) for at, rate in enumerate((60_000, 130_000))]


@st.composite
def some_lines(draw: st.DrawFn) -> list[Charge]:
    return [
        Charge(
            kind=draw(st.sampled_from(["lease", "add-on", "adjustment"])),
            source=str(at),
            model=draw(st.sampled_from(["A100", "A800", "H100"])),
            description="",
            first_day=date(2026, 1, 1),
            last_day=date(2026, 1, 31),
            unit_price="",
            amount=Money(amount=draw(st.integers(-500, 500)), currency="USD"),
            taxes=draw(st.sampled_from(RULES)),
            includes_tax=draw(st.booleans()),
            inputs={},
        )
        for at in range(draw(st.integers(0, 6)))
    ]


allowances = st.lists(
    st.builds(
        Allowance,
        grant=st.integers(1, 10**9),
        category=st.sampled_from(["everything", "lease", "add-on"]),
        model=st.sampled_from(["", "A*", "H100"]),
        left=st.integers(0, 800),
    ),
    max_size=4,
    unique_by=lambda each: each.grant,
)


@given(allowances, some_lines())
def test_no_grant_pays_more_than_it_has_nor_a_group_more_than_it_costs(
    grants: list[Allowance], lines: list[Charge]
) -> None:
    taken = take(grants, lines)
    for allowance in grants:
        own = [each.amount for each in taken if each.grant == allowance.grant]
        assert 0 <= sum(own) <= allowance.left
        covered = sum(max(0, line.amount.amount) for line in lines if allowance.covers(line))
        assert sum(own) <= covered
    for group in {each.group for each in taken}:
        cost = sum(line.amount.amount for line in lines if (line.taxable.rules[0].key, line.taxable.included) == group)
        assert sum(each.amount for each in taken if each.group == group) <= cost
    for each in taken:
        inputs = {"left": each.left, "payable": each.payable, "currency": "USD"}
        assert recompute(inputs).amount == -each.amount < 0
