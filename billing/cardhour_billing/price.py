"""What a card-hour costs: the price of a model, in a currency, at an instant.

Owns finding the price that holds. Does not own the rows (``models``) nor arithmetic (``money``).
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from cardhour_billing.money import UnitPrice

LIST_BOOK = "list"
"""The price list of whoever has no contract."""


class PriceRow(Struct, frozen=True, kw_only=True):
    """A current price, per card-hour. Valid ``[from_ms, to_ms)``; no end where ``to_ms`` is ``None``."""

    id: int
    book: str = LIST_BOOK
    model: str
    currency: str
    nano: int
    """Integer 1e-9 currency units."""
    from_ms: int
    to_ms: int | None = None
    includes_tax: bool = False
    """Whether the price has its tax in it."""

    @property
    def unit_price(self) -> UnitPrice:
        return UnitPrice(nano=self.nano, currency=self.currency)

    def holds_at(self, at_ms: int) -> bool:
        return self.from_ms <= at_ms and (self.to_ms is None or at_ms < self.to_ms)


class Prices:
    """Prices by book, model and currency."""

    def __init__(self, rows: Iterable[PriceRow]) -> None:
        self.rows = tuple(rows)
        self._by_subject: dict[tuple[str, str, str], list[PriceRow]] = {}
        for row in self.rows:
            self._by_subject.setdefault((row.book, row.model, row.currency), []).append(row)

    def find(self, book: str, model: str, currency: str, at_ms: int) -> PriceRow | None:
        """The price that holds at ``at_ms``."""
        rows = self._by_subject.get((book, model, currency), ())
        return next((row for row in rows if row.holds_at(at_ms)), None)
