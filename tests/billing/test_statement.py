"""A statement of account: opening balance, charges, payments, closing balance; sent, then confirmed or disputed."""

from __future__ import annotations

import csv
import io
from datetime import date
from pathlib import Path

import pytest
from django.db import DatabaseError, connection, transaction
from msgspec.structs import replace

from cardhour_billing.models import AuditLog, Customer, Payment, Statement
from cardhour_billing.statements import csv as statement_csv
from cardhour_billing.statements import pdf as statement_pdf
from cardhour_billing.statements import statement
from cardhour_billing.statements.document import StatementDocument
from cardhour_billing.statements.sources import missing_months
from cardhour_contract.errors import Refuse
from tests.billing.books import apply, clock_at, close
from tests.billing.conftest import Store
from tests.billing.memory_ledger import MemoryLedger
from tests.billing.test_tax_invoices import CNY_ISSUER
from tests.portal import pdf_text

CLOCK = clock_at("2026-03-10T00:00:00Z")
FEBRUARY = date(2026, 2, 1), date(2026, 2, 28)
GOLDEN = Path(__file__).parent / "golden"


@pytest.fixture
def customer(store: Store) -> Customer:
    """January: 100 h of A100 = 2 284.00 + 6 %. February: 10 h of A100 and 7 h of T4 = 239.72 + 14.38. 2 000 paid."""
    apply(store.home, CNY_ISSUER)
    ledger = MemoryLedger()
    ledger.hold("k8s:qinghe", "A100", "2026-01-10T00:00:00Z", "2026-01-14T04:00:00Z")
    ledger.hold("k8s:qinghe", "A100", "2026-02-10T12:00:00Z", "2026-02-10T22:00:00Z")
    ledger.hold("k8s:qinghe", "T4", "2026-02-11T00:00:00Z", "2026-02-11T07:00:00Z", card="GPU-1")
    for month, at in (("2026-01", "2026-02-10T00:00:00Z"), ("2026-02", "2026-03-10T00:00:00Z")):
        close(ledger, month, at, issue=True)
    found = Customer.objects.select_related("issuer").get(key="qinghe")
    for day, amount, fee in (("2026-01-31", 42104, 0), ("2026-02-20", 199500, 500), ("2026-03-01", 10000, 0)):
        Payment.objects.create(
            customer=found, kind="receipt", reference=f"TRF {day}", day=date.fromisoformat(day), currency="CNY",
            amount=amount, fee=fee, recorded_at_ms=0, who="tests",
        )  # fmt: skip
    return found


def drawn(customer: Customer, span: tuple[date, date] = FEBRUARY) -> Statement:
    return statement.draw_up(customer, *span, clock=CLOCK, who="tests")


def said(customer: Customer, span: tuple[date, date] = FEBRUARY) -> StatementDocument:
    return statement.document_of(drawn(customer, span))


def test_opening_plus_charges_less_payments_is_closing(customer: Customer) -> None:
    """2 421.04 of January less 421.04 paid in January; 254.10 of February; 1 995.00 and a bank fee of 5.00 in it."""
    document = said(customer)
    assert (document.opening, document.charged, document.paid, document.closing) == (
        "2000.00", "254.10", "2000.00", "254.10",
    )  # fmt: skip
    assert [(line.position, line.name, line.amount) for line in document.lines] == [
        (1, "A100", "228.40"),
        (2, "T4", "11.32"),
        (3, "Tax 6% 税", "14.38"),
    ]
    assert [(each.day, each.amount) for each in document.payments] == [("2026-02-20", "2000.00")]


def test_statements_of_adjoining_months_meet(customer: Customer) -> None:
    january = said(customer, (date(2026, 1, 1), date(2026, 1, 31)))
    march = said(customer, (date(2026, 3, 1), date(2026, 3, 31)))
    assert january.closing == said(customer).opening
    assert march.opening == said(customer).closing
    assert (march.lines, march.closing) == ((), "154.10")


def test_usage_is_by_local_day_and_model(customer: Customer) -> None:
    uses = [(use.day, use.model, use.quantity_us // 3_600_000_000, use.amount) for use in said(customer).usage]
    assert uses == [
        ("2026-02-10", "A100", 4, "91.36"),
        ("2026-02-11", "A100", 6, "137.04"),
        ("2026-02-11", "T4", 7, "11.32"),
    ]


def test_a_draft_is_not_owed_and_is_named(store: Store, customer: Customer) -> None:
    ledger = MemoryLedger()
    ledger.hold("k8s:qinghe", "A100", "2026-03-10T00:00:00Z", "2026-03-10T01:00:00Z")
    close(ledger, "2026-03", "2026-04-10T00:00:00Z")
    march = date(2026, 3, 1), date(2026, 3, 31)
    assert said(customer, march).lines == ()
    assert missing_months(customer, *march) == ["2026-03"]


def test_a_statement_is_sent_then_confirmed(customer: Customer) -> None:
    made = drawn(customer)
    assert statement.state(made) == "draft"
    with pytest.raises(Refuse, match="only one that was sent is confirmed"):
        statement.confirm(made, "Ms Li", clock=CLOCK, who="tests")
    statement.mark_sent(made, "finance@qinghe.example", clock=CLOCK, who="tests")
    statement.confirm(made, "Ms Li", clock=CLOCK, who="tests")
    assert statement.state(made) == "confirmed"
    actions = list(AuditLog.objects.filter(action__startswith="statement.").values_list("action", flat=True))
    assert actions == ["statement.draw-up", "statement.sent", "statement.confirmed"]


def test_lines_are_disputed_with_a_reason_and_settled_later(customer: Customer) -> None:
    made = drawn(customer)
    statement.mark_sent(made, "finance@qinghe.example", clock=CLOCK, who="tests")
    statement.dispute(made, (2,), "we returned the T4 on the 10th", clock=CLOCK, who="tests")
    assert statement.state(made) == "disputed"
    assert [(event.line, event.note) for event in made.events.filter(kind="disputed")] == [
        (2, "we returned the T4 on the 10th")
    ]
    with pytest.raises(Refuse, match="has lines 1 to 3"):
        statement.dispute(made, (9,), "no", clock=CLOCK, who="tests")
    statement.confirm(made, "Ms Li", clock=CLOCK, who="tests")
    assert statement.state(made) == "confirmed"


def test_drawing_up_again_is_another_revision_and_the_first_stays(customer: Customer) -> None:
    first = drawn(customer)
    before = bytes(first.frozen)
    Payment.objects.create(
        customer=customer, kind="receipt", reference="late", day=date(2026, 2, 27), currency="CNY", amount=100,
        recorded_at_ms=0, who="tests",
    )  # fmt: skip
    second = drawn(customer)
    first.refresh_from_db()
    assert (first.revision, second.revision, second.closing - first.closing) == (1, 2, -100)
    assert bytes(first.frozen) == before


@pytest.mark.parametrize(
    ("span", "problem"),
    [
        ((date(2026, 2, 2), date(2026, 2, 1)), "has no day in it"),
        ((date(2026, 1, 1), date(2027, 12, 31)), "at most 400 days"),
    ],
)
def test_a_range_that_cannot_be_is_refused(customer: Customer, span: tuple[date, date], problem: str) -> None:
    with pytest.raises(Refuse, match=problem):
        drawn(customer, span)


@pytest.mark.parametrize("table", ["statement", "statementevent"])
def test_what_was_shown_never_changes(customer: Customer, table: str) -> None:
    statement.mark_sent(drawn(customer), "x", clock=CLOCK, who="tests")
    with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"DELETE FROM billing_{table}")


def test_the_csv_adds_up_in_a_spreadsheet(customer: Customer) -> None:
    content = statement_csv.render(said(customer))
    assert content == (GOLDEN / "statement.csv").read_bytes()
    rows = list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"))))
    sums = {kind: sum(round(float(row["amount"]) * 100) for row in rows if row["row"] == kind) for kind in
            ("opening", "charge", "payment", "closing")}  # fmt: skip
    assert sums["opening"] + sums["charge"] - sums["payment"] == sums["closing"] == 25410


def test_the_pdf_is_bilingual_and_is_no_fapiao(customer: Customer, tmp_path: Path) -> None:
    document = said(customer)
    file = tmp_path / "statement.pdf"
    file.write_bytes(statement_pdf.render(document))
    text = pdf_text.text_of(file)
    for printed in ("对账单 Statement of account", "期初余额", "2,000.00", "254.10 CNY", "−2,000.00", "TRF 2026-02-20",
                    "EC-2026-0002", "2026-02-11", "137.04", "确认本对账单无误"):  # fmt: skip
        assert printed in text
    assert text.count("合计 Sum") == 4  # charges, payments, usage by model and by day
    assert text.count("239.72") == 2  # 228.40 and 11.32, by model and by day
    assert text.count("17.0000") == 2  # 10 h and 7 h
    assert text.count("发票") == text.count("本对账单不是发票")
    assert statement_pdf.render(document) == file.read_bytes()
    odd = replace(document, payments=(replace(document.payments[0], reference="#panic() 🚀"),))
    assert b"%PDF" in statement_pdf.render(odd)[:8]
