"""A frozen document as UBL 2.1 XML after EN 16931: one document in, the same bytes out.

Owns which term of the standard (BT-n) each figure is. Does not own single words (``reading``), the parties
(``ubl_parties``) nor whether a document can be said at all (``expressible``). A credit note (381) gives back positive
amounts, as the standard has it.
"""

from __future__ import annotations

from collections.abc import Iterable
from xml.etree import ElementTree as ET

from cardhour_billing.einvoice.arithmetic import own_findings
from cardhour_billing.einvoice.element import group, root, text, written
from cardhour_billing.einvoice.expressible import obstacles
from cardhour_billing.einvoice.reading import (
    NOT_SUBJECT,
    ONE,
    UNITS,
    Category,
    category_of,
    is_credit_note,
    priced,
)
from cardhour_billing.einvoice.ubl_parties import buyer, payment, seller
from cardhour_billing.figures import negated
from cardhour_billing.frozen.document import DocumentLine, InvoiceDocument, TaxRow
from cardhour_billing.money import parse_amount, total
from cardhour_contract.errors import InvariantBroken, Refuse

CUSTOMIZATION = "urn:cen.eu:en16931:2017"

_NO_TAX_RULE = "Not subject to VAT 不征税"
_EXEMPTION_CODES = {"AE": "VATEX-EU-AE", "O": "VATEX-EU-O"}
_WITH_REASON = ("E", "AE", NOT_SUBJECT)
"""Categories that must say why nothing is charged (BR-E-10, BR-AE-10, BR-O-10); the others must not."""


def render(document: InvoiceDocument) -> bytes:
    """The XML. Raises Refuse with every reason where the standard cannot say the document.

    Raises InvariantBroken where its own figures do not agree, which no document that was computed here can.
    """
    problems = obstacles(document)
    if problems:
        raise Refuse(*problems)
    xml = _Writer(document).write()
    if findings := own_findings(xml):
        raise InvariantBroken(f"the XML of {document.number} does not agree with itself: {findings[0].text}")
    return xml


class _Writer:
    """One document on its way into XML."""

    def __init__(self, document: InvoiceDocument) -> None:
        self.document = document
        self.credits = is_credit_note(document)
        self.turned = self.credits and document.total.startswith("-")
        self.tree = root("CreditNote" if self.credits else "Invoice")

    def write(self) -> bytes:
        tree, document = self.tree, self.document
        text(tree, "CustomizationID", CUSTOMIZATION)
        text(tree, "ID", document.number or "")
        text(tree, "IssueDate", document.issue_date or "")
        if not self.credits:
            text(tree, "DueDate", document.due_date or "")
        text(tree, "CreditNoteTypeCode" if self.credits else "InvoiceTypeCode", "381" if self.credits else "380")
        text(tree, "Note", document.reason)
        text(tree, "DocumentCurrencyCode", document.currency)
        text(tree, "BuyerReference", document.customer.buyer_reference)
        self._period(tree, document.period.first_day, document.period.last_day)
        if document.customer.po_number:
            text(group(tree, "OrderReference"), "ID", document.customer.po_number)
        if document.original:
            reference = group(group(tree, "BillingReference"), "InvoiceDocumentReference")
            text(reference, "ID", document.original)
        taxed = {category_of(document, line).code for line in document.lines} != {NOT_SUBJECT}
        seller(tree, document.issuer, taxed=taxed)
        buyer(tree, document.customer, taxed=taxed)
        if not self.credits:
            payment(tree, document)
        text(group(tree, "PaymentTerms"), "Note", self._terms())
        self._taxes()
        self._totals()
        for line in document.lines:
            self._line(line)
        return written(tree)

    def _terms(self) -> str:
        if self.credits:
            return "Credit of earlier charges 冲减前期账单"
        bank = self.document.issuer.bank.bank
        return f"{self.document.terms_days} days net" + (f"; {bank}" if bank else "")

    def _taxes(self) -> None:
        document = self.document
        block = group(self.tree, "TaxTotal")
        self._amount(block, "TaxAmount", self._sum(row.tax for row in document.tax))
        rows: dict[Category, list[TaxRow]] = {}
        for row in document.tax:  # several of our categories may be one here, such as standard and reduced at one rate
            rows.setdefault(Category(row.code, row.rate_percent), []).append(row)
        if not rows:
            none = TaxRow(category="", rate_percent="", net=document.net, tax=self._sum(()), notes=(_NO_TAX_RULE,))
            rows = {Category(NOT_SUBJECT, ""): [none]}
        for category, group_rows in rows.items():
            subtotal = group(block, "TaxSubtotal")
            self._amount(subtotal, "TaxableAmount", self._sum(row.net for row in group_rows))
            self._amount(subtotal, "TaxAmount", self._sum(row.tax for row in group_rows))
            notes = dict.fromkeys(note for row in group_rows for note in row.notes)
            self._category(group(subtotal, "TaxCategory"), category, " ".join(notes))

    def _totals(self) -> None:
        document = self.document
        block = group(self.tree, "LegalMonetaryTotal")
        paid = parse_amount(document.total, document.currency) - parse_amount(document.due, document.currency)
        self._amount(block, "LineExtensionAmount", document.net)
        self._amount(block, "TaxExclusiveAmount", document.net)
        self._amount(block, "TaxInclusiveAmount", document.total)
        if paid.amount:
            self._amount(block, "PrepaidAmount", str(paid))
        self._amount(block, "PayableAmount", document.due)

    def _line(self, line: DocumentLine) -> None:
        element = group(self.tree, "CreditNoteLine" if self.credits else "InvoiceLine")
        figures = priced(self.document, line)
        quantity = negated(figures.quantity) if self.turned else figures.quantity
        text(element, "ID", str(line.position))
        name = "CreditedQuantity" if self.credits else "InvoicedQuantity"
        text(element, name, quantity, unitCode=UNITS.get(line.unit, ONE))
        self._amount(element, "LineExtensionAmount", figures.net)
        self._period(element, line.first_day, line.last_day)
        item = group(element, "Item")
        usage = line.kind == "usage"
        # Here every price is without tax, so the note that it has tax in it would be wrong.
        description = "" if usage and line.includes_tax else line.description
        notes = (description, line.band, line.tier) if usage else (line.model,)
        text(item, "Description", "; ".join(note for note in notes if note))
        text(item, "Name", line.model if usage else line.description)
        self._category(group(item, "ClassifiedTaxCategory"), category_of(self.document, line))
        text(group(element, "Price"), "PriceAmount", figures.price, currencyID=self.document.currency)

    def _category(self, element: ET.Element, category: Category, reason: str = "") -> None:
        text(element, "ID", category.code)
        text(element, "Percent", category.percent)
        if reason and category.code in _WITH_REASON:
            text(element, "TaxExemptionReasonCode", _EXEMPTION_CODES.get(category.code, ""))
            text(element, "TaxExemptionReason", reason)
        text(group(element, "TaxScheme"), "ID", "VAT")

    def _period(self, parent: ET.Element, first_day: str, last_day: str) -> None:
        period = group(parent, "InvoicePeriod")
        text(period, "StartDate", first_day)
        text(period, "EndDate", last_day)

    def _amount(self, parent: ET.Element, name: str, amount: str) -> None:
        text(parent, name, negated(amount) if self.turned else amount, currencyID=self.document.currency)

    def _sum(self, amounts: Iterable[str]) -> str:
        currency = self.document.currency
        return str(total((parse_amount(each, currency) for each in amounts), currency))
