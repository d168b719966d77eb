"""The current ledger of one month in one time zone, rated under the current rows of the catalog.

Owns reading both, cutting usage where the catalog changes, and setting aside what leases cover. Does not own rating
(``rating``) or what is done with it (``zone_close``, ``known_today``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from cardhour_billing.binding import Bindings
from cardhour_billing.current import current_bindings, current_prices, current_taxes
from cardhour_billing.cuts import cuts_ms
from cardhour_billing.lease_cover import Cover, Leases, cover_named, cover_pools
from cardhour_billing.leases import current_leases
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
    leases: Leases
    cover: Cover
    """What leases took of the usage before it was rated."""
    rating: Rating


def rate_zone(period: BillingPeriod, terms: Mapping[str, Terms], list_currency: str, ledger: Ledger) -> ZoneRating:
    """Rate ``period`` for the customers in ``terms``; the ledger's pages are read once."""
    bindings, prices = Bindings(current_bindings()), Prices(current_prices())
    taxes = TaxRules(current_taxes())
    leases = Leases(current_leases())
    cuts = cuts_ms(period, bindings, prices, taxes, terms.values(), leases.rows)
    cover = _cover(ledger, period, cuts, bindings, leases)
    rating = rate(
        cover.rest,
        period=period,
        bindings=bindings,
        prices=prices,
        taxes=taxes,
        terms=terms,
        list_currency=list_currency,
    )
    return ZoneRating(bindings=bindings, taxes=taxes, cuts_ms=cuts, leases=leases, cover=cover, rating=rating)


def _cover(
    ledger: Ledger, period: BillingPeriod, cuts_ms: tuple[int, ...], bindings: Bindings, leases: Leases
) -> Cover:
    """The month's usage under leases. Quarter hours are asked for only where a pool may take of them."""
    usage = ledger.billable(period.start_ms, period.end_ms, cuts_ms)
    if not leases.rows:
        return Cover(rest=tuple(usage))
    cover, pooled = cover_named(usage, bindings, leases)
    if not pooled:
        return cover
    models, owners = {place.model for place in pooled}, {place.owner for place in pooled}
    quarters = ledger.billable_quarters(period.start_ms, period.end_ms, models=models, owners=owners)
    return cover_pools(cover, pooled, quarters, leases, cuts_ms)
