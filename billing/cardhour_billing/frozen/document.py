"""What an invoice says: everything a PDF, a CSV or a page shows of one invoice, frozen as JSON.

Owns the shape and its bytes. Does not own how figures come about (``rating``, ``close``) nor how they look
(``invoice_pdf``, ``invoice_csv``, ``portal``). A renderer reads this and nothing else, so that an invoice looks the
same in ten years, whatever the catalog says by then. Money is a decimal string with exactly the currency's decimals
(``"75092.72"``; ``"1200"`` for JPY) and a leading ``-`` where negative, without grouping.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Literal

import msgspec
from msgspec import Struct

from cardhour_billing.money import parse_amount, total
from cardhour_billing.rating.charge import ChargeKind, Unit
from cardhour_contract.errors import InvariantBroken

Language = Literal["en", "zh-hans"]

KEPT_MAX = 8
"""Documents that are kept as they were last read: one of 10,000 cards takes some 5 MB, and reading it milliseconds."""


class Bank(Struct, frozen=True, kw_only=True):
    """Where to pay. All empty where the issuer has named no account."""

    account_name: str = ""
    bank: str = ""
    account: str = ""

    def __bool__(self) -> bool:
        return bool(self.account)


class IssuerParty(Struct, frozen=True, kw_only=True):
    """Who issues, as of the issue date."""

    name: str
    """Short name, for headings."""
    legal_name: str
    """Name as registered; the short name where the catalog gives none."""
    address: tuple[str, ...] = ()
    """Postal address, one line each."""
    tax_id: str = ""
    country: str = ""
    """ISO 3166-1 alpha-2, upper case; empty where the catalog gives none."""
    endpoint: str = ""
    """Electronic address as ``scheme:id`` (EAS code), such as ``0204:991-12345-06``."""
    bank: Bank = Bank()


class CustomerParty(Struct, frozen=True, kw_only=True):
    """Who pays, as of the issue date."""

    id: str
    name: str
    legal_name: str
    """Name as registered; ``name`` where the catalog gives none."""
    address: tuple[str, ...] = ()
    tax_id: str = ""
    country: str = ""
    endpoint: str = ""
    po_number: str = ""
    buyer_reference: str = ""
    """What the customer asks to be quoted for routing, such as a Leitweg-ID."""
    language: Language = "en"
    """The language that comes first where both are printed, and the only one of pages."""


class Period(Struct, frozen=True, kw_only=True):
    """The supply period: local calendar days for print, UTC instants for exactness."""

    first_day: str
    """``YYYY-MM-DD`` in ``timezone``."""
    last_day: str
    """``YYYY-MM-DD`` in ``timezone``, inclusive: the last day supplied."""
    timezone: str
    """IANA name, such as ``Asia/Shanghai``."""
    started_at: str
    """RFC 3339 in UTC, inclusive."""
    ended_at: str
    """RFC 3339 in UTC, exclusive."""


class DayShare(Struct, frozen=True, kw_only=True, gc=False):
    """What one local day gave to a line; days sum to the line exactly."""

    day: str
    """``YYYY-MM-DD`` in the period's zone."""
    quantity_us: int
    amount: str


class CardShare(Struct, frozen=True, kw_only=True, gc=False):
    """What one card gave to a line; cards sum to the line exactly."""

    card: str
    node: str
    quantity_us: int
    amount: str


class DocumentLine(Struct, frozen=True, kw_only=True):
    """One line: rounded once. For usage, ``printed_quantity`` × ``unit_price`` rounds to ``amount``."""

    position: int
    """From 1, in the order of print: usage first, then charges."""
    kind: Literal["usage"] | ChargeKind = "usage"
    """``usage`` is rated from the ledger; the others are charges (``charge``)."""
    source: str = ""
    """What a charge is for, such as ``lease:12:2026-10``; empty for usage."""
    contract: str = ""
    """The contract that usage was priced by; empty for the list, and for a charge."""
    model: str
    """Product name of the card, with its MIG profile; empty for a charge that is about no model."""
    description: str = ""
    """Usage: a note for the reader, such as the tax in the price. A charge: its name."""
    first_day: str
    """First local day that the line covers (with usage on it), ``YYYY-MM-DD``."""
    last_day: str
    """Last local day that the line covers, inclusive."""
    band: str = ""
    """Time-of-day band of the price, where it has bands."""
    tier: str = ""
    """Tier of a graduated or volume price, where it has tiers."""
    tax_category: str = ""
    """Category and rate of its tax; empty where no tax rule applies."""
    includes_tax: bool = False
    """Whether ``unit_price`` and ``amount`` have the tax in them."""
    net: str = ""
    """The line without its tax; empty, as ``amount``, in documents from before there was tax."""
    quantity_us: int
    """Exact quantity in card-microseconds; 0 for a charge that counts none."""
    printed_quantity: str
    """Quantity in ``unit``, a decimal string with 4 to 9 decimals."""
    unit: Unit = "card-hour"
    unit_price: str
    """Price of one ``unit`` as contracted, such as ``"1.616532"``; no zeros beyond the currency's decimals."""
    amount: str
    """What is billed: at the contract's price, its discount and its tier."""
    contracted_price: str = ""
    """Price of one ``unit`` before the contract's discount."""
    contracted_amount: str = ""
    """The line before the contract's discount."""
    list_price: str = ""
    """The price list's; empty where it has none, or more than one for this line."""
    list_amount: str = ""
    """The line at the price list; empty where that has no price."""
    days: tuple[DayShare, ...] = ()
    cards: tuple[CardShare, ...] = ()
    """Empty where the line spans more cards than a document holds; the portal then shows them from the warehouse."""


class TaxRow(Struct, frozen=True, kw_only=True):
    """Tax at one rate, on the sum of its lines."""

    category: str
    rate_percent: str
    """``"6"`` for 6 %."""
    net: str
    tax: str
    code: str = ""
    """EN 16931 category code (UNCL5305), such as ``S`` or ``AE``."""
    notes: tuple[str, ...] = ()
    """Legal sentences, such as that of a reverse charge."""


class InvoiceDocument(Struct, frozen=True, kw_only=True):
    """One invoice or credit note, whole. A draft has no number, no dates and no digest.

    Amounts of a credit note are what they add to what the customer owes: its total is negative.
    """

    version: Literal[1] = 1
    kind: Literal["invoice", "credit-note"] = "invoice"
    state: Literal["draft", "issued"]
    number: str | None = None
    issue_date: str | None = None
    """``YYYY-MM-DD`` in the issuer's zone."""
    due_date: str | None = None
    terms_days: int
    issuer: IssuerParty
    customer: CustomerParty
    period: Period
    currency: str
    """ISO 4217 code."""
    decimals: int
    """Decimals of every amount: the currency's ISO 4217 exponent."""
    lines: tuple[DocumentLine, ...]
    net: str
    tax: tuple[TaxRow, ...] = ()
    """Empty where no tax rule applies; ``total`` is then ``net``."""
    total: str
    """Net and tax."""
    due: str
    """What is left to pay when the document is issued: the total, less what was paid ahead."""
    original: str = ""
    """Number of the invoice that a credit note gives back of; empty for an invoice."""
    reason: str = ""
    """Why it does, such as ``correction`` or ``goodwill``."""
    digest: str | None = None
    """SHA-256, 64 hex digits, of the frozen inputs: billed quarters, bindings, prices, tax rules, rating version."""

    @property
    def prepaid(self) -> str:
        """What was paid ahead and is taken for this document; empty where nothing is."""
        taken = parse_amount(self.total, self.currency) - parse_amount(self.due, self.currency)
        return str(taken) if taken.amount else ""

    @property
    def chinese(self) -> bool:
        """Whether the fapiao is another paper, so that this one may not be called an invoice."""
        return self.issuer.country in ("", "CN")

    @property
    def charges(self) -> str:
        """Sum of the lines as they are printed: ``net``, or with tax where prices include it."""
        return str(total((parse_amount(line.amount, self.currency) for line in self.lines), self.currency))


def encode(document: InvoiceDocument) -> bytes:
    """The document as JSON. Equal documents give equal bytes."""
    return _encoder.encode(document)


@lru_cache(maxsize=KEPT_MAX)
def decode(frozen: bytes) -> InvoiceDocument:
    """The reverse of ``encode``. Our own bytes that do not read back mean that the store was tampered with.

    The same bytes are always the same document, which nobody can change: what was read last is at hand.
    """
    try:
        return _decoder.decode(frozen)
    except msgspec.DecodeError as error:
        raise InvariantBroken(f"a stored invoice document cannot be read: {error}") from error


_encoder = msgspec.json.Encoder(order="deterministic")
_decoder = msgspec.json.Decoder(InvoiceDocument)
