"""Money that comes in untidily: partial, short, too much, for several invoices, bounced, paid back."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from django.db import DatabaseError, connection, transaction

from cardhour_billing.models import Allocation, AuditLog, Customer, Invoice, Payment
from cardhour_billing.money import Money
from cardhour_billing.portal import listing
from cardhour_billing.receivables.allocating import Part, allocate, left_of, oldest_first, open_of, payers_of
from cardhour_billing.receivables.payments import Receipt, find_payment, record, refund, reverse
from cardhour_billing.receivables.standing import in_state, standing_of, with_standing
from cardhour_contract.errors import Refuse
from tests.billing.books import ACME, ISSUER, PRICE, apply, clock_at, issue, issued
from tests.billing.conftest import Prepare, Store
from tests.billing.in_process import Desk
from tests.billing.memory_ledger import MemoryLedger

CLOCK = clock_at("2026-04-10T00:00:00Z")
TODAY = date(2026, 4, 10)
PER_HOUR = PRICE.replace("1.616532", "10")


def three_months(home: Path) -> None:
    """Acme owes 100.00 for January (due 10 March), 50.00 for February (due 9 April), 20.00 for March (due 10 May)."""
    apply(home, ISSUER + ACME + ACME.replace("acme", "beta") + PER_HOUR)
    ledger = MemoryLedger()
    for month, hours in (("01", 10), ("02", 5), ("03", 2)):
        ledger.hold("k8s:acme", "T4", f"2026-{month}-05T00:00:00Z", f"2026-{month}-05T{hours:02}:00:00Z")
    ledger.hold("k8s:beta", "T4", "2026-01-05T00:00:00Z", "2026-01-05T03:00:00Z", card="GPU-9")
    for month, day in (("2026-01", "2026-02-08"), ("2026-02", "2026-03-10"), ("2026-03", "2026-04-10")):
        issue(ledger, month, f"{day}T00:00:00Z")


@pytest.fixture(scope="module")
def migrated(migrated: str, prepare: Prepare) -> str:
    return prepare(migrated, three_months)


@pytest.fixture
def invoices(store: Store) -> list[Invoice]:
    return issued()


def usd(text: str) -> Money:
    return Money(amount=int(text.replace(".", "")), currency="USD")


def received(
    amount: str, reference: str = "bank-1", fee: str = "0.00", write_off: str = "0.00", customer: str = "acme"
) -> Payment:
    receipt = Receipt(
        customer=Customer.objects.get(key=customer), amount=usd(amount), day=TODAY, reference=reference, fee=usd(fee),
        write_off=usd(write_off),
    )  # fmt: skip
    return record(receipt, write_off_max=5, clock=CLOCK, who="tests")


def use(source: Payment, *parts: tuple[Invoice, str]) -> None:
    wanted = [Part(invoice=invoice, amount=usd(amount)) for invoice, amount in parts]
    allocate(source, wanted, clock=CLOCK, who="tests")


def states(invoices: list[Invoice], today: date = TODAY) -> list[tuple[str, str]]:
    found = [standing_of(invoice, today) for invoice in invoices]
    return [(each.state, str(each.left)) for each in found]


def test_a_payment_that_is_exact_pays_its_invoice(invoices: list[Invoice]) -> None:
    payment = received("100.00")
    use(payment, (invoices[0], "100.00"))
    assert states(invoices) == [("paid", "0.00"), ("overdue", "50.00"), ("open", "20.00")]
    assert str(left_of(payment)) == "0.00"


def test_states_are_derived_from_the_day(invoices: list[Invoice]) -> None:
    use(received("30.00"), (invoices[1], "30.00"))
    assert states(invoices, date(2026, 3, 10)) == [("open", "100.00"), ("part-paid", "20.00"), ("open", "20.00")]
    assert states(invoices, date(2026, 3, 11))[0] == ("overdue", "100.00")
    assert states(invoices, date(2026, 4, 9))[1] == ("part-paid", "20.00")
    late = standing_of(invoices[1], date(2026, 4, 19))
    assert (late.state, late.days_overdue, str(late.settled)) == ("overdue", 10, "30.00")


def test_lists_find_each_state_as_it_is_derived(invoices: list[Invoice]) -> None:
    use(received("100.00"), (invoices[0], "100.00"))
    use(received("5.00", "bank-2"), (invoices[2], "5.00"))
    every = with_standing(Invoice.objects.all())
    for state in ("draft", "open", "part-paid", "paid", "overdue", "void"):
        found = {each.pk for each in in_state(every, state, TODAY)}
        assert found == {each.pk for each in every if standing_of(each, TODAY).state == state}, state


@pytest.mark.parametrize("named_max", [1, 500])
def test_a_search_finds_the_same_however_much_it_finds(
    invoices: list[Invoice], named_max: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Few are named in the next question, many are searched for again."""
    monkeypatch.setattr(listing, "NAMED_MAX", named_max)
    use(received("100.00"), (invoices[0], "100.00"))
    every = with_standing(Invoice.objects.all())
    late = listing.at_hand(listing.InvoiceFilter(text="ACME", state="overdue").apply(every, TODAY))
    assert {str(each) for each in late} == {"EC-2026-0002", "EC-2026-0003"}, "both are called Acme"
    (currency,) = listing.sums(late)
    assert (currency.issued_count, currency.issued_total, currency.draft_count) == (2, "80.00", 0)
    whole = listing.at_hand(listing.InvoiceFilter(text="acme").apply(every, TODAY))
    _, rows = listing.page_of(whole, 4, None)
    assert [each.period for each in rows] == ["2026-03", "2026-02", "2026-01", "2026-01"]


def test_one_payment_over_several_invoices_oldest_first(invoices: list[Invoice]) -> None:
    payment = received("130.00")
    parts = oldest_first(payment)
    assert [(part.invoice.period, str(part.amount)) for part in parts] == [("2026-01", "100.00"), ("2026-02", "30.00")]
    allocate(payment, parts, clock=CLOCK, who="tests")
    assert states(invoices) == [("paid", "0.00"), ("overdue", "20.00"), ("open", "20.00")]


def test_what_is_paid_too_much_stays_with_the_customer(invoices: list[Invoice]) -> None:
    payment = received("200.00")
    allocate(payment, oldest_first(payment), clock=CLOCK, who="tests")
    assert states(invoices) == [("paid", "0.00")] * 3
    assert str(left_of(payment)) == "30.00"
    refund(payment, usd("30.00"), day=TODAY, reference="out-1", note="", clock=CLOCK, who="tests")
    assert str(left_of(payment)) == "0.00"


def test_a_bank_fee_and_a_cent_that_is_let_go_settle_with_the_money(invoices: list[Invoice]) -> None:
    payment = received("84.60", fee="15.00", write_off="0.40")
    use(payment, (invoices[0], "100.00"))
    assert states(invoices)[0] == ("paid", "0.00")


def test_more_than_a_small_amount_is_not_written_off(invoices: list[Invoice]) -> None:
    with pytest.raises(Refuse, match=r"5\.01 USD is above write_off_max"):
        received("94.99", write_off="5.01")


@pytest.mark.parametrize(
    ("amount", "problem"),
    [("100.01", "100.00 USD of EC-2026-0001 is open"), ("150.01", "has 150.00 USD left"), ("0.00", "give an amount")],
)
def test_no_more_is_allocated_than_there_is(invoices: list[Invoice], amount: str, problem: str) -> None:
    with pytest.raises(Refuse, match=problem):
        use(received("150.00"), (invoices[0], amount))
    assert not Allocation.objects.exists()


def test_several_allocations_stand_or_fall_together(invoices: list[Invoice]) -> None:
    with pytest.raises(Refuse, match="is open"):
        use(received("150.00"), (invoices[0], "100.00"), (invoices[2], "20.01"))
    assert not Allocation.objects.exists()


def test_money_of_one_customer_pays_no_other(invoices: list[Invoice]) -> None:
    with pytest.raises(Refuse, match="is of beta"):
        use(received("30.00", customer="beta"), (invoices[0], "10.00"))


def test_an_allocation_is_moved_by_taking_it_back(invoices: list[Invoice]) -> None:
    payment = received("50.00")
    use(payment, (invoices[0], "50.00"))
    use(payment, (invoices[0], "-50.00"), (invoices[1], "50.00"))
    assert states(invoices) == [("overdue", "100.00"), ("paid", "0.00"), ("open", "20.00")]
    with pytest.raises(Refuse, match="pays nothing of"):
        use(payment, (invoices[0], "-1.00"))
    assert [(source.pk, str(amount)) for source, amount in payers_of(invoices[1])] == [(payment.pk, "50.00")]


def test_a_payment_that_bounces_leaves_its_invoices_open(invoices: list[Invoice]) -> None:
    payment = received("130.00")
    allocate(payment, oldest_first(payment), clock=CLOCK, who="tests")
    reverse(payment, day=TODAY, reason="returned", clock=CLOCK, who="tests")
    assert states(invoices) == [("overdue", "100.00"), ("overdue", "50.00"), ("open", "20.00")]
    assert str(left_of(payment)) == "0.00"
    assert Payment.objects.count() == 2
    with pytest.raises(Refuse, match="reversed already"):
        reverse(payment, day=TODAY, reason="again", clock=CLOCK, who="tests")
    assert AuditLog.objects.filter(action__startswith="payment.").values_list("action", flat=True).last() == (
        "payment.reverse"
    )


def test_a_reference_is_recorded_once(invoices: list[Invoice]) -> None:
    payment = received("10.00")
    with pytest.raises(Refuse, match=f"'bank-1' of acme is recorded already, as {payment.code}"):
        received("10.00")
    received("10.00", customer="beta")


def test_money_in_use_is_not_paid_back(invoices: list[Invoice]) -> None:
    payment = received("100.00")
    use(payment, (invoices[0], "90.00"))
    with pytest.raises(Refuse, match=r"10\.00 USD of P\d+ is not used"):
        refund(payment, usd("10.01"), day=TODAY, reference="out", note="", clock=CLOCK, who="tests")


def test_a_payment_is_found_by_its_code(invoices: list[Invoice]) -> None:
    payment = received("10.00")
    assert find_payment(payment.code) == find_payment(str(payment.pk)) == payment
    for code in ("P999", "EC-1", ""):
        with pytest.raises(Refuse, match="cardhour payment list"):
            find_payment(code)


def insert(table: str, **values: int | str | date | None) -> None:
    """Insert a row, as somebody with the database's own keys could."""
    with transaction.atomic(), connection.cursor() as cursor:
        names = ", ".join(values)
        marks = ", ".join(["%s"] * len(values))
        cursor.execute(f"INSERT INTO {table} ({names}) VALUES ({marks})", list(values.values()))


def test_the_database_refuses_what_the_code_does(invoices: list[Invoice]) -> None:
    payment, other = received("150.00"), received("40.00", customer="beta")
    use(payment, (invoices[0], "60.00"))
    base: dict[str, int | str | None] = {"payment_id": payment.pk, "invoice_id": invoices[0].pk, "at_ms": 0, "who": "x"}
    wrongs: tuple[dict[str, int | str | None], ...] = (
        {**base, "amount": 4_001},  # more than is open
        {**base, "invoice_id": invoices[1].pk, "amount": 5_001},
        {**base, "amount": -6_001},  # more than was allocated
        {**base, "payment_id": other.pk, "amount": 100},  # another customer's money
        {**base, "payment_id": None, "credit_id": invoices[1].pk, "amount": 100},  # no credit note
    )
    for wrong in wrongs:
        with pytest.raises(DatabaseError):
            insert("billing_allocation", **wrong)
    taken: dict[str, int | str | date] = {
        "customer_id": payment.customer_id, "reference": "x", "day": TODAY, "currency": "USD", "note": "",
        "recorded_at_ms": 0, "who": "x", "of_id": payment.pk, "write_off": 0, "fee": 0,
    }  # fmt: skip
    for kind, amount in (("refund", -9_001), ("reversal", -15_000)):
        with pytest.raises(DatabaseError):
            insert("billing_payment", **taken, kind=kind, amount=amount)
    for statement in ("DELETE FROM billing_allocation", "UPDATE billing_payment SET amount = amount + 1"):
        with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement)
    assert str(open_of(invoices[0])) == "40.00"


def test_a_clerk_records_a_transfer_over_two_invoices(invoices: list[Invoice], desk: Desk) -> None:
    first, second = (str(invoice.number) for invoice in invoices[:2])
    given = ("payment", "record", "acme", "119.60", "--reference", "wire 7", "--day", "2026-04-10", "--fee", "15")
    used = ("--write-off", "0.40", "--invoice", first, "--invoice", f"{second}=30")
    assert "5.00 USD of the payment stays unused" in desk.refusal(*given, *used, answer="n\n")
    assert not Payment.objects.exists()
    assert "Recorded as P" in desk.text(*given, *used, answer="y\n")
    (row,) = desk.rows("payment", "list", "--unallocated")
    code = row.pop("payment")
    assert row == {
        "customer": "acme", "day": "2026-04-10", "kind": "receipt", "reference": "wire 7", "currency": "USD",
        "amount": "119.60", "fee": "15.00", "write_off": "0.40", "left": "5.00", "of": None,
        "pays": {first: "100.00", second: "30.00"},
    }  # fmt: skip
    desk.text("payment", "allocate", code, f"{second}=-30", "--yes")
    desk.text("payment", "allocate", code, "--oldest", "--yes")
    assert desk.rows("payment", "list")[0]["pays"] == {first: "100.00", second: "35.00"}
    (listed,) = desk.rows("invoice", "list", "--state", "paid")
    assert (listed["number"], listed["open"]) == (first, "0.00")
    told = desk.text("payment", "reverse", code, "--day", "2026-04-12", "--reason", "returned by the bank", "--yes")
    assert f"open again: 100.00 of {first}, 35.00 of {second}" in told
    assert [each["kind"] for each in desk.rows("payment", "list")] == ["receipt", "reversal"]
    assert "reversed already" in desk.refusal(
        "payment", "reverse", code, "--day", "2026-04-12", "--reason", "again", "--yes"
    )


def test_a_clerk_pays_back_what_was_too_much(invoices: list[Invoice], desk: Desk) -> None:
    given = ("payment", "record", "acme", "200", "--reference", "wire 8", "--day", "2026-04-10", "--oldest", "--yes")
    (row,) = desk.rows(*given)
    assert row["left"] == "30.00"
    back = ("payment", "refund", row["payment"], "--reference", "out 1", "--day", "2026-04-11", "--yes")
    assert "cannot be paid back" in desk.refusal(*back, "30.01")
    (refunded,) = desk.rows(*back, "30")
    assert (refunded["kind"], refunded["amount"], refunded["of"]) == ("refund", "-30.00", row["payment"])


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("nobody", "1"), "no customer 'nobody'"),
        (("acme", "1.001"), "more decimals than USD"),
        (("acme", "1e3"), "not an amount"),
        (("acme", "-5"), "No such option"),
        (("acme", "1", "--currency", "EUR"), "is billed in USD"),
        (("acme", "1", "--invoice", "EC-9"), "no invoice 'EC-9'"),
        (("acme", "1", "--invoice", "EC-2026-0001=2"), "2.00 is more"),
        (("acme", "1", "--oldest", "--invoice", "EC-2026-0001"), "either --invoice or --oldest"),
    ],
)
def test_a_payment_that_makes_no_sense_is_refused(
    invoices: list[Invoice], desk: Desk, arguments: tuple[str, ...], problem: str
) -> None:
    fixed = ("--reference", "wire", "--day", "2026-04-10", "--yes")
    assert problem in desk.refusal("payment", "record", *arguments, *fixed)
    assert not Payment.objects.exists()
