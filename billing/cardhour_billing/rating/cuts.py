"""Where usage must be cut, so that everything about a sum is decided by the instant at which its segment begins.

Owns those instants: local midnights, and wherever a binding, a price, a contract, a lease, a tax or a time-of-day band
begins or ends. Does not own what is decided there (``rating``). Plain Python.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol

from cardhour_billing.month import BillingPeriod, zone
from cardhour_billing.rating.binding import Bindings
from cardhour_billing.rating.price import Prices
from cardhour_billing.rating.rate import NO_TAX, Terms
from cardhour_billing.rating.rate_scheme import Band, band_at
from cardhour_billing.rating.tax import TaxRules
from cardhour_contract.moment import QUARTER_MS


class Valid(Protocol):
    """A row with a validity."""

    @property
    def from_ms(self) -> int: ...
    @property
    def to_ms(self) -> int | None: ...


def cuts_ms(
    period: BillingPeriod,
    bindings: Bindings,
    prices: Prices,
    taxes: TaxRules = NO_TAX,
    terms: Iterable[Terms] = (),
    leases: Iterable[Valid] = (),
) -> tuple[int, ...]:
    """The instants, ascending, the period's start among them."""
    contracts = [contract for each in terms for contract in each.contracts]
    rows: list[Valid] = [*bindings.rows, *prices.rows, *taxes.rows, *contracts, *leases]
    ends = {at_ms for row in rows for at_ms in (row.from_ms, row.to_ms) if at_ms is not None}
    banded = {row.bands for row in prices.rows if row.bands}
    hours = {at_ms for bands in banded for at_ms in _changes(bands, period)}
    cuts = {*period.day_starts_ms, *ends, *hours}
    return tuple(sorted(at_ms for at_ms in cuts if period.start_ms <= at_ms < period.end_ms))


def _changes(bands: tuple[Band, ...], period: BillingPeriod) -> Iterator[int]:
    """The quarter hours at which another band begins."""
    local, before = zone(period.timezone), band_at(bands, period.start_ms, zone(period.timezone))
    for at_ms in range(period.start_ms + QUARTER_MS, period.end_ms, QUARTER_MS):
        band = band_at(bands, at_ms, local)
        if band is not before:
            yield at_ms
        before = band
