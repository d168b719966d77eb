"""The two parties of a document, as they are today: a document freezes what these give.

Owns which of a party's columns a document says. Does not own the columns (``models.party``).
"""

from __future__ import annotations

from cardhour_billing.frozen.document import Bank, CustomerParty, IssuerParty, Language
from cardhour_billing.models import Customer, Issuer


def issuer_party(issuer: Issuer) -> IssuerParty:
    """Who issues."""
    return IssuerParty(
        name=issuer.name,
        legal_name=issuer.legal_name or issuer.name,
        address=tuple(issuer.address.splitlines()),
        tax_id=issuer.tax_id,
        country=issuer.country,
        endpoint=issuer.endpoint,
        bank=Bank(account_name=issuer.bank_account_name, bank=issuer.bank, account=issuer.bank_account),
    )


def customer_party(customer: Customer) -> CustomerParty:
    """Who pays."""
    language: Language = "zh-hans" if customer.language == "zh-hans" else "en"
    return CustomerParty(
        id=customer.key,
        name=customer.name,
        legal_name=customer.legal_name or customer.name,
        address=tuple(customer.address.splitlines()),
        tax_id=customer.tax_id,
        country=customer.country,
        endpoint=customer.endpoint,
        po_number=customer.po_number,
        buyer_reference=customer.buyer_reference,
        language=language,
    )
