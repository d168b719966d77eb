"""Credit notes: never more than was invoiced, tax as on the original, a series of their own; and voiding."""

from __future__ import annotations

import re
from datetime import date

import pytest
from django.db import DatabaseError, connection, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cardhour_billing.answers.verification import verify
from cardhour_billing.frozen.credit_line import CreditLine
from cardhour_billing.frozen.document import decode
from cardhour_billing.invoices.crediting import creditable, draft_credit, issue_credit, void
from cardhour_billing.models import AuditLog, Customer, Invoice, NumberSeries, Payment
from cardhour_billing.money import Money
from cardhour_billing.receivables.allocating import Part, allocate, left_of
from cardhour_billing.receivables.payments import Receipt, record
from cardhour_billing.receivables.standing import standing_of
from cardhour_contract.errors import Refuse
from tests.billing.books import ACME, ISSUER, PRICE, apply, clock_at, issue
from tests.billing.conftest import Store
from tests.billing.golden import assert_golden
from tests.billing.in_process import Desk
from tests.billing.memory_ledger import MemoryLedger

TAX = '[[tax]]\ncategory = "standard"\nrate = "6"\nfrom = 2026-01-01T00:00:00Z\n'
V100 = PRICE.replace("T4", "V100").replace("1.616532", "25")
CLOCK = clock_at("2026-02-12T00:00:00Z")
TODAY = date(2026, 2, 12)


@pytest.fixture
def ledger(store: Store) -> MemoryLedger:
    """Acme is billed 16.17 of T4 and 50.00 of V100 for January, and 3.97 of tax."""
    apply(store.home, ISSUER + ACME + PRICE + V100 + TAX)
    ledger = MemoryLedger()
    ledger.hold("k8s:acme", "T4", "2026-01-05T00:00:00Z", "2026-01-05T10:00:00Z")
    ledger.hold("k8s:acme", "V100", "2026-01-05T00:00:00Z", "2026-01-05T02:00:00Z", card="GPU-1")
    issue(ledger, "2026-01", "2026-02-10T00:00:00Z")
    return ledger


def billed() -> Invoice:
    """The invoice for January."""
    return Invoice.objects.get(number="EC-2026-0001")


def usd(minor: int) -> Money:
    return Money(amount=minor, currency="USD")


def give(*lines: tuple[int, int], reason: str = "goodwill") -> Invoice:
    """Draft and issue a credit note over lines, by position and minor units."""
    wanted = [CreditLine(position=at, amount=usd(minor)) for at, minor in lines]
    note = draft_credit(billed(), wanted, reason, clock=CLOCK, who="tests")
    return issue_credit(note, clock=CLOCK, who="tests")


def pay(minor: int, reference: str = "wire") -> Payment:
    receipt = Receipt(
        customer=Customer.objects.get(), amount=usd(minor), day=TODAY, reference=reference, fee=usd(0),
        write_off=usd(0),
    )  # fmt: skip
    payment = record(receipt, write_off_max=0, clock=CLOCK, who="tests")
    allocate(payment, [Part(invoice=billed(), amount=usd(minor))], clock=CLOCK, who="tests")
    return payment


def stands() -> tuple[str, str]:
    found = standing_of(billed(), TODAY)
    return found.state, str(found.left)


def test_a_credit_note_is_a_document_of_its_own_series_that_verifies(ledger: MemoryLedger) -> None:
    note = give((1, 1_000))
    document = decode(bytes(note.frozen))
    assert (document.kind, document.number, document.original, document.reason) == (
        "credit-note", "EC-CN-2026-0001", "EC-2026-0001", "goodwill",
    )  # fmt: skip
    (line,) = document.lines
    assert (line.kind, line.model, line.printed_quantity, line.unit_price, line.amount) == (
        "credit", "T4", "-1", "10.00", "-10.00",
    )  # fmt: skip
    assert line.description == "T4: credit of line 1 of EC-2026-0001 冲减 EC-2026-0001 第 1 行"
    assert (document.net, document.tax[0].tax, document.total) == ("-10.00", "-0.60", "-10.60")
    assert_golden(document, "credit_note")
    assert NumberSeries.objects.get(kind="credit-note").last == 1
    assert _differences(note, ledger) == []


def test_it_is_used_for_what_is_open_of_its_invoice(ledger: MemoryLedger) -> None:
    note = give((1, 1_000))
    assert stands() == ("part-paid", "59.54")
    assert (str(left_of(note)), standing_of(note, TODAY).state) == ("0.00", "paid")


def test_of_an_invoice_that_is_paid_the_credit_stays_with_the_customer(ledger: MemoryLedger) -> None:
    pay(7_014)
    note = give((1, 1_000))
    assert stands() == ("paid", "0.00")
    assert (str(left_of(note)), standing_of(note, TODAY).state) == ("10.60", "open")


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        ([(1, 1_618)], "16.17 USD is left of line 1 of EC-2026-0001: 16.18 cannot be credited"),
        ([(1, 0)], "0.00 cannot be credited"),
        ([(1, -100)], "-1.00 cannot be credited"),
        ([(3, 100)], "line 3 of EC-2026-0001 does not exist"),
        ([(1, 100), (1, 100)], "named twice"),
        ([], "needs a line"),
    ],
)
def test_no_more_is_credited_than_was_invoiced(
    ledger: MemoryLedger, lines: list[tuple[int, int]], problem: str
) -> None:
    with pytest.raises(Refuse, match=problem):
        give(*lines)
    assert not Invoice.objects.filter(kind="credit-note").exists()


def test_what_was_credited_before_counts(ledger: MemoryLedger) -> None:
    give((2, 3_000))
    with pytest.raises(Refuse, match=r"20\.00 USD is left of line 2"):
        give((2, 2_001), reason="correction")
    give((2, 2_000), reason="correction")
    with pytest.raises(Refuse, match=r"0\.00 USD is left"):
        give((2, 1))


def test_two_drafts_cannot_both_be_issued_over_the_same_money(ledger: MemoryLedger) -> None:
    """The draft was made when more was left: issuing checks again."""
    note = draft_credit(billed(), [CreditLine(position=1, amount=usd(1_617))], "goodwill", clock=CLOCK, who="tests")
    Invoice.objects.filter(pk=note.pk).update(original=None)  # a second draft beside it, as a race would leave
    give((1, 1_000))
    Invoice.objects.filter(pk=note.pk).update(original=billed())
    with pytest.raises(Refuse, match=r"6\.17 USD is left of line 1"):
        issue_credit(note, clock=CLOCK, who="tests")


def test_credits_in_thirds_give_back_exactly_the_tax_that_was_charged(ledger: MemoryLedger) -> None:
    """Each third of a line is rounded by itself; the last takes what is left of the tax."""
    for minor in (9, 9, 1_599):
        give((1, minor))
    for minor in (9, 9, 9, 4_973):
        give((2, minor))
    notes = Invoice.objects.filter(kind="credit-note")
    assert (sum(note.net for note in notes), sum(note.tax for note in notes)) == (-6_617, -397)
    assert stands() == ("paid", "0.00")
    assert all(not _differences(note, ledger) for note in notes)


def _differences(note: Invoice, ledger: MemoryLedger) -> list[str]:
    return [finding for check in verify(note, ledger) for finding in check.findings if "was never made" not in finding]


def test_tax_that_prices_include_is_given_back_to_the_cent(store: Store) -> None:
    """Three inclusive lines of 10.00 at 6 %: 28.30 net and 1.70 tax, and no cent is left after three credits."""
    included = "".join(
        PRICE.replace("T4", model).replace("1.616532", "10") + "includes_tax = true\n" for model in ("A", "B", "C")
    )
    apply(store.home, ISSUER + ACME + included + TAX)
    ledger = MemoryLedger()
    for model in ("A", "B", "C"):
        ledger.hold("k8s:acme", model, "2026-01-05T00:00:00Z", "2026-01-05T01:00:00Z", card=model)
    issue(ledger, "2026-01", "2026-02-10T00:00:00Z")
    for at in (1, 2, 3):
        give((at, 1_000))
    notes = Invoice.objects.filter(kind="credit-note")
    assert (sum(note.net for note in notes), sum(note.tax for note in notes)) == (-2_830, -170)
    for note in notes:
        assert sum(int(line.net.replace(".", "")) for line in decode(bytes(note.frozen)).lines) == note.net
    assert stands() == ("paid", "0.00")


def test_a_void_invoice_is_owed_by_nobody_and_frees_what_paid_it(ledger: MemoryLedger) -> None:
    payment = pay(5_000)
    note = void(billed(), clock=CLOCK, who="tests")
    assert (note.number, note.total, note.reason) == ("EC-CN-2026-0001", -7_014, "void")
    assert stands() == ("void", "0.00")
    assert (str(left_of(payment)), str(left_of(note))) == ("50.00", "0.00")
    with pytest.raises(Refuse, match="is void"):
        allocate(payment, [Part(invoice=billed(), amount=usd(1))], clock=CLOCK, who="tests")
    with pytest.raises(Refuse, match="is void"):
        void(billed(), clock=CLOCK, who="tests")
    assert AuditLog.objects.filter(action="credit-note.issue").get().detail["number"] == "EC-2026-0001"


def test_voiding_gives_back_only_what_is_left(ledger: MemoryLedger) -> None:
    give((1, 1_000))
    payment = pay(5_954)
    note = void(billed(), clock=CLOCK, who="tests")
    assert note.total == -5_954
    assert (stands(), str(left_of(payment)), str(left_of(note))) == (("void", "0.00"), "59.54", "0.00")


def test_a_negative_invoice_and_a_positive_credit_note_are_refused_by_the_database(ledger: MemoryLedger) -> None:
    note = draft_credit(billed(), [CreditLine(position=1, amount=usd(100))], "sla", clock=CLOCK, who="tests")
    for statement in (
        f"UPDATE billing_invoice SET state = 'issued', kind = 'invoice' WHERE id = {note.pk}",
        f"UPDATE billing_invoice SET state = 'issued', net = 1, tax = 0, total = 1 WHERE id = {note.pk}",
    ):
        with pytest.raises(DatabaseError, match="negative"), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_whatever_is_paid_and_credited_no_sum_exceeds_its_document(ledger: MemoryLedger, data: st.DataObject) -> None:
    """Random payments, credits and allocations: what is refused changes nothing, what is not keeps every limit."""
    with transaction.atomic():
        for step in range(data.draw(st.integers(1, 6))):
            try:
                if data.draw(st.booleans()):
                    pay(data.draw(st.integers(1, 8_000)), f"wire {step}")
                else:
                    give((data.draw(st.integers(1, 2)), data.draw(st.integers(1, 5_100))))
            except Refuse:
                continue
        invoice = billed()
        notes = list(invoice.credit_notes.all())
        allocated = sum(row.amount for row in invoice.allocations.all())
        assert 0 <= allocated <= invoice.total
        assert -sum(note.total for note in notes) <= invoice.total
        assert -sum(note.tax for note in notes) <= invoice.tax
        sources: list[Payment | Invoice] = [*Payment.objects.all(), *notes]
        assert all(left_of(source).amount >= 0 for source in sources)
        whole = creditable(invoice)
        assert all(whole.left(line).amount >= 0 for line in whole.document.lines)
        transaction.set_rollback(True)


def test_a_clerk_credits_a_disputed_line(ledger: MemoryLedger, desk: Desk) -> None:
    drafted = desk.text("credit-note", "draft", "EC-2026-0001", "--line", "2=20.50", "--reason", "correction")
    assert "20.50" in drafted
    assert "billed again with the next month" in desk.refusal("credit-note", "issue", "EC-2026-0001", answer="n\n")
    assert not Invoice.objects.filter(kind="credit-note", state="issued").exists()
    (row,) = desk.rows("credit-note", "issue", "EC-2026-0001", "--yes")
    assert {name: row[name] for name in ("original", "reason", "net", "tax", "total", "left")} == {
        "original": "EC-2026-0001", "reason": "correction", "net": "-20.50",
        "tax": "-1.23", "total": "-21.73", "left": "0.00",
    }  # fmt: skip
    number = row["number"]
    assert re.fullmatch(r"EC-CN-\d{4}-0001", number), "of the year in which this runs"
    assert [each["number"] for each in desk.rows("credit-note", "list")] == [number]
    assert "no draft of a credit note" in desk.refusal("credit-note", "issue", "EC-2026-0001", "--yes")
    assert "is no issued invoice" in desk.refusal("credit-note", "draft", number, "--all", "--reason", "sla")
    assert "has no line '9'" in desk.refusal("credit-note", "draft", "EC-2026-0001", "--line", "9", "--reason", "sla")


def test_a_clerk_voids_an_invoice(ledger: MemoryLedger, desk: Desk) -> None:
    give((1, 100))
    asked = desk.refusal("invoice", "void", "EC-2026-0001", answer="n\n")
    assert "69.08 USD is given back" in asked
    assert "EC-CN-2026-0001 (goodwill) goes with it" in asked
    (row,) = desk.rows("invoice", "void", "EC-2026-0001", "--yes")
    assert (row["invoice"], row["state"]) == ("EC-2026-0001", "void")
    # The first of the year in which this runs, or the second of the year of the one above.
    assert re.fullmatch(r"EC-CN-\d{4}-000[12]", row["credit_note"])
    assert [each["number"] for each in desk.rows("invoice", "list", "--state", "void")] == ["EC-2026-0001"]
