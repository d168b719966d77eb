"""Money: the only door to Decimal, and the only place that rounds.

Owns amounts (integers of the currency's minor unit), unit prices (integers of 1e-9 currency units), their text, and
the three ways a figure may lose digits: rounding a line, printing a quantity, sharing out a total. Does not own what
is priced (``rating``). Between two integers everything is an exact ``Fraction``; a float is refused at construction.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from functools import cache

from iso4217 import Currency

from cardhour_contract.errors import InvariantBroken, Refuse
from cardhour_contract.moment import CARD_HOUR_US

NANO = 1_000_000_000
"""Unit prices are kept in 1e-9 of the currency unit: billing.md §1."""
PRICE_DECIMALS = 9

PRICE_MINOR_MAX = 1_000_000_000
"""Highest unit price, in minor units of the currency (10 million USD a card-hour).

At this price one step of a quantity printed with 9 decimals is worth one minor unit, so that some printed quantity
always reproduces the amount; above it there may be none.
"""

QUANTITY_DECIMALS_MIN = 4
QUANTITY_DECIMALS_MAX = 9
"""A printed quantity has as many decimals as it takes, within these: billing.md §1."""


@cache
def exponent(currency: str) -> int:
    """Decimals of ``currency`` by ISO 4217: JPY 0, CNY 2, KWD 3. Refuses what is no code, and metals such as XAU."""
    try:
        decimals = Currency(currency).exponent
    except ValueError as error:
        raise Refuse(f"'{currency}' is not an ISO 4217 currency code such as USD or CNY") from error
    if decimals is None:
        raise Refuse(f"'{currency}' has no minor unit, so no amount can be rounded to it")
    return int(decimals)


@dataclass(frozen=True, slots=True, kw_only=True, order=False)
class Money:
    """An amount of money.

    amount: integer minor units of the currency (cents, yen, fils).
    currency: ISO 4217 code.
    """

    amount: int
    currency: str

    def __post_init__(self) -> None:
        _whole(self.amount, "an amount")
        exponent(self.currency)

    def __add__(self, other: Money) -> Money:
        return Money(amount=self.amount + self._same(other).amount, currency=self.currency)

    def __sub__(self, other: Money) -> Money:
        return Money(amount=self.amount - self._same(other).amount, currency=self.currency)

    def __neg__(self) -> Money:
        return Money(amount=-self.amount, currency=self.currency)

    def __str__(self) -> str:
        """Decimal with exactly the currency's decimals, ungrouped: ``-75092.72``."""
        return decimal_text(self.amount, exponent(self.currency))

    def allocate(self, weights: Sequence[int]) -> list[Money]:
        """Shares in proportion to ``weights`` that sum to this amount exactly."""
        return [Money(amount=share, currency=self.currency) for share in allocate(self.amount, weights)]

    def _same(self, other: Money) -> Money:
        if other.currency != self.currency:
            raise InvariantBroken(f"{self.currency} and {other.currency} cannot be mixed in one sum")
        return other


def total(amounts: Iterable[Money], currency: str) -> Money:
    """The sum of rounded amounts; zero of ``currency`` where there are none."""
    result = Money(amount=0, currency=currency)
    for each in amounts:
        result = result + each
    return result


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitPrice:
    """The price of one unit: a card-hour, a card-month, an item.

    nano: integer 1e-9 of the currency unit, zero or more.
    currency: ISO 4217 code.
    """

    nano: int
    currency: str

    def __post_init__(self) -> None:
        _whole(self.nano, "a unit price")
        if self.nano < 0:
            raise Refuse("a unit price is zero or more; what is given back is a credit note")
        if self.minor > PRICE_MINOR_MAX:
            raise Refuse(f"a unit price of {self} {self.currency} is above the limit of {PRICE_MINOR_MAX} minor units")

    @property
    def minor(self) -> Fraction:
        """Exact price in minor units of the currency."""
        return Fraction(self.nano * 10 ** exponent(self.currency), NANO)

    def charge(self, quantity_us: int) -> Money:
        """What ``quantity_us`` card-microseconds cost, rounded once, half away from zero."""
        _whole(quantity_us, "a quantity")
        return Money(amount=round_half_away(self.minor * Fraction(quantity_us, CARD_HOUR_US)), currency=self.currency)

    def times(self, quantity: Fraction | int) -> Money:
        """What an exact number of units costs, rounded once, half away from zero."""
        return Money(amount=round_half_away(self.minor * quantity), currency=self.currency)

    def __str__(self) -> str:
        """Decimal with at least the currency's decimals, and no zeros beyond them: ``22.84``, ``1.616532``."""
        whole, _, decimals = decimal_text(self.nano, PRICE_DECIMALS).partition(".")
        kept = decimals.rstrip("0").ljust(exponent(self.currency), "0")
        return f"{whole}.{kept}" if kept else whole


def parse_price(text: str, currency: str) -> UnitPrice:
    """A unit price from its decimal text; more than nine decimals are refused, not rounded."""
    return UnitPrice(nano=parse_nano(text), currency=currency)


def parse_nano(text: str) -> int:
    """A decimal text as an integer of 1e-9."""
    if not isinstance(text, str):
        raise InvariantBroken(f"a price is read from text, not from {type(text).__name__}")
    try:
        value = Decimal(text)
    except InvalidOperation as error:
        raise Refuse(f"'{text}' is not a decimal number such as 1.616532") from error
    if not value.is_finite() or text.strip() != text or "_" in text:
        raise Refuse(f"'{text}' is not a decimal number such as 1.616532")
    nano = Fraction(value) * NANO
    if nano.denominator != 1:
        raise Refuse(f"'{text}' has more than {PRICE_DECIMALS} decimals")
    return nano.numerator


def round_half_away(value: Fraction) -> int:
    """The nearest integer; a half goes away from zero, so that a credit mirrors its charge."""
    magnitude = (2 * abs(value.numerator) + value.denominator) // (2 * value.denominator)
    return magnitude if value >= 0 else -magnitude


def printed_quantity(quantity_us: int, price: UnitPrice) -> str:
    """Card-hours with the fewest decimals, 4 to 9, for which printed quantity × price rounds to the charged amount."""
    amount = price.charge(quantity_us).amount
    hours = Fraction(quantity_us, CARD_HOUR_US)
    for decimals in range(QUANTITY_DECIMALS_MIN, QUANTITY_DECIMALS_MAX + 1):
        nearest = round_half_away(hours * 10**decimals)
        # Where the exact product lies on a half, the nearest printed quantity may fall on its other side.
        candidates = (nearest,) if decimals < QUANTITY_DECIMALS_MAX else (nearest, nearest + 1, nearest - 1)
        for candidate in candidates:
            if round_half_away(price.minor * Fraction(candidate, 10**decimals)) == amount:
                return decimal_text(candidate, decimals)
    raise InvariantBroken(f"no printed quantity of {quantity_us} us at {price} gives {amount} minor units")


def card_hours(quantity_us: int, decimals: int = PRICE_DECIMALS) -> str:
    """Card-hours with so many decimals, rounded: for tables that print no price beside them."""
    return decimal_text(round_half_away(Fraction(quantity_us, CARD_HOUR_US) * 10**decimals), decimals)


def parse_amount(text: str, currency: str) -> Money:
    """An amount as ``Money`` prints it, read back."""
    money = Money(amount=int(text.replace(".", "")), currency=currency)
    if str(money) != text:
        raise InvariantBroken(f"'{text}' is not an amount of {currency} as it is stored")
    return money


AMOUNT_MINOR_MAX = 10**15
"""Highest amount that a person may enter, in minor units: ten trillion CNY is a slip, and sums still fit 63 bits."""


def read_amount(text: str, currency: str) -> Money:
    """An amount as a person writes it: ``1200``, ``1200.5``, ``-3.20``. Nothing is rounded."""
    decimals = exponent(currency)
    try:
        value = Fraction(Decimal(text)) * 10**decimals if re.fullmatch(r"-?[0-9]+(\.[0-9]+)?", text) else None
    except InvalidOperation:
        value = None
    if value is None or abs(value) > AMOUNT_MINOR_MAX:
        raise Refuse(f"'{text}' is not an amount such as 1200 or 1200.50, without grouping")
    if value.denominator != 1:
        raise Refuse(f"'{text}' has more decimals than {currency}, which has {decimals}")
    return Money(amount=value.numerator, currency=currency)


PPM = 1_000_000
RATE_DECIMALS = 4
"""Decimals of a tax rate in percent: a part per million is the last."""


def parse_rate(text: str) -> int:
    """A tax rate in percent, such as ``6`` or ``5.5``, as parts per million."""
    return parse_percent(text, below=100)


def parse_percent(text: str, *, below: int) -> int:
    """A percentage of zero or more and less than ``below``, as parts per million."""
    try:
        value = Decimal(text)
    except InvalidOperation as error:
        raise Refuse(f"'{text}' is not a rate in percent such as 6 or 5.5") from error
    if not value.is_finite() or text.strip() != text or "_" in text or not 0 <= value < below:
        raise Refuse(f"'{text}' is not a rate in percent such as 6 or 5.5")
    ppm = Fraction(value) * PPM / 100
    if ppm.denominator != 1:
        raise Refuse(f"'{text}' has more than {RATE_DECIMALS} decimals")
    return ppm.numerator


def percent_text(rate_ppm: int) -> str:
    """Parts per million as percent: ``6``, ``5.5``."""
    return decimal_text(rate_ppm, RATE_DECIMALS).rstrip("0").rstrip(".")


def tax_on_top(net: Money, rate: Fraction) -> Money:
    """Tax on a net amount, rounded once, half away from zero."""
    return Money(amount=round_half_away(net.amount * rate), currency=net.currency)


def net_within(gross: Money, rate: Fraction) -> Money:
    """The net of an amount that has its tax in it, rounded once; the rest of it is the tax."""
    return Money(amount=round_half_away(gross.amount / (1 + rate)), currency=gross.currency)


def permille_text(permille: int) -> str:
    """A share of a card: ``1``, ``0.5``, ``0.333``."""
    return decimal_text(permille, 3).rstrip("0").rstrip(".")


def allocate(whole: int, weights: Sequence[int]) -> list[int]:
    """``whole`` shared in proportion to ``weights`` (zero or more, not all zero); the shares sum to it exactly.

    Largest remainder: floors first, then one unit each to the largest remainders, ties to the first.
    """
    base = sum(weights)
    if base <= 0 or any(each < 0 for each in weights):
        raise InvariantBroken("an amount can only be shared by weights of zero or more that are not all zero")
    sign = -1 if whole < 0 else 1
    parts = [divmod(abs(whole) * each, base) for each in weights]
    shares = [floor for floor, _ in parts]
    by_remainder = sorted(range(len(parts)), key=lambda at: (-parts[at][1], at))
    for at in by_remainder[: abs(whole) - sum(shares)]:
        shares[at] += 1
    return [sign * share for share in shares]


def _whole(value: int, what: str) -> None:
    # type() and not isinstance: a bool is an int to Python, and never an amount.
    if type(value) is not int:
        raise InvariantBroken(f"{what} is an integer of minor units, not {type(value).__name__} {value!r}")


def decimal_text(scaled: int, decimals: int) -> str:
    """An integer of 10^-decimals as text: ``-75092.72`` for -7509272 and 2."""
    sign = "-" if scaled < 0 else ""
    digits = str(abs(scaled)).rjust(decimals + 1, "0")
    return f"{sign}{digits[:-decimals]}.{digits[-decimals:]}" if decimals else sign + digits


HOUR_DECIMALS = 4
"""Decimals of card-hours in tables for reading."""


def shown_hours(quantities_us: Sequence[int], whole: int | None = None) -> list[int]:
    """Card-hours in units of the last decimal shown; by largest remainder, so that the column adds up to its sum.

    whole: the sum as it is shown elsewhere, a unit off where it is itself a part of something shown so.
    """
    scale = 10**HOUR_DECIMALS
    if any(quantity_us < 0 for quantity_us in quantities_us) or not any(quantities_us):
        return [round_half_away(Fraction(quantity_us * scale, CARD_HOUR_US)) for quantity_us in quantities_us]
    if whole is None:
        whole = round_half_away(Fraction(sum(quantities_us) * scale, CARD_HOUR_US))
    return allocate(whole, quantities_us)
