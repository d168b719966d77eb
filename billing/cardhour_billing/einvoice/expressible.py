"""Whether a document can be said in EN 16931, and where not, why.

Owns the reasons. Each is a sentence for billing staff that names what to mend, or what the standard has no words for.
Does not own the XML (``ubl``) nor the official rules (``official``).
"""

from __future__ import annotations

from collections.abc import Iterator

from cardhour_billing.einvoice.reading import NOT_SUBJECT, Category, category_of, is_credit_note
from cardhour_billing.frozen.document import InvoiceDocument

DECIMALS_MAX = 2
"""EN 16931 §6.5.2: amounts have two decimals at most."""


def obstacles(document: InvoiceDocument) -> list[str]:
    """Why the document has no XML; empty where it can be written."""
    return [*_of_amounts(document), *_of_parties(document)]


def _of_amounts(document: InvoiceDocument) -> Iterator[str]:
    if document.decimals > DECIMALS_MAX:
        yield (
            f"{document.currency} has {document.decimals} decimals, and an EN 16931 document has two at most: "
            "send the PDF and the CSV"
        )
    if not document.number or not document.issue_date:
        yield "it is a draft, which has no number and no date"
    if not document.lines:
        yield "it has no line, and an EN 16931 document has one at least"
    if not is_credit_note(document) and document.total.startswith("-"):
        yield "its total is negative: what is given back is a credit note, never a negative invoice"
    for line in document.lines:
        if _is_zero(line.printed_quantity) and not _is_zero(line.net or line.amount):
            yield f"line {line.position} has an amount and no quantity"
    categories = _categories(document)
    if NOT_SUBJECT in {each.code for each in categories} and len(categories) > 1:
        untaxed = ", ".join(str(line.position) for line in document.lines if not line.tax_category)
        yield f"lines without a tax rule stand beside taxed ones (untaxed: {untaxed}), which EN 16931 has no words for"


def _of_parties(document: InvoiceDocument) -> Iterator[str]:
    issuer, customer = document.issuer, document.customer
    if not issuer.country:
        yield 'the issuer has no country: give [issuer] country, such as "DE"'
    if not customer.country:
        yield f"the customer '{customer.id}' has no country: give its [[customer]] country, such as \"FR\""
    if not issuer.tax_id:
        yield "the issuer has no tax_id, by which an EN 16931 document names its seller"
    if not customer.tax_id and any(each.code == "AE" for each in _categories(document)):
        yield f"the customer '{customer.id}' has no tax_id, and a reverse charge needs it"


def _categories(document: InvoiceDocument) -> set[Category]:
    return {category_of(document, line) for line in document.lines}


def _is_zero(figure: str) -> bool:
    return not figure.strip("-0.")
