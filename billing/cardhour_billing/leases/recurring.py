"""What is charged period by period: the part that leases and add-ons have in common.

Owns the terms of such a thing, its periods, when each is due, and what a piece of one costs. Does not own what it is
(``lease``, ``addon``) nor the lines of a document (``charges``). Plain Python.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Literal

from msgspec import Struct

from cardhour_billing.leases.proration import Cycle, Period, periods
from cardhour_billing.money import Money, UnitPrice

Billing = Literal["advance", "arrears"]


class Recurring(Struct, frozen=True, kw_only=True):
    """A current lease or add-on. Valid ``[from_ms, to_ms)``; until further notice where ``to_ms`` is ``None``."""

    id: int
    key: str
    """The catalog's id: stays the same through extensions and corrections."""
    customer: str
    currency: str
    nano: int
    """Price of one unit for a whole period, integer 1e-9 currency units."""
    includes_tax: bool = False
    cycle: Cycle = "calendar"
    billing: Billing = "arrears"
    non_refundable: bool = False
    """What was billed in advance is not given back when it ends early."""
    from_ms: int
    to_ms: int | None = None

    @property
    def unit_price(self) -> UnitPrice:
        return UnitPrice(nano=self.nano, currency=self.currency)

    @property
    def quantity(self) -> Fraction | int:
        """How many units are paid for."""
        return 1

    def holds_at(self, at_ms: int) -> bool:
        return self.from_ms <= at_ms and (self.to_ms is None or at_ms < self.to_ms)

    def within(self, from_ms: int, to_ms: int) -> tuple[int, int] | None:
        """The part of ``[from_ms, to_ms)`` in which it holds; ``None`` for no part."""
        start_ms, end_ms = max(from_ms, self.from_ms), to_ms if self.to_ms is None else min(to_ms, self.to_ms)
        return (start_ms, end_ms) if start_ms < end_ms else None

    def periods(self, from_ms: int, to_ms: int, timezone: str) -> Iterator[Period]:
        """Its periods that share an instant with ``[from_ms, to_ms)`` and with its validity."""
        if held := self.within(from_ms, to_ms):
            yield from periods(self.cycle, self.from_ms, timezone, *held)

    def price_of(self, period: Period, from_ms: int, to_ms: int) -> Money:
        """What a piece of one of its periods costs; the pieces of a period sum to its price exactly."""
        return period.piece(self.unit_price, self.quantity, from_ms, to_ms)

    def printed_fraction(self, period: Period, from_ms: int, to_ms: int) -> Fraction:
        """Units in a piece of a period: what its price is multiplied with, before rounding."""
        return self.quantity * (period.fraction(to_ms) - period.fraction(from_ms))

    def due_ms(self, period: Period) -> int:
        """When a period, or what it holds of it, is billed: at its start, or at its end."""
        if self.billing == "advance":
            return max(period.start_ms, self.from_ms)
        return period.end_ms if self.to_ms is None else min(period.end_ms, self.to_ms)
