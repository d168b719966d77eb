"""Customer credit: every entry balances, no account is overdrawn whoever draws, and nothing is entered twice."""

from __future__ import annotations

import pytest
from django.db import DatabaseError, connection, transaction

from cardhour_billing.models import AuditLog, CreditAccount, CreditEntry, CreditGrant, CreditMovement, Customer
from cardhour_billing.money import Money, read_amount
from cardhour_billing.receivables import credit
from cardhour_billing.receivables.credit import Account, GrantTerms, account_of, prepaid_of
from cardhour_billing.receivables.credit_view import bookings, holdings
from cardhour_contract.errors import Refuse
from cardhour_contract.moment import parse_rfc3339
from tests.billing.books import ACME, ISSUER, PRICE, apply, clock_at
from tests.billing.conftest import Prepare, Store
from tests.billing.in_process import Desk
from tests.billing.test_numbering import together

CLOCK = clock_at("2026-02-10T00:00:00Z")
FROM = parse_rfc3339("2026-01-01T00:00:00Z")


@pytest.fixture(scope="module")
def migrated(migrated: str, prepare: Prepare) -> str:
    return prepare(migrated, lambda home: apply(home, ISSUER + ACME + ACME.replace("acme", "beta") + PRICE))


@pytest.fixture
def acme(store: Store) -> Customer:
    return Customer.objects.get(key="acme")


def usd(text: str) -> Money:
    return read_amount(text, "USD")


def top_up(customer: Customer, amount: str, reference: str = "T-1") -> CreditEntry:
    return credit.top_up(customer, usd(amount), reference, clock=CLOCK, who="tests")


def granted(customer: Customer, amount: str, expires: str = "", priority: int = 100) -> CreditGrant:
    terms = GrantTerms(
        reason="welcome", from_ms=FROM, expires_at_ms=parse_rfc3339(expires) if expires else None, priority=priority
    )
    return credit.grant(customer, usd(amount), terms, clock=CLOCK, who="tests")


def test_a_top_up_is_owed_to_the_customer_and_came_from_cash(acme: Customer) -> None:
    top_up(acme, "100.50")
    assert str(prepaid_of(acme, "USD")) == "100.50"
    assert dict(CreditAccount.objects.values_list("kind", "balance")) == {"prepaid": 10050, "cash": -10050}
    assert AuditLog.objects.get(action="credit.top-up").detail["reference"] == "T-1"


def test_a_transfer_is_credited_once(acme: Customer) -> None:
    top_up(acme, "100")
    with pytest.raises(Refuse, match="'T-1' was entered already, for acme"):
        top_up(acme, "100")
    assert str(prepaid_of(acme, "USD")) == "100.00"


def test_prepaid_is_refundable_up_to_what_is_left(acme: Customer) -> None:
    top_up(acme, "100")
    granted(acme, "50")
    with pytest.raises(Refuse, match=r"acme has 100\.00 USD prepaid, so 100\.01 cannot be refunded"):
        credit.refund(acme, usd("100.01"), "B-1", clock=CLOCK, who="tests")
    credit.refund(acme, usd("100"), "B-1", clock=CLOCK, who="tests")
    assert str(prepaid_of(acme, "USD")) == "0.00"


@pytest.mark.parametrize("amount", ["0", "-5"])
def test_nothing_and_less_are_no_top_up(acme: Customer, amount: str) -> None:
    with pytest.raises(Refuse, match="above zero"):
        top_up(acme, amount)


def test_grants_are_spent_by_priority_then_what_ends_first(acme: Customer) -> None:
    forever, later, sooner = granted(acme, "1"), granted(acme, "1", "2027-01-01T00:00:00Z"), granted(
        acme, "1", "2026-06-01T00:00:00Z"
    )  # fmt: skip
    first = granted(acme, "1", priority=1)
    over = granted(acme, "1", "2026-01-02T00:00:00Z")
    live = credit.granted_in([acme], CLOCK.now_ms(), CLOCK.now_ms() + 1)
    assert [each.pk for each in live] == [first.pk, sooner.pk, later.pk, forever.pk]
    assert credit.expired(CLOCK.now_ms()) == []  # January may still be billed
    assert credit.expired(parse_rfc3339("2026-04-02T00:00:00Z")) == [over]


def test_what_is_left_of_a_grant_goes_back_when_its_time_is_over(acme: Customer) -> None:
    grant = granted(acme, "50", "2026-02-01T00:00:00Z")
    with transaction.atomic():
        credit.use_grants(acme, {grant.pk: usd("20")}, "EC-1", clock=CLOCK, who="tests")
    assert str(credit.expire(grant, clock=CLOCK, who="tests")) == "30.00"
    assert str(credit.expire(grant, clock=CLOCK, who="tests")) == "0.00"
    balances = dict(CreditAccount.objects.values_list("kind", "balance"))
    assert balances == {"grant": 0, "allowance": -2000, "spent": 2000}


def test_prepaid_pays_as_far_as_it_goes_and_a_voided_invoice_gives_all_back(acme: Customer) -> None:
    top_up(acme, "30")
    grant = granted(acme, "10")
    with transaction.atomic():
        credit.use_grants(acme, {grant.pk: usd("10")}, "EC-1", clock=CLOCK, who="tests")
        assert str(credit.apply_prepaid(acme, usd("100"), "EC-1", clock=CLOCK, who="tests")) == "30.00"
        assert str(credit.apply_prepaid(acme, usd("100"), "EC-2", clock=CLOCK, who="tests")) == "0.00"
    for _ in range(2):
        with transaction.atomic():
            credit.give_back(acme, "EC-1", "EC-1 void", clock=CLOCK, who="tests")
    assert [(each.entry.kind, str(each.amount), str(each.balance)) for each in bookings(acme)] == [
        ("top-up", "30.00", "30.00"),
        ("grant", "10.00", "10.00"),
        ("use", "-10.00", "0.00"),
        ("apply", "-30.00", "0.00"),
        ("release", "30.00", "30.00"),
        ("restore", "10.00", "10.00"),
    ]
    assert [str(each.balance) for each in holdings([acme])] == ["30.00", "10.00"]


def test_processes_that_draw_at_once_get_what_is_there_and_no_more(store: Store, acme: Customer) -> None:
    """Without the checks of the code: what refuses here is the store."""
    top_up(acme, "25")
    printed = together(store, *(["tests.billing.drawer_process", name, "15"] for name in "abc"))
    assert sum(int(each) for each in printed) == 25
    assert str(prepaid_of(acme, "USD")) == "0.00"
    assert CreditMovement.objects.count() == 26


def test_balances_of_an_entry_sum_to_zero(acme: Customer) -> None:
    top_up(acme, "25")
    granted(acme, "10")
    credit.refund(acme, usd("5"), "B-1", clock=CLOCK, who="tests")
    assert sum(CreditAccount.objects.values_list("balance", flat=True)) == 0


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE billing_creditaccount SET balance = balance + 1",
        "UPDATE billing_creditaccount SET currency = 'EUR'",
        "UPDATE billing_creditaccount SET kind = 'cash' WHERE kind = 'prepaid'",
        "DELETE FROM billing_creditaccount",
        "UPDATE billing_creditmovement SET amount = 1",
        "DELETE FROM billing_creditmovement",
        "UPDATE billing_creditentry SET who = 'nobody'",
        "DELETE FROM billing_creditentry",
        "UPDATE billing_creditgrant SET expires_at_ms = NULL",
        "DELETE FROM billing_creditgrant",
        "TRUNCATE billing_creditmovement",
    ],
)
def test_the_database_refuses_to_change_what_was_entered(acme: Customer, statement: str) -> None:
    top_up(acme, "25")
    granted(acme, "10", "2026-06-01T00:00:00Z")
    before = everything()
    with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)
    assert everything() == before


def everything() -> list[tuple[object, ...]]:
    tables = (CreditAccount, CreditEntry, CreditGrant, CreditMovement)
    return [row for table in tables for row in table.objects.order_by("pk").values_list()]


@pytest.mark.parametrize("amount", [-1, 0, 2501])
def test_the_database_refuses_a_movement_that_takes_too_much_or_nothing(acme: Customer, amount: int) -> None:
    entry = top_up(acme, "25")
    source, target = account_of(acme, "USD", Account.PREPAID), account_of(acme, "USD", Account.CLEARING)
    with pytest.raises(DatabaseError), transaction.atomic():
        CreditMovement.objects.create(entry=entry, source=source, target=target, amount=amount)
    assert str(prepaid_of(acme, "USD")) == "25.00"


def test_the_database_refuses_credit_that_goes_astray(acme: Customer) -> None:
    """To another customer, into another currency, from a grant to money, and by an entry of somebody else."""
    entry = top_up(acme, "25")
    grant = granted(acme, "10")
    beta = Customer.objects.get(key="beta")
    own, cash = account_of(acme, "USD", Account.PREPAID), account_of(acme, "USD", Account.CASH)
    others = account_of(beta, "USD", Account.PREPAID), account_of(acme, "EUR", Account.CLEARING)
    theirs = credit.top_up(beta, usd("5"), "T-2", clock=CLOCK, who="tests")
    astray = [(entry, own, other) for other in others]
    astray += [(entry, grant.account, cash), (entry, grant.account, own), (theirs, own, cash), (entry, own, own)]
    for of, source, target in astray:
        with pytest.raises(DatabaseError), transaction.atomic():
            CreditMovement.objects.create(entry=of, source=source, target=target, amount=100)
    assert (str(prepaid_of(acme, "USD")), str(prepaid_of(beta, "USD"))) == ("25.00", "5.00")


def test_credit_at_the_command_line(store: Store, acme: Customer, monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk(store, monkeypatch)
    asked = desk.text("credit", "top-up", "acme", "1000", "--reference", "T-1", answer="y\n")
    assert "Prepaid balance 0.00 USD, then 1,000.00 USD." in asked
    refused = desk.refusal("credit", "refund", "acme", "1000.001", "--reference", "B-1", "--yes")
    assert "more decimals than USD" in refused
    terms = ("--reason", "trial", "--category", "usage", "--model", "T4", "--expires", "2030-01-01T00:00:00Z")
    desk.text("credit", "grant", "acme", "50", *terms, "--yes")
    rows = desk.rows("credit", "balance")
    assert [(row["account"], row["balance"], row["pays_for"]) for row in rows] == [
        ("prepaid", "1000.00", None),
        ("grant 1", "50.00", "usage of T4"),
    ]
    assert "Expired 1 grants" in desk.text("credit", "expire", "1", "--yes")
    assert [(row["kind"], row["amount"]) for row in desk.rows("credit", "list", "acme")] == [
        ("top-up", "1000.00"), ("grant", "50.00"), ("expire", "-50.00"),
    ]  # fmt: skip
