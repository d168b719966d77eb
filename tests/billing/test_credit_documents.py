"""A real credit note in every document: XML, the cost export, what is left for a fapiao, the statement."""

from __future__ import annotations

import csv
import io
from datetime import date
from fractions import Fraction

import pytest

from cardhour_billing.documents.invoice_pdf import render
from cardhour_billing.documents.rendering import render_missing
from cardhour_billing.einvoice.checking import checked
from cardhour_billing.fapiao import requests as fapiao
from cardhour_billing.fapiao.requests import Item, Wanted
from cardhour_billing.focus.export import export
from cardhour_billing.frozen.credit_line import CreditLine
from cardhour_billing.frozen.document import decode
from cardhour_billing.invoices.crediting import draft_credit, issue_credit, void
from cardhour_billing.models import Invoice
from cardhour_billing.money import Money
from cardhour_billing.month import parse_month
from cardhour_billing.statements import statement
from cardhour_contract.errors import Refuse
from tests.billing.books import apply, clock_at, close, issued, on_sqlite
from tests.billing.conftest import Store
from tests.billing.memory_ledger import MemoryLedger
from tests.billing.test_tax_invoices import CASES, CNY_ISSUER

__all__ = ["on_sqlite"]

CLOCK = clock_at("2026-02-12T00:00:00Z")
ITEM = Item(name="*信息技术服务*算力服务", code="3040203000000000000")
COUNTRIES = CNY_ISSUER.replace('legal_name = "', 'country = "CN"\nlegal_name = "').replace(
    'id = "qinghe"', 'id = "qinghe"\ncountry = "CN"'
)


@pytest.fixture
def ledger(store: Store) -> MemoryLedger:
    """2 284.00 and 11.32 net at 6 %."""
    ledger = CASES["cny_6"][1]
    apply(store.home, COUNTRIES)
    close(ledger, "2026-01", "2026-02-10T00:00:00Z", issue=True, files=True)
    return ledger


def credited(reason: str) -> Invoice:
    """1 000.00 of line 1 given back, and 60.00 of tax."""
    wanted = [CreditLine(position=1, amount=Money(amount=100_000, currency="CNY"))]
    (invoice,) = issued("qinghe")
    note = issue_credit(draft_credit(invoice, wanted, reason, clock=CLOCK, who="tests"), clock=CLOCK, who="tests")
    render_missing(CLOCK, who="tests")
    return note


def test_the_xml_of_a_credit_note_passes_the_official_rules(ledger: MemoryLedger) -> None:
    note = credited("goodwill")
    assert dict(checked([str(note.number), "EC-2026-0001"], "", [])) == {str(note.number): [], "EC-2026-0001": []}
    assert render(decode(bytes(note.frozen))).startswith(b"%PDF")


@pytest.mark.parametrize(
    ("reason", "row"),
    [("goodwill", ("Credit", "", "-1000.00", "")), ("correction", ("Usage", "Correction", "-1000.00", "-1"))],
)
def test_the_month_of_the_cost_export_has_the_credit(ledger: MemoryLedger, reason: str, row: tuple[str, ...]) -> None:
    note = credited(reason)
    out = io.StringIO(newline="")
    assert export(out, parse_month("2026-01"), ledger)[0] == 2
    rows = [each for each in csv.DictReader(io.StringIO(out.getvalue())) if each["InvoiceId"] == note.number]
    names = ("ChargeCategory", "ChargeClass", "BilledCost", "PricingQuantity")
    assert tuple(rows[0][name] for name in names) == row
    assert sum(Fraction(each["BilledCost"]) for each in rows) == -1060


def test_what_was_given_back_is_not_asked_of_a_fapiao(ledger: MemoryLedger) -> None:
    note = credited("correction")
    planned = fapiao.plan([Wanted(number="EC-2026-0001")], ITEM)
    assert [each.amounts.gross for each in planned.asked] == [242_104 - 106_000, 1_200]
    assert planned.total.gross == issued("qinghe")[0].total + note.total


def test_a_void_invoice_has_no_fapiao(ledger: MemoryLedger) -> None:
    void(issued("qinghe")[0], clock=CLOCK, who="tests")
    with pytest.raises(Refuse, match="nothing is left"):
        fapiao.plan([Wanted(number="EC-2026-0001")], ITEM)


def test_a_credit_lowers_the_balance_of_the_month_that_it_credits(ledger: MemoryLedger) -> None:
    note = credited("sla")
    customer = note.customer
    made = statement.draw_up(customer, date(2026, 1, 1), date(2026, 1, 31), clock=CLOCK, who="tests")
    said = statement.document_of(made)
    assert said.closing == "1373.04"
    assert [line.amount for line in said.lines if line.document == note.number] == ["-1000.00", "-60.00"]
