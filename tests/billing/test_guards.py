"""What the databases themselves refuse, whoever asks: issued documents and facts never change."""

from __future__ import annotations

import pytest
from django.db import DatabaseError, connection, transaction

from cardhour_billing.models import AuditLog, Binding, Invoice, InvoiceLine, NumberSeries, Price, TaxRule
from tests.billing.books import ACME, ISSUER, PRICE, apply, close
from tests.billing.conftest import Store
from tests.billing.memory_ledger import MemoryLedger


@pytest.fixture
def invoice(store: Store) -> Invoice:
    """Issued, with one line."""
    tax = '[[tax]]\ncategory = "standard"\nrate = "6"\nfrom = 2026-01-01T00:00:00Z\n'
    apply(store.home, ISSUER + ACME + PRICE + tax)
    ledger = MemoryLedger()
    ledger.hold("k8s:acme", "T4", "2026-01-05T00:00:00Z", "2026-01-05T10:00:00Z")
    close(ledger, "2026-01", "2026-02-10T00:00:00Z", issue=True)
    return Invoice.objects.get()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE billing_invoice SET total = total + 1, net = net + 1",
        "UPDATE billing_invoice SET state = 'draft', number = NULL, sequence = NULL",
        "UPDATE billing_invoice SET frozen = NULL",
        "DELETE FROM billing_invoiceline",
        "DELETE FROM billing_invoice",
        "UPDATE billing_invoiceline SET amount = 0",
        "INSERT INTO billing_invoiceline (invoice_id, position, price_id, model, band, tier, tax_category, quantity_us,"
        " unit_nano, amount) SELECT invoice_id, 2, price_id, model, band, tier, tax_category, 1, 1, 1"
        " FROM billing_invoiceline",
        "UPDATE billing_price SET unit_nano = 1",
        "UPDATE billing_price SET includes_tax = NOT includes_tax",
        "UPDATE billing_taxrule SET rate_ppm = 1",
        "DELETE FROM billing_taxrule",
        "UPDATE billing_binding SET owner = 'k8s:other'",
        "DELETE FROM billing_auditlog",
        "UPDATE billing_auditlog SET who = 'nobody'",
        "UPDATE billing_numberseries SET last = 0",
        "UPDATE billing_numberseries SET last = last + 2",
        "DELETE FROM billing_numberseries",
    ],
)
def test_the_database_refuses(invoice: Invoice, statement: str) -> None:
    before = everything()
    with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)
    assert everything() == before


def everything() -> list[tuple[object, ...]]:
    """Every row of the guarded tables, with bytes that compare by content (psycopg gives memory views)."""
    rows = [
        *Invoice.objects.values_list(),
        *InvoiceLine.objects.values_list(),
        *NumberSeries.objects.values_list(),
        *Price.objects.values_list(),
        *Binding.objects.values_list(),
        *TaxRule.objects.values_list(),
        *AuditLog.objects.values_list(),
    ]
    return [tuple(bytes(cell) if isinstance(cell, memoryview) else cell for cell in row) for row in rows]


def test_tables_cannot_be_emptied_at_once(invoice: Invoice) -> None:
    if connection.vendor == "postgresql":  # SQLite has no TRUNCATE; its DELETE is refused above
        with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("TRUNCATE billing_invoice CASCADE")
    assert Invoice.objects.count() == 1


def test_a_draft_stays_free(store: Store) -> None:
    apply(store.home, ISSUER + ACME + PRICE)
    ledger = MemoryLedger()
    ledger.hold("k8s:acme", "T4", "2026-01-05T00:00:00Z", "2026-01-05T10:00:00Z")
    close(ledger, "2026-01", "2026-02-10T00:00:00Z")
    InvoiceLine.objects.update(amount=1)
    Invoice.objects.get().delete()
    assert not InvoiceLine.objects.exists()


def test_an_issued_invoice_must_have_its_number(invoice: Invoice) -> None:
    with pytest.raises(DatabaseError), transaction.atomic():
        Invoice.objects.create(
            issuer=invoice.issuer, customer=invoice.customer, period="2026-02", period_start_ms=0, period_end_ms=1,
            state="issued", currency="USD", net=0, total=0, frozen=b"", computed_at_ms=0,
        )  # fmt: skip


def test_a_second_invoice_for_the_same_month_is_refused(invoice: Invoice) -> None:
    with pytest.raises(DatabaseError), transaction.atomic():
        Invoice.objects.create(
            issuer=invoice.issuer, customer=invoice.customer, period="2026-01", period_start_ms=0, period_end_ms=1,
            currency="USD", net=0, total=0, frozen=b"", computed_at_ms=0,
        )  # fmt: skip
