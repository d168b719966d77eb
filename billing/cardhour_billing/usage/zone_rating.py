"""The current ledger of one month in one time zone, rated under the current rows of the catalog.

Owns reading both, cutting usage where the catalog changes, and setting aside what leases cover. Does not own rating
(``rating``) or what is done with it (``zone_close``, ``known_today``).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from cardhour_billing.catalog.current import current_bindings, current_prices, current_taxes
from cardhour_billing.catalog.current_terms import current_leases
from cardhour_billing.leases.cover import Cover, Leases, cover
from cardhour_billing.month import BillingPeriod
from cardhour_billing.rating.binding import Bindings
from cardhour_billing.rating.cuts import cuts_ms
from cardhour_billing.rating.price import Prices
from cardhour_billing.rating.rate import Rating, Terms, rate
from cardhour_billing.rating.rated import UsageSum
from cardhour_billing.rating.tax import TaxRules
from cardhour_billing.usage.ledger import Ledger


@dataclass(frozen=True, slots=True, kw_only=True)
class ZoneRating:
    """A rating, with the bindings and the cuts it was made under."""

    bindings: Bindings
    taxes: TaxRules
    cuts_ms: tuple[int, ...]
    leases: Leases
    cover: Cover
    """What leases took of the usage before it was rated."""
    rating: Rating


def rate_zone(period: BillingPeriod, terms: Mapping[str, Terms], list_currency: str, ledger: Ledger) -> ZoneRating:
    """Rate ``period`` for the customers in ``terms``; the ledger's pages are read once."""
    bindings, prices = Bindings(current_bindings()), Prices(current_prices())
    taxes = TaxRules(current_taxes())
    # Named leases take cards from everybody; a pool only matters to its own customer.
    leases = Leases(row for row in current_leases() if row.named or row.customer in terms)
    cuts = cuts_ms(period, bindings, prices, taxes, terms.values(), leases.rows)

    def quarters(models: set[str], owners: set[str]) -> Iterable[UsageSum]:
        return ledger.billable_quarters(period.start_ms, period.end_ms, models=models, owners=owners)

    usage = ledger.billable(period.start_ms, period.end_ms, cuts)
    under = cover(usage, quarters, bindings, leases, cuts)
    rating = rate(
        under.rest,
        period=period,
        bindings=bindings,
        prices=prices,
        taxes=taxes,
        terms=terms,
        list_currency=list_currency,
    )
    return ZoneRating(bindings=bindings, taxes=taxes, cuts_ms=cuts, leases=leases, cover=under, rating=rating)
