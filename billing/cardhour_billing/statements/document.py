"""What a statement says: everything its PDF, its CSV or a page shows, frozen as JSON.

Owns the shape and its bytes. Does not own where figures come from (``sources``) nor how they look
(``pdf``, ``csv``). Money is a decimal string with the currency's decimals, as in ``document``.
"""

from __future__ import annotations

import msgspec
from msgspec import Struct

from cardhour_billing.frozen.document import CustomerParty, IssuerParty
from cardhour_contract.errors import InvariantBroken


class StatedLine(Struct, frozen=True, kw_only=True):
    """A line of a document that falls into the range, or its tax."""

    position: int
    """From 1 over the whole statement: what a dispute names."""
    document: str
    """Number of the invoice or credit note."""
    line: int | None
    """Its line there; ``None`` for its tax, and for what was paid ahead for it."""
    name: str
    first_day: str
    last_day: str
    printed_quantity: str = ""
    unit: str = ""
    unit_price: str = ""
    amount: str
    """Without tax; a tax row has the tax, and what was paid ahead is negative."""


class StatedPayment(Struct, frozen=True, kw_only=True):
    """Money that came in within the range; negative where it went back."""

    day: str
    reference: str
    amount: str


class DayUse(Struct, frozen=True, kw_only=True):
    """What one model was used on one local day, and what that came to."""

    day: str
    model: str
    quantity_us: int
    amount: str


class StatementDocument(Struct, frozen=True, kw_only=True):
    """One statement, whole."""

    version: int = 1
    drawn_day: str
    """``YYYY-MM-DD`` in the issuer's zone."""
    revision: int
    issuer: IssuerParty
    customer: CustomerParty
    first_day: str
    last_day: str
    timezone: str
    currency: str
    decimals: int
    opening: str
    lines: tuple[StatedLine, ...]
    payments: tuple[StatedPayment, ...]
    usage: tuple[DayUse, ...]
    charged: str
    """Sum of ``lines``."""
    paid: str
    """Sum of ``payments``."""
    closing: str
    """``opening`` + ``charged`` − ``paid``."""


def encode(statement: StatementDocument) -> bytes:
    """The statement as JSON. Equal statements give equal bytes."""
    return _encoder.encode(statement)


def decode(frozen: bytes) -> StatementDocument:
    """The reverse of ``encode``."""
    try:
        return _decoder.decode(frozen)
    except msgspec.DecodeError as error:
        raise InvariantBroken(f"a stored statement cannot be read: {error}") from error


_encoder = msgspec.json.Encoder(order="deterministic")
_decoder = msgspec.json.Decoder(StatementDocument)
