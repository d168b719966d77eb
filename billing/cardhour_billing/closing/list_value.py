"""What card-time that belongs to nobody is worth: at the list price of its model, on the first instant of a month."""

from __future__ import annotations

from collections.abc import Mapping

from cardhour_billing.catalog.current import current_prices
from cardhour_billing.money import Money
from cardhour_billing.month import BillingPeriod
from cardhour_billing.rating.binding import Bindings
from cardhour_billing.rating.price import Prices
from cardhour_billing.rating.rate import rate
from cardhour_ingest.warehouse.usage import BillableUsage


def list_value(
    held_us: Mapping[str, int], period: BillingPeriod, currency: str, prices: Prices | None = None
) -> tuple[Money | None, bool]:
    """The worth of card-microseconds by model, ``None`` for no price; and whether some of it has none.

    prices: those in force, for whoever asks many times.
    """
    usage = [
        BillableUsage(
            owner="", cluster="", node="", card="", model=model, segment_start_ms=period.start_ms, held_us=us,
            billable_us=us,
        )
        for model, us in held_us.items()
    ]  # fmt: skip
    known = prices or Prices(current_prices())
    rated = rate(usage, period=period, bindings=Bindings(()), prices=known, terms={}, list_currency=currency)
    values = [each.list_value for each in rated.unassigned if each.list_value]
    return (sum(values[1:], values[0]) if values else None), len(values) < len(rated.unassigned)
