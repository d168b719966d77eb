"""Lines that are not rated from usage, through the whole life of a document: drafted, issued, verified, shown."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from datetime import date
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from cardhour_billing.answers.explanation import Explainer
from cardhour_billing.answers.verification import verify
from cardhour_billing.charges import providers as charges
from cardhour_billing.charges.finding import noted
from cardhour_billing.charges.provider import Answer, Asked, Charges, ZoneMonth
from cardhour_billing.documents import invoice_csv, invoice_pdf
from cardhour_billing.frozen import charge_kinds
from cardhour_billing.frozen.document import decode
from cardhour_billing.models import Invoice, InvoiceLine
from cardhour_billing.money import Money
from cardhour_billing.rating.charge import Charge
from cardhour_contract.errors import InvariantBroken
from tests.billing.books import ACME, ISSUER, PRICE, apply, close, issued
from tests.billing.conftest import Store
from tests.billing.memory_ledger import MemoryLedger
from tests.billing.test_rendering import without_guards

AFTER = "2026-02-10T00:00:00Z"
TAXED = ISSUER + ACME + PRICE + '[[tax]]\ncategory = "standard"\nrate = "10"\nfrom = 2026-01-01T00:00:00Z\n'


def storage_fee(inputs: Mapping[str, Any]) -> Money:
    """So many units at so many cents."""
    return Money(amount=inputs["units"] * inputs["cents"], currency=inputs["currency"])


def provider(zone: ZoneMonth) -> Answer:
    def answer(asked: Asked) -> Charges:
        inputs = {"units": 3, "cents": 250, "currency": "USD"}
        rule = zone.taxes.find(asked.customer.key, "", zone.period.start_ms)
        fee = Charge(
            kind="commitment", source="add-on:storage:2026-01", description="Storage 存储", first_day=date(2026, 1, 1),
            last_day=date(2026, 1, 31), printed_quantity="3", unit="month", unit_price="2.50",
            amount=storage_fee(inputs), taxes=(rule,) if rule else (), inputs=inputs,
        )  # fmt: skip
        return Charges(charges=(fee,), warnings=(noted("moved"),))

    return answer


@pytest.fixture(autouse=True)
def storage(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(charges, "PROVIDERS", [provider])
    monkeypatch.setitem(charge_kinds.CHARGE_KINDS, "commitment", storage_fee)


def ten_hours() -> MemoryLedger:
    ledger = MemoryLedger()
    ledger.hold("k8s:acme", "T4", "2026-01-05T00:00:00Z", "2026-01-05T10:00:00Z")
    return ledger


def findings(invoice: Invoice, ledger: MemoryLedger) -> list[str]:
    return [found for check in verify(invoice, ledger) for found in check.findings]


def test_a_charge_stands_after_usage_and_is_taxed_with_it(store: Store) -> None:
    apply(store.home, TAXED)
    (closed,) = close(ten_hours(), "2026-01", AFTER).invoices
    usage, fee = closed.document.lines
    assert (usage.kind, usage.amount) == ("usage", "16.17")
    assert (fee.kind, fee.source, fee.amount, fee.unit, fee.position) == (
        "commitment", "add-on:storage:2026-01", "7.50", "month", 2,
    )  # fmt: skip
    assert (closed.document.net, closed.document.tax[0].tax, closed.document.total) == ("23.67", "2.37", "26.04")
    assert closed.warnings == (noted("moved"),)


def test_a_customer_without_usage_is_billed_its_charges(store: Store) -> None:
    apply(store.home, TAXED)
    ledger = MemoryLedger()
    (closed,) = close(ledger, "2026-01", AFTER, issue=True, files=True).invoices
    assert closed.document.total == "8.25"
    (invoice,) = issued()
    assert findings(invoice, ledger) == []


def test_an_issued_charge_is_verified_from_its_frozen_inputs(store: Store) -> None:
    apply(store.home, TAXED)
    ledger = ten_hours()
    close(ledger, "2026-01", AFTER, issue=True, files=True)
    (invoice,) = issued()
    assert findings(invoice, ledger) == []
    invoice.inputs = bytes(invoice.inputs).replace(b'"units":3', b'"units":4')
    assert "line 2, add-on:storage:2026-01: 10.00 when computed again, 7.50 when billed" in findings(invoice, ledger)
    invoice.inputs = bytes(invoice.inputs).replace(b'"units":4', b'"items":4')
    assert any("cannot be computed again" in found for found in findings(invoice, ledger))


def test_a_charge_is_explained_by_its_inputs(store: Store) -> None:
    apply(store.home, TAXED)
    ledger = ten_hours()
    close(ledger, "2026-01", AFTER, issue=True, files=True)
    (invoice,) = issued()
    assert Explainer(invoice, 1, ledger).charge is None
    explainer = Explainer(invoice, 2, ledger)
    assert explainer.charge
    assert explainer.inputs(explainer.charge) == (("cents", "250"), ("currency", "USD"), ("units", "3"))


def test_files_show_charges(store: Store) -> None:
    apply(store.home, TAXED)
    close(ten_hours(), "2026-01", AFTER, issue=True, files=True)
    document = decode(bytes(issued()[0].frozen))
    rows = list(csv.DictReader(io.StringIO(invoice_csv.render(document).decode("utf-8-sig"))))
    assert [(row["kind"], row["source"], row["quantity"], row["unit"]) for row in rows] == [
        ("usage", "", "10.0000", "card-hour"),
        ("commitment", "add-on:storage:2026-01", "3", "month"),
    ]
    assert invoice_pdf.render(document).startswith(b"%PDF")


def test_two_charges_of_one_source_are_a_fault_of_ours(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    apply(store.home, TAXED)
    monkeypatch.setattr(charges, "PROVIDERS", [provider, provider])
    with pytest.raises(InvariantBroken, match="one source"):
        close(ten_hours(), "2026-01", AFTER)


def test_the_store_takes_no_line_that_is_neither_usage_nor_charge(store: Store) -> None:
    apply(store.home, TAXED)
    close(ten_hours(), "2026-01", AFTER)
    draft = Invoice.objects.get()
    for wrong in ({"kind": "usage"}, {"kind": "lease"}, {"kind": "lease", "source": "add-on:storage:2026-01"}):
        with pytest.raises(IntegrityError), transaction.atomic():
            InvoiceLine.objects.create(invoice=draft, position=9, model="T4", quantity_us=0, amount=1, **wrong)


def test_lines_are_still_guarded_after_their_table_was_changed(store: Store) -> None:
    apply(store.home, TAXED)
    close(ten_hours(), "2026-01", AFTER, issue=True, files=True)
    with pytest.raises(IntegrityError, match="never changes"), transaction.atomic():
        InvoiceLine.objects.update(amount=1)
    without_guards("UPDATE billing_invoiceline SET amount = 1 WHERE kind = 'commitment'", "billing_invoiceline")
    (invoice,) = issued()
    assert any("line 2 is not the same" in found for found in findings(invoice, ten_hours()))
