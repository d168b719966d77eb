"""Seller, buyer and where to pay, as UBL 2.1 has them.

Owns names, addresses and identifiers of a document's two parties. Does not own what is charged (``ubl``).
"""

from __future__ import annotations

from xml.etree import ElementTree as ET

from cardhour_billing.einvoice.element import group, text
from cardhour_billing.einvoice.reading import vat_id
from cardhour_billing.frozen.document import CustomerParty, InvoiceDocument, IssuerParty

_CREDIT_TRANSFER = "30"
"""UNCL4461: a transfer to an account that need not be in the SEPA area."""


def seller(tree: ET.Element, issuer: IssuerParty, *, taxed: bool) -> None:
    """Who issues. Its tax id is a VAT identifier (BT-31), or a tax registration (BT-32) and registered id (BT-30)."""
    party = group(group(tree, "AccountingSupplierParty"), "Party")
    _head(party, issuer)
    vat = vat_id(issuer) if taxed else ""
    _tax(party, vat or (issuer.tax_id if taxed else ""), "VAT" if vat else "TAX")
    _legal(party, issuer, "" if vat else issuer.tax_id)


def buyer(tree: ET.Element, customer: CustomerParty, *, taxed: bool) -> None:
    """Who pays. Where nothing is subject to tax, a VAT id may not stand (BR-O-02): it is the registered id then."""
    party = group(group(tree, "AccountingCustomerParty"), "Party")
    _head(party, customer)
    vat = vat_id(customer) if taxed else ""
    _tax(party, vat, "VAT")
    _legal(party, customer, "" if vat else customer.tax_id)


def payment(tree: ET.Element, document: InvoiceDocument) -> None:
    """The account to pay to, and the number to quote."""
    bank = document.issuer.bank
    if not bank:
        return
    means = group(tree, "PaymentMeans")
    text(means, "PaymentMeansCode", _CREDIT_TRANSFER)
    text(means, "PaymentID", document.number or "")
    account = group(means, "PayeeFinancialAccount")
    text(account, "ID", bank.account)
    text(account, "Name", bank.account_name)


def _head(party: ET.Element, who: IssuerParty | CustomerParty) -> None:
    scheme, _, address = who.endpoint.partition(":")
    text(party, "EndpointID", address, schemeID=scheme)
    if who.name != who.legal_name:
        text(group(party, "PartyName"), "Name", who.name)
    _address(group(party, "PostalAddress"), who)


def _address(element: ET.Element, who: IssuerParty | CustomerParty) -> None:
    lines = [line for line in who.address if line]
    for name, line in zip(("StreetName", "AdditionalStreetName"), lines, strict=False):
        text(element, name, line)
    if len(lines) > 2:
        text(group(element, "AddressLine"), "Line", ", ".join(lines[2:]))
    text(group(element, "Country"), "IdentificationCode", who.country)


def _tax(party: ET.Element, identifier: str, scheme: str) -> None:
    if identifier:
        element = group(party, "PartyTaxScheme")
        text(element, "CompanyID", identifier)
        text(group(element, "TaxScheme"), "ID", scheme)


def _legal(party: ET.Element, who: IssuerParty | CustomerParty, company_id: str) -> None:
    entity = group(party, "PartyLegalEntity")
    text(entity, "RegistrationName", who.legal_name)
    text(entity, "CompanyID", company_id)
