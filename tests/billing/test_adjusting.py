"""What comes to light after a month was closed: billed with the next one, once, against all that was billed before."""

from __future__ import annotations

import pytest

from cardhour_billing.answers.verification import verify
from cardhour_billing.charges.finding import joined
from cardhour_billing.config import BillingSettings
from cardhour_billing.frozen.credit_line import CreditLine
from cardhour_billing.frozen.document import DocumentLine, InvoiceDocument, decode
from cardhour_billing.invoices.crediting import draft_credit, issue_credit, void
from cardhour_billing.invoices.reissuing import reopen
from cardhour_billing.models import Invoice, MonthEntry
from cardhour_billing.money import Money
from cardhour_contract.errors import Refuse
from tests.billing.books import ACME, ISSUER, PRICE, apply, clock_at, close, issued
from tests.billing.conftest import Store
from tests.billing.golden import assert_golden
from tests.billing.memory_ledger import MemoryLedger

PER_HOUR = PRICE.replace("1.616532", "10")
TAX = '[[tax]]\ncategory = "standard"\nrate = "6"\nfrom = 2026-01-01T00:00:00Z\n'
IN_FEBRUARY, IN_MARCH, IN_APRIL = "2026-02-10T00:00:00Z", "2026-03-10T00:00:00Z", "2026-04-10T00:00:00Z"


@pytest.fixture
def ledger(store: Store) -> MemoryLedger:
    """Acme held a T4 at 10.00 for ten hours in January, which is issued, and for one hour in each month after it."""
    apply(store.home, ISSUER + ACME + PER_HOUR)
    ledger = MemoryLedger()
    hours(ledger, "2026-01-05", 10)
    for month in ("02", "03", "04"):
        hours(ledger, f"2026-{month}-05", 1)
    close(ledger, "2026-01", IN_FEBRUARY, issue=True, files=True)
    return ledger


def hours(ledger: MemoryLedger, day: str, count: int, owner: str = "k8s:acme", card: str = "GPU-0") -> None:
    ledger.hold(owner, "T4", f"{day}T00:00:00Z", f"{day}T{count:02}:00:00Z", card=card)


def bill(ledger: MemoryLedger, month: str, at: str, *, issue: bool = True) -> InvoiceDocument:
    (closed,) = close(ledger, month, at, issue=issue, files=True).invoices
    assert not closed.findings
    return closed.document


def adjusted(document: InvoiceDocument) -> list[tuple[str, str, str]]:
    """Month, quantity and amount of each line that is not this month's usage."""
    return [(_month(line), line.printed_quantity, line.amount) for line in document.lines if line.kind != "usage"]


def _month(line: DocumentLine) -> str:
    return f"{line.kind} {line.first_day[:7]}"


def credit(number: str, amount: str, reason: str, at: str = IN_FEBRUARY) -> Invoice:
    invoice = Invoice.objects.get(number=number)
    money = Money(amount=int(amount.replace(".", "")), currency=invoice.currency)
    clock = clock_at(at)
    note = draft_credit(invoice, [CreditLine(position=1, amount=money)], reason, clock=clock, who="tests")
    return issue_credit(note, clock=clock, who="tests")


def test_late_usage_is_billed_with_the_next_month_and_names_what_it_corrects(ledger: MemoryLedger) -> None:
    hours(ledger, "2026-01-20", 2)
    document = bill(ledger, "2026-02", IN_MARCH)
    (line,) = [line for line in document.lines if line.kind == "adjustment"]
    assert (line.amount, line.printed_quantity, line.unit, line.unit_price) == ("20.00", "1", "item", "20.00")
    assert line.description == (
        "T4: correction 更正 2026-01, EC-2026-0001: 10.0000 → 12.0000 card-hours 卡时, 100.00 → 120.00 USD"
    )
    assert (line.first_day, line.last_day, line.source[:19]) == ("2026-01-01", "2026-01-31", "adjustment:2026-01:")
    assert document.total == "30.00"
    assert [check.findings for check in verify(issued()[1], ledger) if not check.agrees] == []


def test_computed_again_nothing_is_left(ledger: MemoryLedger) -> None:
    hours(ledger, "2026-01-20", 2)
    assert adjusted(bill(ledger, "2026-02", IN_MARCH, issue=False)) == [("adjustment 2026-01", "1", "20.00")]
    assert adjusted(bill(ledger, "2026-02", IN_MARCH)) == [("adjustment 2026-01", "1", "20.00")]
    assert adjusted(bill(ledger, "2026-03", IN_APRIL)) == []
    hours(ledger, "2026-01-21", 1)
    hours(ledger, "2026-02-21", 3)
    assert adjusted(bill(ledger, "2026-04", "2026-05-10T00:00:00Z")) == [
        ("adjustment 2026-01", "1", "10.00"),
        ("adjustment 2026-02", "1", "30.00"),
    ]


def test_usage_that_was_none_is_given_back(ledger: MemoryLedger) -> None:
    ledger.held.pop(0)
    hours(ledger, "2026-01-05", 9)
    document = bill(ledger, "2026-02", IN_MARCH)
    assert adjusted(document) == [("adjustment 2026-01", "-1", "-10.00")]
    assert (document.kind, document.total) == ("invoice", "0.00")


def test_a_month_that_comes_to_less_than_nothing_is_a_credit_note(ledger: MemoryLedger) -> None:
    ledger.held.pop(0)
    hours(ledger, "2026-01-05", 7)
    document = bill(ledger, "2026-02", IN_MARCH)
    assert (document.kind, document.number, document.total) == ("credit-note", "EC-CN-2026-0001", "-20.00")
    assert bill(ledger, "2026-02", IN_MARCH) == document
    assert adjusted(bill(ledger, "2026-03", IN_APRIL)) == []
    assert [(each.number, each.total) for each in issued()] == [
        ("EC-2026-0001", 10_000), ("EC-CN-2026-0001", -2_000), ("EC-2026-0002", 1_000),
    ]  # fmt: skip
    assert [check.findings for check in verify(issued()[1], ledger) if not check.agrees] == []


def test_a_line_that_vanished_is_given_back_whole_under_the_tax_of_then(store: Store) -> None:
    apply(store.home, ISSUER + ACME + PER_HOUR + TAX)
    ledger = MemoryLedger()
    hours(ledger, "2026-01-05", 10)
    hours(ledger, "2026-02-05", 20)
    close(ledger, "2026-01", IN_FEBRUARY, issue=True, files=True)
    ledger.held.pop(0)
    document = bill(ledger, "2026-02", IN_MARCH)
    assert adjusted(document) == [("adjustment 2026-01", "-1", "-100.00")]
    assert [(row.net, row.tax) for row in document.tax] == [("100.00", "6.00")]


def test_a_price_whose_end_was_set_later_is_still_the_same_price(store: Store, ledger: MemoryLedger) -> None:
    end = "2026-02-01T00:00:00Z"
    apply(store.home, PER_HOUR + f"to = {end}\n" + PER_HOUR.replace("2026-01-01T00:00:00Z", end).replace('"10"', '"8"'))
    hours(ledger, "2026-01-20", 1)
    document = bill(ledger, "2026-02", IN_MARCH)
    assert adjusted(document) == [("adjustment 2026-01", "1", "10.00")]
    assert document.lines[0].amount == "8.00"


def test_usage_that_was_anothers_moves_from_one_customer_to_the_other(store: Store, ledger: MemoryLedger) -> None:
    moved = "2026-01-05T06:00:00Z"
    apply(
        store.home, ACME + f"to = {moved}\n" + ACME.replace("2026-01-01T00:00:00Z", moved).replace('"acme"', '"beta"')
    )
    close(ledger, "2026-01", IN_FEBRUARY, issue=True, files=True)  # beta's January, which nobody had closed
    found = {
        each.customer: each.document for each in close(ledger, "2026-02", IN_MARCH, issue=True, files=True).invoices
    }
    assert adjusted(found["acme"]) == [("adjustment 2026-01", "-1", "-40.00")]
    assert found["acme"].kind == "credit-note"
    assert [line.amount for line in decode(bytes(issued("beta")[0].frozen)).lines] == ["40.00"]


def test_a_goodwill_credit_leaves_what_was_billed_as_it_was(ledger: MemoryLedger) -> None:
    """Goodwill, then late usage: the gift stays a gift."""
    credit("EC-2026-0001", "30.00", "goodwill")
    assert adjusted(bill(ledger, "2026-02", IN_MARCH, issue=False)) == []
    hours(ledger, "2026-01-20", 2)
    document = bill(ledger, "2026-02", IN_MARCH)
    assert adjusted(document) == [("adjustment 2026-01", "1", "20.00")]
    assert_golden(document, "adjustment_after_goodwill")


def test_a_correction_and_what_it_anticipated_are_given_back_once(ledger: MemoryLedger) -> None:
    """Five hours are credited at once, and eight turn out to be wrong: three are left to give back."""
    credit("EC-2026-0001", "50.00", "correction")
    ledger.held.pop(0)
    hours(ledger, "2026-01-05", 2)
    document = bill(ledger, "2026-02", IN_MARCH)
    assert adjusted(document) == [("adjustment 2026-01", "-1", "-30.00")]
    assert_golden(document, "adjustment_after_correction")
    assert adjusted(bill(ledger, "2026-03", IN_APRIL)) == []


def test_a_correction_of_usage_that_stands_is_billed_again(ledger: MemoryLedger) -> None:
    credit("EC-2026-0001", "50.00", "correction")
    assert adjusted(bill(ledger, "2026-02", IN_MARCH)) == [("adjustment 2026-01", "1", "50.00")]


def test_a_correction_of_an_adjustment_counts_for_the_month_it_corrected(ledger: MemoryLedger) -> None:
    hours(ledger, "2026-01-20", 2)
    bill(ledger, "2026-02", IN_MARCH)
    note = draft_credit(
        issued()[1], [CreditLine(position=2, amount=Money(amount=2_000, currency="USD"))], "correction",
        clock=clock_at(IN_MARCH), who="tests",
    )  # fmt: skip
    issue_credit(note, clock=clock_at(IN_MARCH), who="tests")
    ledger.held.pop()
    assert adjusted(bill(ledger, "2026-03", IN_APRIL)) == []


def test_a_void_invoice_is_issued_again_and_late_usage_counts_from_the_new_one(ledger: MemoryLedger) -> None:
    void(issued()[0], clock=clock_at(IN_FEBRUARY), who="tests")
    hours(ledger, "2026-01-20", 1)
    assert adjusted(bill(ledger, "2026-02", IN_MARCH, issue=False)) == []  # nothing is billed of a void month
    reopen(Invoice.objects.get(number="EC-2026-0001"), clock=clock_at(IN_FEBRUARY), who="tests")
    again = bill(ledger, "2026-01", IN_FEBRUARY)
    assert (again.number, again.total) == ("EC-2026-0002", "110.00")
    hours(ledger, "2026-01-21", 2)
    document = bill(ledger, "2026-02", IN_MARCH)
    assert adjusted(document) == [("adjustment 2026-01", "1", "20.00")]
    assert_golden(document, "adjustment_after_reissue")


def test_months_further_back_than_the_setting_stay_as_they_are(ledger: MemoryLedger) -> None:
    bill(ledger, "2026-02", IN_MARCH)
    bill(ledger, "2026-03", IN_APRIL)
    hours(ledger, "2026-05-05", 1)
    bill(ledger, "2026-04", "2026-05-10T00:00:00Z")
    hours(ledger, "2026-01-20", 2)
    hours(ledger, "2026-02-20", 1)
    document = bill(ledger, "2026-05", "2026-06-10T00:00:00Z")
    assert adjusted(document) == [("adjustment 2026-02", "1", "10.00")]


def test_a_month_that_was_empty_is_billed_with_the_next(store: Store) -> None:
    apply(store.home, ISSUER + ACME + PER_HOUR)
    ledger = MemoryLedger()
    assert close(ledger, "2026-01", IN_FEBRUARY, issue=True, files=True).without_usage == ("acme",)
    assert [(each.kind, each.period) for each in MonthEntry.objects.all()] == [("empty", "2026-01")]
    hours(ledger, "2026-01-20", 2)
    hours(ledger, "2026-02-05", 1)
    assert adjusted(bill(ledger, "2026-02", IN_MARCH)) == [("adjustment 2026-01", "1", "20.00")]
    assert close(ledger, "2026-01", IN_FEBRUARY, issue=True, files=True).invoices == ()  # and not once more


def test_an_empty_month_gets_its_invoice_after_all_while_no_later_one_has_billed_it(store: Store) -> None:
    apply(store.home, ISSUER + ACME + PER_HOUR)
    ledger = MemoryLedger()
    close(ledger, "2026-01", IN_FEBRUARY, issue=True, files=True)
    hours(ledger, "2026-01-20", 2)
    assert bill(ledger, "2026-01", IN_FEBRUARY).total == "20.00"
    hours(ledger, "2026-02-05", 1)
    assert adjusted(bill(ledger, "2026-02", IN_MARCH)) == []


def test_a_month_below_the_smallest_invoice_is_carried_forward_line_by_line(store: Store) -> None:
    apply(store.home, ISSUER + ACME + PER_HOUR + TAX)
    ledger = MemoryLedger()
    small = BillingSettings(minimum_invoice=50)
    hours(ledger, "2026-01-05", 2)
    hours(ledger, "2026-02-05", 1)
    hours(ledger, "2026-03-05", 3)
    (draft,) = close(ledger, "2026-01", IN_FEBRUARY, settings=small).invoices
    assert joined(draft.warnings) == "below the smallest invoice of 50.00 USD: carried forward"
    report = close(ledger, "2026-01", IN_FEBRUARY, issue=True, files=True, settings=small)
    assert (report.invoices, report.without_usage) == ((), ())
    assert {key: str(total) for key, total in report.carried.items()} == {"acme": "21.20"}
    assert not Invoice.objects.exists()
    hours(ledger, "2026-01-20", 1)  # comes to light while it is carried
    assert close(ledger, "2026-02", IN_MARCH, issue=True, files=True, settings=small).carried
    (closed,) = close(ledger, "2026-03", IN_APRIL, issue=True, files=True, settings=small).invoices
    assert adjusted(closed.document) == [("carried 2026-01", "1", "30.00"), ("carried 2026-02", "1", "10.00")]
    assert closed.document.lines[1].description == "T4: carried forward from 2026-01 上期结转, 3.0000 card-hours 卡时"
    assert (closed.document.net, closed.document.total) == ("70.00", "74.20")
    assert_golden(closed.document, "carried")
    hours(ledger, "2026-01-21", 1)
    hours(ledger, "2026-04-05", 8)
    (closed,) = close(ledger, "2026-04", "2026-05-10T00:00:00Z", issue=True, files=True, settings=small).invoices
    assert adjusted(closed.document) == [("adjustment 2026-01", "1", "10.00")]


def test_a_customer_may_have_a_smallest_invoice_of_its_own(store: Store) -> None:
    """Everybody's is 50: acme's is 5.50, so that only a month of 5 is carried; 0 carries nothing."""
    own = ACME.replace('name = "Acme Ltd"', 'name = "Acme Ltd"\nminimum_invoice = "5.50"')
    beta = ACME.replace("acme", "beta").replace('name = "Acme Ltd"', 'name = "Beta"\nminimum_invoice = "0"')
    gamma = ACME.replace("acme", "gamma")
    apply(store.home, ISSUER + own + beta + gamma + PRICE.replace("1.616532", "1"))
    ledger = MemoryLedger()
    for at, customer in enumerate(("acme", "beta", "gamma")):
        hours(ledger, "2026-01-05", 5, owner=f"k8s:{customer}", card=f"GPU-{at}")
        hours(ledger, "2026-02-05", 6, owner=f"k8s:{customer}", card=f"GPU-{at}")
    everybody = BillingSettings(minimum_invoice=50)
    drafts = close(ledger, "2026-01", IN_FEBRUARY, settings=everybody).invoices
    assert {each.customer: joined(each.warnings) for each in drafts} == {
        "acme": "below the smallest invoice of 5.50 USD: carried forward",
        "beta": "",
        "gamma": "below the smallest invoice of 50.00 USD: carried forward",
    }
    first = close(ledger, "2026-01", IN_FEBRUARY, issue=True, settings=everybody)
    assert ([each.customer for each in first.invoices], sorted(first.carried)) == (["beta"], ["acme", "gamma"])
    then = close(ledger, "2026-02", IN_MARCH, issue=True, settings=everybody, files=True)
    assert {each.customer: each.document.total for each in then.invoices} == {"acme": "11.00", "beta": "6.00"}
    assert [check.findings for check in verify(issued()[0], ledger) if not check.agrees] == []
    with pytest.raises(Refuse, match=r"minimum_invoice: '5\.505' has more decimals than USD"):
        apply(store.home, own.replace("5.50", "5.505"))
    with pytest.raises(Refuse, match="minimum_invoice: -1 is below 0"):
        apply(store.home, own.replace("5.50", "-1"))


def test_a_late_model_without_a_price_keeps_the_next_month_from_being_issued(ledger: MemoryLedger) -> None:
    ledger.hold("k8s:acme", "H100", "2026-01-07T00:00:00Z", "2026-01-07T02:00:00Z", card="GPU-2")
    (blocked,) = close(ledger, "2026-02", IN_MARCH, issue=True, files=True).blocked
    assert joined(blocked.findings) == "2026-01: 2.00 card-hours of H100 have no price in USD"


def test_frozen_documents_read_back(ledger: MemoryLedger) -> None:
    hours(ledger, "2026-01-20", 2)
    bill(ledger, "2026-02", IN_MARCH)
    assert [decode(bytes(each.frozen)).kind for each in issued()] == ["invoice", "invoice"]
