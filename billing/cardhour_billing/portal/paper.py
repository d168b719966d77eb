"""A document as its paper prints it: a credit note gives back positive amounts.

Owns turning the signs round, as the PDF does. Does not own the document.
"""

from __future__ import annotations

from msgspec.structs import replace

from cardhour_billing.figures import negated
from cardhour_billing.frozen.document import DocumentLine, InvoiceDocument


def as_printed(document: InvoiceDocument) -> InvoiceDocument:
    """The document; a credit note that takes away, with its amounts turned round."""
    if document.kind != "credit-note" or not document.total.startswith("-"):
        return document
    return replace(
        document,
        lines=tuple(map(_turned, document.lines)),
        tax=tuple(replace(row, net=negated(row.net), tax=negated(row.tax)) for row in document.tax),
        net=negated(document.net),
        total=negated(document.total),
        due=negated(document.due),
    )


def _turned(line: DocumentLine) -> DocumentLine:
    quantity, price = line.printed_quantity, line.unit_price
    if price.startswith("-"):
        price = negated(price)
    else:
        quantity = negated(quantity)
    return replace(line, printed_quantity=quantity, unit_price=price, amount=negated(line.amount))
