"""Tiers and time-of-day bands as a catalog writes them: ``tiers = [{ to = "1000", amount = "10" }, { amount = "8" }]``.

Owns their tables and what can be wrong with them. Does not own the price they belong to (``price``) nor what
they come to (``rate_scheme``).
"""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from typing import Literal

import msgspec
from msgspec import Struct

from cardhour_billing.money import parse_price
from cardhour_billing.rating.rate_scheme import DAY_MINUTES, QUARTER_MINUTES, Band, Days, Rate, Tier, band_overlap
from cardhour_contract.errors import Refuse
from cardhour_contract.moment import CARD_HOUR_US

TIERS_MAX = 100
BANDS_MAX = 20
"""More steps or bands than anyone could read on an invoice: a file that has them is a mistake."""

_CLOCK = re.compile(r"(\d\d):(\d\d)")


class TierTable(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One of ``tiers``: what a card-hour costs until so many card-hours; the last has no end."""

    amount: str
    to: str = ""


class BandTable(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One of ``bands``: other prices by the customer's wall clock."""

    name: str
    from_: str = msgspec.field(name="from")
    to: str
    days: Days = "all"
    amount: str = ""
    scheme: Literal["graduated", "volume", ""] = ""
    tiers: list[TierTable] = []


def rate(amount: str, scheme: str, tiers: list[TierTable], currency: str) -> Rate:
    """The rate that a price or a band asks for. Raises Refuse with everything wrong with it."""
    if not tiers and not scheme:
        if not amount:
            raise Refuse("amount: give the price of a card-hour, or a scheme with tiers")
        return Rate(nano=parse_price(amount, currency).nano)
    if amount:
        raise Refuse("amount: a price with tiers has its amounts in them")
    if not tiers or not scheme:
        raise Refuse('tiers: they need a scheme, "graduated" or "volume", and a scheme needs tiers')
    if len(tiers) > TIERS_MAX:
        raise Refuse(f"tiers: at most {TIERS_MAX}")
    found: list[Tier] = []
    before_us = 0
    for at, each in enumerate(tiers):
        last = at == len(tiers) - 1
        if last != (not each.to):
            raise Refuse("tiers: each but the last has a to, in card-hours")
        to_us = None if last else parse_hours(each.to)
        if to_us is not None and to_us <= before_us:
            raise Refuse(f"tiers: to = {each.to} is not above the tier before it")
        before_us = to_us or before_us
        found.append(Tier(to_us=to_us, nano=parse_price(each.amount, currency).nano))
    return Rate(nano=found[0].nano, kind="volume" if scheme == "volume" else "graduated", tiers=tuple(found))


def bands(tables: list[BandTable], currency: str) -> tuple[Band, ...]:
    """The bands that a price asks for. Raises Refuse with what is wrong with them."""
    if len(tables) > BANDS_MAX:
        raise Refuse(f"bands: at most {BANDS_MAX}")
    found = tuple(_band(table, currency) for table in tables)
    names = [band.name for band in found]
    if len(set(names)) < len(names):
        raise Refuse("bands: two have one name")
    if pair := band_overlap(found):
        raise Refuse(f"bands: '{pair[0].name}' and '{pair[1].name}' share hours of the week")
    return found


def parse_hours(text: str) -> int:
    """Card-hours, such as ``1000`` or ``0.5``, as card-microseconds, exact."""
    try:
        value = Decimal(text)
    except InvalidOperation as error:
        raise Refuse(f"'{text}' is not a number of card-hours such as 1000") from error
    if not value.is_finite() or text.strip() != text or "_" in text or value <= 0:
        raise Refuse(f"'{text}' is not a number of card-hours such as 1000")
    us = Fraction(value) * CARD_HOUR_US
    if us.denominator != 1:
        raise Refuse(f"'{text}' card-hours are not a whole number of card-microseconds")
    return us.numerator


def _band(table: BandTable, currency: str) -> Band:
    if not table.name or table.name.strip() != table.name or len(table.name) > 40:
        raise Refuse(f"bands: '{table.name}' is not a name: 1 to 40 characters, no space around it")
    from_minute, to_minute = _minute(table.from_) % DAY_MINUTES, _minute(table.to) % DAY_MINUTES
    price = rate(table.amount, table.scheme, table.tiers, currency)
    return Band(
        name=table.name,
        days=table.days,
        from_minute=from_minute,
        to_minute=to_minute or DAY_MINUTES,
        nano=price.nano,
        kind=price.kind,
        tiers=price.tiers,
    )


def _minute(text: str) -> int:
    match = _CLOCK.fullmatch(text)
    minute = int(match[1]) * 60 + int(match[2]) if match else -1
    if match is None or int(match[2]) > 59 or minute > DAY_MINUTES or minute % QUARTER_MINUTES:
        raise Refuse(f"bands: '{text}' is not a time of day on a quarter hour, such as 08:00 or 22:30")
    return minute
