"""A charge: a line of a document that is not rated from usage, such as a lease, a commitment's true-up or a grant.

Owns the shape of such a line, and that its amount can be computed again: ``inputs`` is everything that decides it,
frozen with the document, and ``charge_kinds`` names the pure function that ``verify`` runs on them. Does not own how a
charge comes about (one provider each, listed in ``charges``) nor the lines of usage (``rated``). Plain Python.

A document's lines are its usage lines, then its charges, in the order in which the providers gave them.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any, Literal

from msgspec import Struct

from cardhour_billing.money import Money
from cardhour_billing.rating.tax import Taxable, TaxRule

ChargeKind = Literal["commitment", "lease", "add-on", "grant", "adjustment", "carried", "credit"]
Unit = Literal["card-hour", "card-month", "server-month", "month", "item"]


class Charge(Struct, frozen=True, kw_only=True):
    """One line, rounded. It may be negative, as a grant is."""

    kind: ChargeKind
    source: str
    """What it is for, such as ``lease:12:2026-10``: stable, and unique for a customer and period."""
    model: str = ""
    """Product name of the card where it is about one model."""
    description: str
    """What a reader sees as its name."""
    first_day: date
    last_day: date
    """Local days it covers, both inclusive."""
    quantity_us: int = 0
    """Card-microseconds, where it counts any."""
    printed_quantity: str = "1"
    unit: Unit = "item"
    unit_price: str
    """Decimal text, such as ``133400.00``; printed only."""
    amount: Money
    taxes: tuple[TaxRule, ...] = ()
    """The rules it is under, all of one category and rate; none where nothing is taxed."""
    includes_tax: bool = False
    exact_tax: Money | None = None
    """Tax of all lines of its category together, where rounding it must not decide: the rest of what is credited."""
    inputs: Mapping[str, Any]
    """All that decides ``amount``: strings, integers, lists and mappings of them, as JSON has them; no float."""

    @property
    def taxable(self) -> Taxable:
        return Taxable(amount=self.amount, rules=self.taxes, included=self.includes_tax, exact_tax=self.exact_tax)

    @property
    def tax_category(self) -> str:
        """Category and rate, as a line key has it; empty where no rule holds."""
        return self.taxes[0].key if self.taxes else ""
