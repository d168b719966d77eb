"""The lines of a document: those of usage, then the charges.

Owns that order, and what holds for lines of either sort: their tax and their sums. Plain Python.
"""

from __future__ import annotations

from msgspec import Struct

from cardhour_billing.rating.charge import Charge
from cardhour_billing.rating.rated import RatedLine
from cardhour_billing.rating.tax import Assessment, TaxRule, assess


class Content(Struct, frozen=True, kw_only=True):
    """What a document bills. False where it is nothing."""

    lines: tuple[RatedLine, ...] = ()
    charges: tuple[Charge, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.lines or self.charges)

    @property
    def all(self) -> tuple[RatedLine | Charge, ...]:
        """Every line in order of print: positions count from 1."""
        return (*self.lines, *self.charges)

    @property
    def taxes(self) -> frozenset[TaxRule]:
        """The tax rules that any line is under."""
        return frozenset(rule for line in self.all for rule in line.taxes)

    def assess(self, currency: str) -> Assessment:
        """Their tax and their sums."""
        return assess([line.taxable for line in self.all], currency)
