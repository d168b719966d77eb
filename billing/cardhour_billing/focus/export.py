"""The FOCUS data set of a month: every issued document of it, row by row, as CSV.

Owns which documents are in it, and that nothing is written which breaks a rule or does not sum to its document. Reads
one document at a time, so that a month of any size fits.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from typing import IO

from cardhour_billing.document import InvoiceDocument
from cardhour_billing.focus.conformance import breaches
from cardhour_billing.focus.rows import OMITTED, Row, rows_of
from cardhour_billing.focus.shares import source_of
from cardhour_billing.focus.table import columns
from cardhour_billing.invoice_csv import guarded
from cardhour_billing.ledger import Ledger
from cardhour_billing.models import Invoice
from cardhour_billing.money import parse_amount, total
from cardhour_billing.month import Month
from cardhour_contract.errors import InvariantBroken

Told = Callable[[str, int, int], None]
"""Told what is done now, how many are done, and of how many."""


def export(
    out: IO[str],
    month: Month,
    ledger: Ledger,
    *,
    customer: str = "",
    version: str = "1.2",
    progress: Told | None = None,
) -> tuple[int, int]:
    """Write the rows of every document issued for ``month``; how many documents and rows there were."""
    table = columns(version)
    issued = Invoice.objects.filter(period=str(month), state=Invoice.State.ISSUED).order_by("customer__key", "pk")
    issued = issued.filter(customer__key=customer) if customer else issued
    documents = list(issued.values_list("pk", flat=True))
    writer = csv.DictWriter(out, [column.id for column in table if column.id not in OMITTED], extrasaction="ignore")
    writer.writeheader()
    written = 0
    for done, pk in enumerate(documents, start=1):
        invoice = Invoice.objects.get(pk=pk)
        source = source_of(invoice, ledger)
        for row in _summing(source.document, rows_of(source)):
            if problems := breaches(row, table):
                raise InvariantBroken(
                    f"{invoice.number} gives a row that is not FOCUS {version}: {'; '.join(problems)}"
                )
            writer.writerow({name: _cell(value) for name, value in row.items()})
            written += 1
        if progress:
            progress(f"focus: {invoice.number}", done, len(documents))
    return len(documents), written


def _summing(document: InvoiceDocument, rows: Iterator[Row]) -> Iterator[Row]:
    """The rows, and at their end proof that their billed costs are the document's total."""
    billed = total((), document.currency)
    for row in rows:
        billed = billed + parse_amount(row["BilledCost"] or "", document.currency)
        yield row
    if str(billed) != document.total:
        raise InvariantBroken(f"the rows of {document.number} come to {billed}, and the document to {document.total}")


def _cell(value: str | None) -> str:
    """Null is nothing. Words are guarded as in every CSV of ours; a negative figure is no formula."""
    if value is None or value.removeprefix("-").replace(".", "").isdigit():
        return value or ""
    return guarded(value)
