"""What rating takes and what it makes: sums of usage in; rounded lines, and what could not be billed, out.

Owns the shapes, above all the line key. Does not own how one becomes the other (``rating``).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import NamedTuple, Protocol

from cardhour_billing.money import Money, UnitPrice
from cardhour_billing.rating.price import PriceRow
from cardhour_billing.rating.tax import Taxable, TaxRule


class UsageSum(Protocol):
    """Billable usage of one owner on one card within one segment: the warehouse's ``BillableUsage``."""

    @property
    def owner(self) -> str: ...
    @property
    def cluster(self) -> str: ...
    @property
    def node(self) -> str: ...
    @property
    def card(self) -> str: ...
    @property
    def model(self) -> str: ...
    @property
    def segment_start_ms(self) -> int:
        """UTC; the segment runs to the next cut."""
        ...

    @property
    def billable_us(self) -> int: ...


class LineKey(NamedTuple):
    """What makes a line its own: billing.md §1. Owners, projects, cards and days do not."""

    customer: str
    contract: str
    price: int
    model: str
    band: str
    tier: str
    tax_category: str
    """Category and rate, such as ``standard 6``; empty where no rule holds."""


class Share(NamedTuple):
    """What a part of a line (a day, a card) came to; the parts sum to the line exactly."""

    quantity_us: int
    amount: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class Costs:
    """What a line's quantity comes to besides its amount: before the discount, and at the price list."""

    contracted_price: UnitPrice
    contracted: Money
    list_price: UnitPrice | None
    """``None`` where the list has no price, or more than one."""
    listed: Money | None
    """``None`` where the list has no price."""
    list_rows: tuple[PriceRow, ...] = ()
    """The list prices that decided, for freezing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RatedLine:
    """A line, rounded. ``days`` and ``cards`` (by card and node) are allocations of it."""

    key: LineKey
    price: PriceRow
    unit_price: UnitPrice
    """What one card-hour of this line costs: of its band and tier, less the contract's discount."""
    quantity_us: int
    printed_quantity: str
    amount: Money
    costs: Costs
    note: str = ""
    """What a reader of the price must know, such as the discount in it."""
    days: dict[date, Share]
    cards: dict[tuple[str, str], Share]
    claims: tuple[UsageSum, ...]
    """The usage that the line bills, for freezing; none where it shares that of ``lead``."""
    lead: LineKey | None = None
    """The first of the graduated lines that one usage was sliced into; this is a later slice of it."""
    taxes: tuple[TaxRule, ...] = ()
    """The rules its usage is under, all of one category and rate; none where nothing is taxed."""

    @property
    def taxable(self) -> Taxable:
        return Taxable(amount=self.amount, rules=self.taxes, included=self.price.includes_tax)


@dataclass(frozen=True, slots=True, kw_only=True)
class Unpriced:
    """Usage of a customer for which no price holds: it keeps the customer's document from being issued."""

    customer: str
    model: str
    currency: str
    first_at_ms: int
    quantity_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Untaxed:
    """Usage of a customer that no tax rule covers although there are rules: it must not be issued without tax."""

    customer: str
    model: str
    first_at_ms: int
