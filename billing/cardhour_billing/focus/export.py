"""The FOCUS data set of a month: every issued document of it, row by row, as CSV.

Owns which documents are in it, and that nothing is written which breaks a rule or does not sum to its document. Reads
one document at a time, so that a month of any size fits.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Iterator
from typing import IO, NamedTuple

from cardhour_billing.focus.conformance import breaches
from cardhour_billing.focus.rows import OMITTED, Row, rows_of
from cardhour_billing.focus.shares import source_of
from cardhour_billing.focus.table import columns
from cardhour_billing.frozen.document import InvoiceDocument
from cardhour_billing.models import Invoice
from cardhour_billing.money import parse_amount, total
from cardhour_billing.month import Month
from cardhour_billing.spreadsheet import guarded
from cardhour_billing.usage.ledger import Ledger
from cardhour_contract.errors import InvariantBroken

Told = Callable[[str, int, int], None]
"""Told what is done now, how many are done, and of how many."""

PIECE_ROWS = 1_000
"""Rows written at once: some hundred kilobytes."""


class Piece(NamedTuple):
    """A piece of the file: the head, or some rows of one document."""

    text: str
    rows: int
    number: str
    """Of the document; empty for the head."""


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
    documents = documents_of([month], customer)
    written = done = 0
    before = ""
    for piece in pieces(documents, ledger, version):
        out.write(piece.text)
        written += piece.rows
        if piece.number != before:
            done, before = done + 1, piece.number
            if progress:
                progress(f"focus: {piece.number}", done, len(documents))
    return len(documents), written


def documents_of(months: Iterable[Month], customer: str = "") -> list[int]:
    """Every document issued for the months, by customer; or those of one customer."""
    issued = Invoice.objects.filter(period__in=[str(month) for month in months], state=Invoice.State.ISSUED)
    issued = issued.filter(customer__key=customer) if customer else issued
    return list(issued.order_by("customer__key", "period", "pk").values_list("pk", flat=True))


def pieces(documents: Iterable[int], ledger: Ledger, version: str = "1.2") -> Iterator[Piece]:
    """The file of these documents, some rows at a time."""
    table = columns(version)
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, [column.id for column in table if column.id not in OMITTED], extrasaction="ignore")
    writer.writeheader()
    yield _taken(text, 0, "")
    for pk in documents:
        invoice = Invoice.objects.get(pk=pk)
        source, rows = source_of(invoice, ledger), 0
        for row in _summing(source.document, rows_of(source)):
            if problems := breaches(row, table):
                raise InvariantBroken(
                    f"{invoice.number} gives a row that is not FOCUS {version}: {'; '.join(problems)}"
                )
            writer.writerow({name: _cell(value) for name, value in row.items()})
            rows += 1
            if rows == PIECE_ROWS:
                yield _taken(text, rows, str(invoice.number))
                rows = 0
        yield _taken(text, rows, str(invoice.number))


def _taken(text: io.StringIO, rows: int, number: str) -> Piece:
    piece = Piece(text.getvalue(), rows, number)
    text.seek(0)
    text.truncate()
    return piece


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
