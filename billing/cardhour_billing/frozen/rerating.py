"""Rating once more what an issued document froze: its quarters, under its bindings, prices, tax rules and terms.

Owns the computation that ``verify`` compares with. Plain Python: knows no store and no Django.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date

from cardhour_billing.frozen.inputs import FrozenInputs
from cardhour_billing.month import BillingPeriod, billing_period, parse_month
from cardhour_billing.rating.binding import Bindings
from cardhour_billing.rating.price import Prices
from cardhour_billing.rating.rate import Rating, rate
from cardhour_billing.rating.rated import UsageSum
from cardhour_billing.rating.tax import TaxRules
from cardhour_contract.moment import format_rfc3339

Day = tuple[int, date]
Card = tuple[int, str, str]
"""Line, card, node."""


def period_of(inputs: FrozenInputs) -> BillingPeriod:
    """The supply period of a document."""
    return billing_period(parse_month(inputs.month), inputs.timezone)


def rerate(inputs: FrozenInputs, usage: Iterable[UsageSum]) -> Rating:
    """The rating of the frozen usage under the frozen inputs."""
    return rate(
        usage,
        period=period_of(inputs),
        bindings=Bindings(inputs.bindings),
        prices=Prices(inputs.prices),
        taxes=TaxRules(inputs.taxes),
        terms={inputs.terms.customer: inputs.terms},
        list_currency=inputs.terms.currency,
    )


def sums_of(
    inputs: FrozenInputs, usage: Iterable[tuple[int, UsageSum]]
) -> tuple[Mapping[Day, int], Mapping[Card, int], tuple[str, ...]]:
    """Frozen card-microseconds by line and local day, by line and card; and quarters outside the period, in words."""
    period = period_of(inputs)
    days: dict[Day, int] = {}
    cards: dict[Card, int] = {}
    astray: list[str] = []
    for line, row in usage:
        cards[line, row.card, row.node] = cards.get((line, row.card, row.node), 0) + row.billable_us
        if period.start_ms <= row.segment_start_ms < period.end_ms:
            day = line, period.day_of(row.segment_start_ms)
            days[day] = days.get(day, 0) + row.billable_us
        else:
            astray.append(
                f"line {line}: {row.card} at {format_rfc3339(row.segment_start_ms)} is outside {period.month}"
            )
    return days, cards, tuple(astray)
