"""The current ledger of one month in one time zone, rated under the current rows of the catalog.

Owns reading both and cutting usage where the catalog changes. Does not own rating (``rating``) or what is done with it
(``zone_close``, ``known_today``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from cardhour_billing.binding import Bindings
from cardhour_billing.current import current_bindings, current_prices, current_taxes
from cardhour_billing.cuts import cuts_ms
from cardhour_billing.ledger import Ledger
from cardhour_billing.month import BillingPeriod
from cardhour_billing.price import Prices
from cardhour_billing.rating import Rating, Terms, rate
from cardhour_billing.tax import TaxRules


@dataclass(frozen=True, slots=True, kw_only=True)
class ZoneRating:
    """A rating, with the bindings and the cuts it was made under."""

    bindings: Bindings
    taxes: TaxRules
    cuts_ms: tuple[int, ...]
    rating: Rating


def rate_zone(period: BillingPeriod, terms: Mapping[str, Terms], list_currency: str, ledger: Ledger) -> ZoneRating:
    """Rate ``period`` for the customers in ``terms``; the ledger's pages are read once."""
    bindings, prices = Bindings(current_bindings()), Prices(current_prices())
    taxes = TaxRules(current_taxes())
    cuts = cuts_ms(period, bindings, prices, taxes, terms.values())
    rating = rate(
        ledger.billable(period.start_ms, period.end_ms, cuts),
        period=period,
        bindings=bindings,
        prices=prices,
        taxes=taxes,
        terms=terms,
        list_currency=list_currency,
    )
    return ZoneRating(bindings=bindings, taxes=taxes, cuts_ms=cuts, rating=rating)
