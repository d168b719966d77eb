"""What a quantity costs: per unit, graduated or volume, exact; and which time-of-day band an instant is in.

Owns tiers, bands and their arithmetic. Does not own which price holds (``price``), nor rounding (``money``).
A graduated price charges each slice of a quantity at its tier; a volume price charges the whole quantity at the tier
that it reaches. A quantity that is exactly a tier's end is still in that tier. Bands are told by the local wall clock
at the start of a quarter hour: an hour that the clock repeats counts twice, one that it skips not at all.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from fractions import Fraction
from typing import Literal, NamedTuple
from zoneinfo import ZoneInfo

from msgspec import Struct

from cardhour_billing.money import NANO, PPM, card_hours, exponent, round_half_away
from cardhour_contract.moment import CARD_HOUR_US, from_ms

Kind = Literal["per-unit", "graduated", "volume"]
Days = Literal["all", "weekdays", "weekends"]

DAY_MINUTES = 24 * 60
QUARTER_MINUTES = 15
SATURDAY = 5


class Tier(Struct, frozen=True, kw_only=True):
    """A step of a tiered price: what one card-hour costs until ``to_us`` card-microseconds, or without end."""

    to_us: int | None = None
    nano: int


class Slice(NamedTuple):
    """A part of a quantity and what one card-hour of it costs. ``tier`` says where it lies; empty for per unit."""

    quantity_us: int
    nano: int
    tier: str


class Rate(Struct, frozen=True, kw_only=True):
    """A price of one card-hour, in 1e-9 currency units.

    ``nano`` is the price of every card-hour where ``kind`` is per unit; where it is not, ``tiers`` are, ascending, the
    last without end, and ``nano`` is the first tier's.
    """

    nano: int
    kind: Kind = "per-unit"
    tiers: tuple[Tier, ...] = ()

    def slices(self, quantity_us: int) -> Iterator[Slice]:
        """``quantity_us`` as the parts that are charged alike; they sum to it."""
        if self.kind == "per-unit":
            yield Slice(quantity_us, self.nano, "")
            return
        from_us = 0
        for tier in self.tiers:
            inside = tier.to_us is None or quantity_us <= tier.to_us
            if self.kind == "volume" and inside:
                yield Slice(quantity_us, tier.nano, tier_text(from_us, tier.to_us))
                return
            if self.kind == "graduated":
                until_us = quantity_us if inside else tier.to_us or 0
                yield Slice(until_us - from_us, tier.nano, tier_text(from_us, tier.to_us))
            if inside:
                return
            from_us = tier.to_us or 0

    def cost(self, quantity_us: int, currency: str) -> Fraction:
        """What ``quantity_us`` comes to in minor units, exact."""
        nanos = sum(part.quantity_us * part.nano for part in self.slices(quantity_us))
        return Fraction(nanos * 10 ** exponent(currency), NANO * CARD_HOUR_US)


class Band(Rate, frozen=True, kw_only=True):
    """A rate of its own for some hours of the day, ``[from_minute, to_minute)`` by the wall clock.

    Where ``to_minute`` is not after ``from_minute`` it runs past midnight; each quarter is judged by its own day.
    """

    name: str
    days: Days = "all"
    from_minute: int
    to_minute: int

    def covers(self, weekday: int, minute: int) -> bool:
        """Whether a local minute of a weekday (Monday is 0) is in it."""
        if self.days != "all" and (weekday >= SATURDAY) != (self.days == "weekends"):
            return False
        if self.from_minute < self.to_minute:
            return self.from_minute <= minute < self.to_minute
        return minute >= self.from_minute or minute < self.to_minute


def band_at(bands: tuple[Band, ...], at_ms: int, local: ZoneInfo) -> Band | None:
    """The band that an instant is in by the wall clock of ``local``; ``None`` for the price's own hours."""
    clock: datetime = from_ms(at_ms).astimezone(local)
    minute = clock.hour * 60 + clock.minute
    return next((band for band in bands if band.covers(clock.weekday(), minute)), None)


def band_overlap(bands: tuple[Band, ...]) -> tuple[Band, Band] | None:
    """Two bands that share a quarter hour of the week, if any do."""
    for weekday in range(7):
        for minute in range(0, DAY_MINUTES, QUARTER_MINUTES):
            found = [band for band in bands if band.covers(weekday, minute)]
            if len(found) > 1:
                return found[0], found[1]
    return None


def discounted(nano: int, discount_ppm: int) -> int:
    """A unit price less a discount, itself a price: rounded once to 1e-9, half away from zero."""
    return round_half_away(Fraction(nano * (PPM - discount_ppm), PPM)) if discount_ppm else nano


def tier_text(from_us: int, to_us: int | None) -> str:
    """A tier as a reader sees it, in card-hours: ``0–1000 h``, ``over 1000 h``."""
    return f"over {hours_text(from_us)} h" if to_us is None else f"{hours_text(from_us)}–{hours_text(to_us)} h"


def hours_text(quantity_us: int) -> str:
    """Card-hours without needless decimals: ``1000``, ``0.5``."""
    return card_hours(quantity_us).rstrip("0").rstrip(".")
