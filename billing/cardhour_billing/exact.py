"""Exact figures beside the rounded ones: products and shares in which nothing is lost.

Owns decimal texts for other programs, and sharing a rounded sum out to its parts. Does not own amounts (``money``).
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from cardhour_billing.money import PRICE_DECIMALS, Money, allocate, decimal_text, exponent, round_half_away
from cardhour_contract.moment import CARD_HOUR_US


def exact_price(net: Money, quantity: Fraction) -> str:
    """The price of one unit, with as few decimals as it takes for ``quantity`` × price to round to ``net``."""
    decimals = exponent(net.currency)
    scale = 10**decimals
    price = round_half_away(net.amount / quantity) if quantity else 0
    while quantity and round_half_away(price * quantity * 10 ** exponent(net.currency) / scale) != net.amount:
        decimals += 1
        scale *= 10
        price = round_half_away(net.amount * Fraction(scale, 10 ** exponent(net.currency)) / quantity)
    return decimal_text(price, decimals)


def product(quantity: str, price: str) -> str:
    """Quantity × price in all its decimals, from decimal texts: nothing is rounded."""
    decimals = sum(len(text.partition(".")[2]) for text in (quantity, price))
    exact = Fraction(quantity) * Fraction(price) * 10**decimals
    text = decimal_text(exact.numerator, decimals)
    return text.rstrip("0").rstrip(".") if decimals else text


def hour_shares(quantities_us: Sequence[int]) -> list[str]:
    """Card-hours of nine decimals each, that sum to the card-hours of the whole."""
    whole = round_half_away(Fraction(sum(quantities_us), CARD_HOUR_US) * 10**PRICE_DECIMALS)
    return [decimal_text(share, PRICE_DECIMALS) for share in allocate(whole, quantities_us)]


def parts_within(net: Money, grosses: Sequence[Money], rate: Fraction) -> list[Money]:
    """``net``, which is that of the sum of ``grosses``, shared by largest remainder, whatever their signs."""
    shares = share_out(net.amount, [gross.amount / (1 + rate) for gross in grosses])
    return [Money(amount=share, currency=net.currency) for share in shares]


def share_out(whole: int, exact: Sequence[Fraction]) -> list[int]:
    """Integers that sum to ``whole``, each the floor of its exact part or one more: largest remainder, of any signs.

    ``whole`` is the sum of the exact parts, rounded.
    """
    shares = [each.numerator // each.denominator for each in exact]
    by_remainder = sorted(range(len(exact)), key=lambda at: (shares[at] - exact[at], at))
    for at in by_remainder[: whole - sum(shares)]:
        shares[at] += 1
    return shares
