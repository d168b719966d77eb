"""How the words of a document are those of EN 16931: tax categories, units, signs, identifiers.

Owns the translation of single words. Does not own the XML around them (``ubl``).
"""

from __future__ import annotations

from fractions import Fraction
from typing import NamedTuple

from cardhour_billing.exact import exact_price
from cardhour_billing.figures import negated
from cardhour_billing.frozen.document import CustomerParty, DocumentLine, InvoiceDocument, IssuerParty
from cardhour_billing.money import PRICE_DECIMALS, decimal_text, parse_amount, round_half_away
from cardhour_contract.errors import InvariantBroken

NOT_SUBJECT = "O"
"""UNCL5305: services outside the scope of tax. What a document without any tax rule says."""

UNITS = {"card-hour": "HUR", "card-month": "MON", "server-month": "MON", "month": "MON"}
"""UN/ECE Recommendation 20; what is counted otherwise is ``C62``, one."""
ONE = "C62"

_VAT_PREFIXES = {"GR": "EL"}
"""ISO 3166-1 code → prefix of its VAT identifiers, where they differ."""


class Category(NamedTuple):
    """A tax category as EN 16931 tells them apart: ours may differ in name and agree in code and rate."""

    code: str
    percent: str
    """Empty for what is not subject to tax."""


class Priced(NamedTuple):
    """A line without its tax: ``quantity`` × ``price`` rounds to ``net``. Only a quantity may be negative."""

    quantity: str
    price: str
    net: str


def is_credit_note(document: InvoiceDocument) -> bool:
    return document.kind == "credit-note"


def category_of(document: InvoiceDocument, line: DocumentLine) -> Category:
    """The category of a line, by the tax row that it is counted in."""
    if not line.tax_category:
        return Category(NOT_SUBJECT, "")
    for row in document.tax:
        if f"{row.category} {row.rate_percent}" == line.tax_category:
            return Category(row.code, row.rate_percent)
    raise InvariantBroken(
        f"line {line.position} of {document.number} is taxed as '{line.tax_category}', which has no row"
    )


def priced(document: InvoiceDocument, line: DocumentLine) -> Priced:
    """Quantity and net price of a line, both turned where the price would be negative.

    A price with its tax in it becomes what the net of the line is worth for one unit, with the cent that largest
    remainder gave or took, so that quantity × price is the net here as well.
    """
    net = line.net or line.amount
    quantity, price = line.printed_quantity, line.unit_price
    if line.includes_tax:
        price = exact_price(parse_amount(net, document.currency), Fraction(quantity))
    if price.startswith("-"):
        quantity, price = negated(quantity), negated(price)
    return Priced(quantity, price, net)


def listed_price(document: InvoiceDocument, line: DocumentLine) -> str | None:
    """The list's price of a unit without its tax; ``None`` where the list has none, or several for the line.

    A price with its tax in it is taken without it at the line's rate, to as many decimals as prices have.
    """
    if not line.list_price:
        return None
    if not line.includes_tax:
        return line.list_price
    rate = Fraction(category_of(document, line).percent or "0") / 100
    nano = round_half_away(Fraction(line.list_price) * 10**PRICE_DECIMALS / (1 + rate))
    return decimal_text(nano, PRICE_DECIMALS)


def vat_id(party: IssuerParty | CustomerParty) -> str:
    """The tax id where it is a VAT identifier: one that begins with its country (BR-CO-09); else empty."""
    prefix = _VAT_PREFIXES.get(party.country, party.country)
    compact = party.tax_id.replace(" ", "")
    return compact if prefix and compact.upper().startswith(prefix) else ""
