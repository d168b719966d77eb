"""How quantities that are no card-hours, and ratios, are printed. Owns their decimals; rounding is ``money``'s."""

from __future__ import annotations

from fractions import Fraction

from cardhour_billing.money import (
    PRICE_DECIMALS,
    QUANTITY_DECIMALS_MAX,
    QUANTITY_DECIMALS_MIN,
    Money,
    UnitPrice,
    decimal_text,
    exponent,
    round_half_away,
)
from cardhour_contract.errors import InvariantBroken

PERCENT_DECIMALS = 2


def printed_units(quantity: Fraction, price: UnitPrice, amount: Money) -> str:
    """A number of months, servers or items, with the fewest decimals for which printed quantity × price is ``amount``.

    A whole number has none. ``amount`` may be a minor unit off ``quantity`` × price, as a piece of a period can be: the
    quantity is then the nearest one that gives it.
    """
    for decimals in (0, *range(QUANTITY_DECIMALS_MIN, QUANTITY_DECIMALS_MAX + 1)):
        candidate = round_half_away(quantity * 10**decimals)
        if price.times(Fraction(candidate, 10**decimals)) == amount:
            return decimal_text(candidate, decimals)
    scale: int = 10**QUANTITY_DECIMALS_MAX
    candidate = round_half_away(amount.amount / price.minor * scale) if price.nano else 0
    for near in (candidate, candidate + 1, candidate - 1):
        if price.times(Fraction(near, scale)) == amount:
            return decimal_text(near, QUANTITY_DECIMALS_MAX)
    raise InvariantBroken(f"no printed quantity near {quantity} at {price} gives {amount}")


def nano_text(nano: int) -> str:
    """A quantity in 1e-9 without needless zeros: ``12.5``, ``3``."""
    return decimal_text(nano, PRICE_DECIMALS).rstrip("0").rstrip(".")


def percent_of(part: Fraction | None) -> str | None:
    """A part of one as percent, rounded: ``39.53``."""
    return (
        decimal_text(round_half_away(part * 10 ** (2 + PERCENT_DECIMALS)), PERCENT_DECIMALS)
        if part is not None
        else None
    )


def minor_text(minor: Fraction | None, currency: str, *, more_decimals: int = 0) -> str | None:
    """An exact amount of minor units as decimal text, rounded to so many decimals more than the currency has."""
    if minor is None:
        return None
    return decimal_text(round_half_away(minor * 10**more_decimals), exponent(currency) + more_decimals)
