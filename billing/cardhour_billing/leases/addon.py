"""Add-ons: what a customer pays for beside cards, such as storage, network or software, each month or once.

Owns what an add-on says and costs. Does not own the rows (``models.addon``) nor the lines of a document
(``charges``). Plain Python.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Literal

from cardhour_billing.leases.proration import Period
from cardhour_billing.leases.recurring import Recurring
from cardhour_billing.money import NANO, Money
from cardhour_billing.printed import nano_text
from cardhour_contract.moment import QUARTER_MS

AddOnUnit = Literal["month", "once"]


class AddOnRow(Recurring, frozen=True, kw_only=True):
    """A current add-on. Its price is that of one ``unit``, for a month or once for all."""

    name: str
    """As documents print it, and as tax rules name it."""
    per: AddOnUnit = "month"
    unit: str = ""
    """What is counted, such as ``TB``; empty for pieces."""
    quantity_nano: int = NANO
    """How many, in 1e-9."""

    @property
    def quantity(self) -> Fraction:
        return Fraction(self.quantity_nano, NANO)

    @property
    def printed_name(self) -> str:
        """The name, with how much of what it counts."""
        return f"{self.name} ({nano_text(self.quantity_nano)} {self.unit})" if self.unit else self.name

    def periods(self, from_ms: int, to_ms: int, timezone: str) -> Iterator[Period]:
        """As everything recurring; what is paid once has one period, the quarter hour at which it was supplied."""
        if self.per == "month":
            yield from super().periods(from_ms, to_ms, timezone)
        elif from_ms <= self.from_ms < to_ms:
            yield Period(start_ms=self.from_ms, end_ms=self.from_ms + QUARTER_MS, timezone=timezone)

    def price_of(self, period: Period, from_ms: int, to_ms: int) -> Money:
        """As everything recurring; what is paid once is not divided."""
        if self.per == "month":
            return super().price_of(period, from_ms, to_ms)
        return self.unit_price.times(self.quantity if from_ms < to_ms else 0)

    def printed_fraction(self, period: Period, from_ms: int, to_ms: int) -> Fraction:
        """Units in a piece of a period, or all of them, where they are paid once."""
        return super().printed_fraction(period, from_ms, to_ms) if self.per == "month" else self.quantity

    def due_ms(self, period: Period) -> int:
        """As everything recurring; what is paid once is billed with the month in which it was supplied."""
        return super().due_ms(period) if self.per == "month" else period.end_ms
