"""Our own rules for a written document: what the official ones let pass.

Owns figures that do not agree: the schematron never multiplies quantity by price, takes a tax that is off by almost a
whole unit, and has nothing against a negative invoice. Reads the XML alone, so that it checks what is sent.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

from cardhour_billing.einvoice.element import CAC, CBC
from cardhour_billing.einvoice.finding import Finding
from cardhour_billing.money import exponent, round_half_away
from cardhour_contract.errors import Refuse

_NAMES = {"cac": CAC, "cbc": CBC}


def own_findings(xml: bytes) -> list[Finding]:
    """Every rule of ours that the document breaks."""
    from lxml import etree  # a tenth of a second that no other command should pay

    tree = etree.fromstring(xml, etree.XMLParser(resolve_entities=False, no_network=True))
    return [Finding(rule=rule, severity="fatal", text=text) for rule, text in _broken(tree)]


def _broken(tree: Any) -> Iterator[tuple[str, str]]:
    currency = tree.findtext("cbc:DocumentCurrencyCode", "", _NAMES)
    try:
        decimals = exponent(currency)
    except Refuse as error:
        yield "CH-CURRENCY", str(error)
        return
    if decimals > 2:
        yield "CH-CURRENCY", f"{currency} has {decimals} decimals, and EN 16931 two at most"
        return
    yield from _lines(tree, 10**decimals)
    yield from _taxes(tree, 10**decimals)
    for name in ("TaxInclusiveAmount", "PayableAmount"):
        amount = _figure(tree, f"cac:LegalMonetaryTotal/cbc:{name}")
        if amount is not None and amount < 0:
            kind = tree.tag.rpartition("}")[2]
            yield "CH-NEGATIVE", f"the {name} of this {kind} is negative: give money back with a credit note"


def _lines(tree: Any, minor: int) -> Iterator[tuple[str, str]]:
    for kind, counted in (("InvoiceLine", "InvoicedQuantity"), ("CreditNoteLine", "CreditedQuantity")):
        for line in tree.findall(f"cac:{kind}", _NAMES):
            quantity = _figure(line, f"cbc:{counted}")
            price = _figure(line, "cac:Price/cbc:PriceAmount")
            amount = _figure(line, "cbc:LineExtensionAmount")
            base = _figure(line, "cac:Price/cbc:BaseQuantity") or Fraction(1)
            if quantity is None or price is None or amount is None:
                continue  # the official rules ask for all three
            if Fraction(round_half_away(quantity * price / base * minor), minor) != amount:
                at = line.findtext("cbc:ID", "", _NAMES)
                said = line.findtext("cbc:LineExtensionAmount", "", _NAMES)
                yield "CH-LINE", f"line {at}: quantity × price is not its amount of {said}"


def _taxes(tree: Any, minor: int) -> Iterator[tuple[str, str]]:
    """Tax within a price is what is left of it, so a minor unit beside rate × net is right there, and no more."""
    for row in tree.findall("cac:TaxTotal/cac:TaxSubtotal", _NAMES):
        net, tax = _figure(row, "cbc:TaxableAmount"), _figure(row, "cbc:TaxAmount")
        percent = _figure(row, "cac:TaxCategory/cbc:Percent") or Fraction(0)
        if net is not None and tax is not None and abs(tax - net * percent / 100) > Fraction(1, minor):
            code = row.findtext("cac:TaxCategory/cbc:ID", "", _NAMES)
            said = row.findtext("cbc:TaxableAmount", "", _NAMES)
            yield "CH-TAX", f"the tax of {code} {percent}% is not that on {said}"


def _figure(element: Any, path: str) -> Fraction | None:
    try:
        return Fraction(str(element.findtext(path, "", _NAMES)).strip())
    except ValueError:
        return None
