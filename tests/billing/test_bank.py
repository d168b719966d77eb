"""From a bank's statement to paid invoices: nothing kept twice, nothing applied that is not sure, unless told."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from django.db import DatabaseError, connection, transaction

from cardhour_billing.bank.match import OpenInvoice, Payers, folded, suggest
from cardhour_billing.models import BankLine, BankUse, Payment
from cardhour_billing.money import Money, read_amount
from tests.billing.books import ACME, ISSUER, PRICE, apply, close
from tests.billing.conftest import Store
from tests.billing.in_process import Desk
from tests.billing.memory_ledger import MemoryLedger

HEAD = "date,amount,payer,reference\n"
PAID = HEAD + "2026-02-20,100.00,ACME LTD.,Invoice ec 2026/0001\n"
TEN = PRICE.replace("1.616532", "10.00")
BETA = ACME.replace("acme", "beta").replace("Acme Ltd", "Beta Ltd")


@pytest.fixture
def desk(store: Store, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """EC-2026-0001 of acme over 100.00, EC-2026-0002 of beta over 50.00."""
    apply(store.home, ISSUER + ACME + BETA + TEN)
    ledger = MemoryLedger()
    ledger.hold("k8s:acme", "T4", "2026-01-05T00:00:00Z", "2026-01-05T10:00:00Z")
    ledger.hold("k8s:beta", "T4", "2026-01-05T00:00:00Z", "2026-01-05T05:00:00Z", card="GPU-1")
    close(ledger, "2026-01", "2026-02-10T00:00:00Z", issue=True)
    return Desk(store, monkeypatch)


def imported(desk: Desk, tmp_path: Path, text: str) -> str:
    (tmp_path / "statement.csv").write_text(text)
    return desk.text("bank", "import", str(tmp_path / "statement.csv"), "--yes")


def states(desk: Desk) -> dict[str, str]:
    return {row["number"]: row["state"] for row in desk.rows("invoice", "list")}


def test_the_same_statement_twice_adds_nothing_and_equal_lines_are_two(desk: Desk, tmp_path: Path) -> None:
    twice = HEAD + 2 * "2026-02-20,10.00,Acme Ltd,rent\n"
    assert "Kept 2 lines" in imported(desk, tmp_path, twice)
    assert "0 new lines; 2 are kept already" in imported(desk, tmp_path, twice)
    assert "1 new lines; 2 are kept already" in imported(desk, tmp_path, twice + "2026-02-20,10.00,Acme Ltd,rent\n")
    assert "0 new lines; 1 are kept already" in imported(desk, tmp_path, HEAD + "2026-02-20,10.00,Acme Ltd,rent\n")
    assert BankLine.objects.count() == 3


def test_a_named_invoice_paid_to_the_cent_is_certain_and_applied(desk: Desk, tmp_path: Path) -> None:
    imported(desk, tmp_path, PAID)
    (row,) = desk.rows("bank", "match", "--dry-run")
    assert (row["confidence"], row["customer"], row["pays"]) == ("certain", "acme", "EC-2026-0001: 100.00")
    assert not Payment.objects.exists()
    assert "B1: P1" in desk.text("bank", "match", "--yes")
    assert states(desk)["EC-2026-0001"] == "paid"
    assert [row["used_for"] for row in desk.rows("bank", "list")] == ["P1"]
    assert desk.rows("bank", "match") == []


def test_what_is_not_certain_waits_until_somebody_says_so(desk: Desk, tmp_path: Path) -> None:
    imported(desk, tmp_path, HEAD + "2026-02-20,50.00,BETA LTD,\n")
    desk.text("bank", "match", "--yes")
    assert not Payment.objects.exists()
    desk.text("bank", "match", "--confidence", "likely", "--yes")
    assert states(desk)["EC-2026-0002"] == "paid"


def test_a_person_may_say_what_a_line_pays(desk: Desk, tmp_path: Path) -> None:
    imported(desk, tmp_path, HEAD + "2026-02-20,120.00,somebody,\n2026-02-21,7.00,the bank,interest\n")
    desk.text("bank", "match", "B1", "--to", "EC-2026-0001", "--yes")
    assert states(desk)["EC-2026-0001"] == "paid"
    assert [(row["payment"], row["left"]) for row in desk.rows("payment", "list")] == [("P1", "20.00")]
    assert "used already" in desk.refusal("bank", "match", "B1", "--to", "EC-2026-0002", "--yes")
    desk.text("bank", "set-aside", "B2", "--note", "interest")
    assert desk.rows("bank", "list", "--open") == []


def test_a_line_pays_invoices_of_one_customer(desk: Desk, tmp_path: Path) -> None:
    imported(desk, tmp_path, HEAD + "2026-02-22,140.00,somebody,\n")
    both = ("--to", "EC-2026-0001", "--to", "EC-2026-0002")
    assert "several customers" in desk.refusal("bank", "match", "B1", *both, "--yes")
    assert "neither an invoice's number" in desk.refusal("bank", "match", "B1", "--to", "nobody", "--yes")
    assert not Payment.objects.exists()


def test_whoever_paid_once_is_known_by_name(desk: Desk, tmp_path: Path) -> None:
    imported(desk, tmp_path, HEAD + "2026-02-20,60.00,Holding X,\n2026-02-21,40.00,HOLDING-X,\n")
    desk.text("bank", "match", "B1", "--to", "EC-2026-0001", "--yes")
    (row,) = desk.rows("bank", "match", "--dry-run")
    assert (row["confidence"], row["customer"], row["pays"]) == ("likely", "acme", "EC-2026-0001: 40.00")


def test_money_of_a_customer_who_pays_ahead_tops_up(store: Store, desk: Desk, tmp_path: Path) -> None:
    apply(store.home, ACME.replace("acme", "gamma").replace('name = "Acme Ltd"', 'name = "Gamma"\nprepaid = true'))
    imported(desk, tmp_path, HEAD + "2026-02-20,500.00,Gamma,\n")
    desk.text("bank", "match", "--confidence", "likely", "--yes")
    assert [(row["account"], row["balance"]) for row in desk.rows("credit", "balance", "gamma")] == [
        ("prepaid", "500.00")
    ]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE billing_bankline SET amount = 1",
        "DELETE FROM billing_bankline",
        "UPDATE billing_bankuse SET note = 'x'",
        "DELETE FROM billing_bankuse",
    ],
)
def test_the_database_refuses_to_change_what_the_bank_said(desk: Desk, tmp_path: Path, statement: str) -> None:
    imported(desk, tmp_path, PAID)
    desk.text("bank", "match", "--yes")
    with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)
    assert BankUse.objects.count() == 1


def usd(text: str) -> Money:
    return read_amount(text, "USD")


OPEN = [
    OpenInvoice(number="EC-2026-0001", customer="acme", open=usd("100"), due=date(2026, 3, 1)),
    OpenInvoice(number="EC-2026-0012", customer="acme", open=usd("70"), due=date(2026, 2, 1)),
    OpenInvoice(number="EC-2026-0013", customer="beta", open=usd("70"), due=date(2026, 2, 1)),
]
PAYERS = Payers(
    customers={
        folded("Acme Ltd"): frozenset({"acme"}),
        folded("清禾智能"): frozenset({"acme"}),
        folded("Beta (Hong Kong)"): frozenset({"beta"}),
    }
)


@pytest.mark.parametrize(
    ("amount", "payer", "reference", "expected"),
    [
        ("100", "", "EC-2026-0001", ("certain", "acme", [("EC-2026-0001", "100.00")])),
        ("170", "", "ec20260012 + EC 2026 0001", ("certain", "acme", [("EC-2026-0012", "70.00"),
                                                                     ("EC-2026-0001", "100.00")])),
        ("99", "", "EC-2026-0001 less fee", ("likely", "acme", [("EC-2026-0001", "99.00")])),
        ("110", "", "EC-2026-0001", ("likely", "acme", [("EC-2026-0001", "100.00")])),
        ("100", "", "EC-2026-00011", ("possible", "acme", [("EC-2026-0001", "100.00")])),
        ("70", "", "XEC-2026-0012", ("none", "", [])),
        ("170", "", "EC-2026-0001, EC-2026-0013", ("none", "", [])),
        ("100", "Beta Hong Kong", "EC-2026-0001", ("possible", "acme", [("EC-2026-0001", "100.00")])),
        ("70", "ＡＣＭＥ ＬＴＤ．", "", ("likely", "acme", [("EC-2026-0012", "70.00")])),
        ("170", "清禾 智能", "", ("likely", "acme", [("EC-2026-0012", "70.00"), ("EC-2026-0001", "100.00")])),
        ("80", "acme ltd", "", ("possible", "acme", [("EC-2026-0012", "70.00"), ("EC-2026-0001", "10.00")])),
        ("70", "nobody", "", ("none", "", [])),
    ],
)  # fmt: skip
def test_how_sure_a_suggestion_is(
    amount: str, payer: str, reference: str, expected: tuple[str, str, list[tuple[str, str]]]
) -> None:
    found = suggest(usd(amount), payer, reference, OPEN, PAYERS)
    assert (found.confidence, found.customer, [(number, str(part)) for number, part in found.parts]) == expected


def test_another_currency_pays_nothing(desk: Desk) -> None:
    assert suggest(read_amount("100", "EUR"), "", "EC-2026-0001", OPEN, PAYERS).confidence == "none"
