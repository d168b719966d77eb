"""What an open month will come to: said with how it is reckoned, and as a span, because nobody knows.

Owns the reckoning. Usage by the card-hour goes on at the mean of the last whole days; what is leased goes on as
contracted; what is of no day stays. Tiers, commitments and credits yet to come are not guessed. Plain Python.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from cardhour_billing.money import round_half_away
from cardhour_billing.month import billing_period, parse_month
from cardhour_billing.month_usage.content import MonthUsage

DAYS = 7
"""Whole days that the mean is taken of: a week has every kind of day once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """Minor units. ``low`` and ``high``: at the mean of the quieter and of the busier half of the same days."""

    amount: int
    low: int
    high: int
    daily: int
    """The mean of a day's usage."""
    days: int
    """Of how many whole days."""
    by_day: dict[str, int]
    """What each day to come is expected to bring of usage; the rest of today with it."""


def forecast(usage: MonthUsage) -> Forecast | None:
    """None for a month that is over, and before its first whole day."""
    if usage.over:
        return None
    spent: dict[str, int] = {}
    for cell in usage.cells:
        spent[cell.day] = spent.get(cell.day, 0) + cell.net
    today = usage.days_known - 1
    whole = usage.days[:today]
    if _whole(usage, today):
        whole, today = usage.days[: today + 1], today + 1
    if not whole:
        return None
    recent = sorted(spent.get(day, 0) for day in whole[-DAYS:])
    half = (len(recent) + 1) // 2
    mean = Fraction(sum(recent), len(recent))
    low, high = Fraction(sum(recent[:half]), half), Fraction(sum(recent[-half:]), half)
    rents = sum(charge.net for charge in usage.charges)
    so_far = sum(spent.get(day, 0) for day in whole)
    begun = spent.get(usage.days[today], 0) if today < len(usage.days) else 0
    left = len(usage.days) - today

    def until_the_end(rate: Fraction) -> int:
        """With the day that has begun at what it has come to, if that is more than a usual day."""
        return so_far + rents + (round_half_away(max(Fraction(begun), rate) + rate * (left - 1)) if left else 0)

    expected = round_half_away(mean)
    ahead = {usage.days[at]: expected for at in range(today, len(usage.days))}
    if today < len(usage.days):
        ahead[usage.days[today]] = max(0, expected - begun)
    return Forecast(
        amount=until_the_end(mean),
        low=until_the_end(low),
        high=until_the_end(high),
        daily=expected,
        days=len(recent),
        by_day=ahead,
    )


def _whole(usage: MonthUsage, at: int) -> bool:
    """Whether everything of a day is known."""
    period = billing_period(parse_month(usage.month), usage.timezone)
    ends = (*period.day_starts_ms[1:], period.end_ms)
    return usage.until_ms >= ends[at]
