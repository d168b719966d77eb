"""What cards cost whoever owns them: purchase, hosting and power of a server, by model and month.

Owns what one card costs a month, exactly. Costs are for ``margin`` alone and appear on no document. Does not own the
rows (``models.cost``). Plain Python.
"""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction

from msgspec import Struct

from cardhour_billing.money import UnitPrice


class CostRow(Struct, frozen=True, kw_only=True):
    """A current cost: of one server of a model. Valid ``[from_ms, to_ms)``; no end where ``to_ms`` is ``None``."""

    id: int
    model: str
    currency: str
    cards_per_server: int
    purchase_nano: int
    """Price of a server, integer 1e-9 currency units, as the others."""
    depreciation_months: int
    """Months over which the purchase is written off, in equal parts."""
    hosting_nano: int = 0
    """A month's rack space, network and staff of a server."""
    power_nano: int = 0
    """A month's electricity of a server, cooling included."""
    from_ms: int
    to_ms: int | None = None

    def holds_at(self, at_ms: int) -> bool:
        return self.from_ms <= at_ms and (self.to_ms is None or at_ms < self.to_ms)

    @property
    def depreciation(self) -> Fraction:
        """Of one card in one month, in minor units, as the two below."""
        return self._per_card(self.purchase_nano) / self.depreciation_months

    @property
    def hosting(self) -> Fraction:
        return self._per_card(self.hosting_nano)

    @property
    def power(self) -> Fraction:
        return self._per_card(self.power_nano)

    def _per_card(self, nano: int) -> Fraction:
        return UnitPrice(nano=nano, currency=self.currency).minor / self.cards_per_server


class Costs:
    """Costs by model."""

    def __init__(self, rows: Iterable[CostRow]) -> None:
        self._by_model: dict[str, list[CostRow]] = {}
        for row in rows:
            self._by_model.setdefault(row.model, []).append(row)

    def find(self, model: str, at_ms: int) -> CostRow | None:
        """The cost that holds at ``at_ms``."""
        return next((row for row in self._by_model.get(model, ()) if row.holds_at(at_ms)), None)
