"""An invoice as CSV: one line of the invoice a row, as a spreadsheet opens it without harm.

Owns the columns and the encoding. Does not own the figures (``frozen.document``) nor the guard against formulas
(``spreadsheet``). Amounts are plain decimals with a point and no grouping, so that a sum in the spreadsheet is a sum.
"""

from __future__ import annotations

import csv
import io

from cardhour_billing.frozen.document import DocumentLine, InvoiceDocument
from cardhour_billing.spreadsheet import guarded

COLUMNS = (
    "number",
    "state",
    "customer",
    "customer_name",
    "period_first_day",
    "period_last_day",
    "timezone",
    "position",
    "kind",
    "source",
    "model",
    "description",
    "band",
    "tier",
    "first_day",
    "last_day",
    "quantity",
    "unit",
    "unit_price",
    "amount",
    "currency",
    "quantity_us",
    "tax_category",
    "net",
)


def render(document: InvoiceDocument) -> bytes:
    """UTF-8 with a byte order mark, without which Excel reads Chinese as noise; CRLF line ends, as RFC 4180 has it."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    for line in document.lines:
        writer.writerow(_row(document, line))
    return text.getvalue().encode("utf-8-sig")


def _row(document: InvoiceDocument, line: DocumentLine) -> tuple[str | int, ...]:
    return (
        document.number or "",
        document.state,
        guarded(document.customer.id),
        guarded(document.customer.name),
        document.period.first_day,
        document.period.last_day,
        document.period.timezone,
        line.position,
        line.kind,
        guarded(line.source),
        guarded(line.model),
        guarded(line.description),
        guarded(line.band),
        guarded(line.tier),
        line.first_day,
        line.last_day,
        line.printed_quantity,
        line.unit,
        line.unit_price,
        line.amount,
        document.currency,
        line.quantity_us,
        line.tax_category,
        line.net or line.amount,
    )
