"""Parts of a month's price: which period an instant lies in, and what a piece of it costs, exact to the minor unit.

Owns the periods of what is charged by the month (leases, add-ons) and their fractions. Does not own what is charged
(``lease``, ``addon``) nor rounding (``money``). Plain Python.

A period is a calendar month, or runs from anniversary to anniversary: from the 31st of January to the last of February
to the 31st of March, at the time of day at which it began. A fraction counts local days, and quarters of a local day
below that, so that a day of 23 or 25 hours is one day like any other. What a period costs up to an instant is rounded,
and a piece costs the difference of two such amounts: however a period is cut, its pieces sum to its price.
"""

from __future__ import annotations

from bisect import bisect_right
from calendar import monthrange
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from fractions import Fraction
from functools import lru_cache
from typing import Literal

from cardhour_billing.money import Money, UnitPrice
from cardhour_billing.month import day_start_ms, local_day, zone
from cardhour_contract.errors import InvariantBroken, Refuse
from cardhour_contract.moment import QUARTER_MS, from_ms, to_ms

Cycle = Literal["calendar", "anniversary"]

PERIODS_MAX = 1_200
"""Periods looked through for one lease: a century of months. Beyond it a date was mistyped."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """One period of a lease or an add-on: ``[start_ms, end_ms)``, counted in the local days of ``timezone``."""

    start_ms: int
    end_ms: int
    timezone: str

    def fraction(self, at_ms: int) -> Fraction:
        """How much of the period has passed at ``at_ms``: 0 at its start, 1 at its end."""
        if not self.start_ms <= at_ms <= self.end_ms:
            raise InvariantBroken("a period was asked for the fraction of an instant outside it")
        first = _position(self.start_ms, self.timezone)
        whole = _position(self.end_ms, self.timezone) - first
        return (_position(at_ms, self.timezone) - first) / whole

    def piece(self, price: UnitPrice, quantity: Fraction | int, from_ms: int, to_ms: int) -> Money:
        """What ``[from_ms, to_ms)`` costs where the whole period costs ``price`` × ``quantity``."""
        return self._until(price, quantity, to_ms) - self._until(price, quantity, from_ms)

    def _until(self, price: UnitPrice, quantity: Fraction | int, at_ms: int) -> Money:
        return price.times(quantity * self.fraction(at_ms))


def periods(cycle: Cycle, anchor_ms: int, timezone: str, from_at_ms: int, to_at_ms: int) -> Iterator[Period]:
    """The periods that share an instant with ``[from_at_ms, to_at_ms)``, in order of time.

    anchor_ms: where the first anniversary period begins, for ``anniversary``; there are none before it.
    """
    first = local_day(from_at_ms, timezone).replace(day=1)
    if cycle == "calendar":
        starts = (_calendar_start(first, timezone, number) for number in range(PERIODS_MAX))
    else:
        anchor = local_day(anchor_ms, timezone)
        # The last anniversary that is surely not after the first instant, so that an old lease costs no more to bill.
        passed = max(0, (first.year - anchor.year) * 12 + first.month - anchor.month - 1)
        starts = (anniversary_ms(anchor_ms, timezone, passed + number) for number in range(PERIODS_MAX))
    start_ms = next(starts)
    for end_ms in starts:
        if start_ms >= to_at_ms:
            return
        if end_ms > from_at_ms:
            yield Period(start_ms=start_ms, end_ms=end_ms, timezone=timezone)
        start_ms = end_ms
    raise Refuse(f"more than {PERIODS_MAX - 1} periods lie between two dates: is a year mistyped?")


def anniversary_ms(anchor_ms: int, timezone: str, months: int) -> int:
    """The instant ``months`` after an anchor: the same local time, on the same day or the last of a shorter month."""
    local = from_ms(anchor_ms).astimezone(zone(timezone))
    day = _months_later(local.date(), months)
    if months == 0:
        return anchor_ms
    return to_ms(datetime.combine(day, local.time(), tzinfo=zone(timezone)))


def _calendar_start(first: date, timezone: str, months: int) -> int:
    return day_start_ms(_months_later(first, months), timezone)


def _months_later(day: date, months: int) -> date:
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


@lru_cache(maxsize=4096)  # the ends of periods recur for every lease of a zone
def _position(at_ms: int, timezone: str) -> Fraction:
    """Local days since year 1, with quarters of the day as its fraction."""
    day = local_day(at_ms, timezone)
    starts = (day_start_ms(day, timezone), day_start_ms(day + timedelta(days=1), timezone))
    # Where midnight comes twice, its second hour still belongs to the day that began at the first.
    number = day.toordinal() + bisect_right(starts, at_ms) - 1
    start_ms = day_start_ms(date.fromordinal(number), timezone)
    length_ms = day_start_ms(date.fromordinal(number + 1), timezone) - start_ms
    for part_ms in (at_ms - start_ms, length_ms):
        if part_ms % QUARTER_MS:
            raise Refuse(f"days in {timezone} do not lie on quarter hours; choose another time zone")
    return number + Fraction(at_ms - start_ms, length_ms)
