"""Pictures of the page: the week's hours as areas, the month's money as two lines, the cards as one bar.

Owns positions. Every picture stands beside its figures as text. Coordinates are floats, which nothing is billed from.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from cardhour_billing.money import exponent
from cardhour_billing.month import clock_time
from cardhour_billing.portal.charts import Tick, amount_text
from cardhour_billing.portal.today.fleet import STATES, Hour
from cardhour_billing.portal.today.money import Earned
from cardhour_contract.moment import CARD_HOUR_US, HOUR_MS

_TOP, _FOOT, _LEFT = 8, 22, 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Area:
    """A polygon."""

    points: str
    paint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Areas:
    """Hours piled up by state."""

    width: int
    height: int
    areas: tuple[Area, ...]
    grid: tuple[Tick, ...]
    days: tuple[Tick, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lines:
    """Money of two months, day by day added up."""

    width: int
    height: int
    now: str
    before: str
    end_x: float
    end_y: float
    grid: tuple[Tick, ...]
    days: tuple[Tick, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A piece of the bar of cards, in thousandths."""

    x: int
    width: int
    paint: str


def card_bar(counts: Sequence[int]) -> tuple[Part, ...]:
    """The cards by state; pieces add up to 1000."""
    whole = sum(counts) or 1
    ends = [1000 * end // whole for end in accumulate(counts)]
    return tuple(
        Part(x=start, width=end - start, paint=f"fill-{state}")
        for state, start, end in zip(STATES, [0, *ends[:-1]], ends, strict=True)
        if end > start
    )


def week_chart(hours: Sequence[Hour], timezone: str, *, width: int, height: int, label_every: int) -> Areas | None:
    """Cards by state over the hours there are; none without hours."""
    if len(hours) < 2:
        return None
    first, last = hours[0].start_ms, hours[-1].start_ms
    top = max(-(-sum(each.terms_us) // CARD_HOUR_US) for each in hours) or 1
    step = max(1, -(-top // 4))

    def x(at_ms: int) -> float:
        return round(_LEFT + (width - _LEFT) * (at_ms - first) / (last - first), 1)

    def y(cards: float) -> float:
        return round(_TOP + (height - _TOP - _FOOT) * (1 - cards / (step * 4)), 1)

    piles = [list(accumulate(each.terms_us, initial=0)) for each in hours]
    areas = []
    for at, state in enumerate(STATES):
        upper = [
            f"{x(each.start_ms)},{y(pile[at + 1] / CARD_HOUR_US)}" for each, pile in zip(hours, piles, strict=True)
        ]
        lower = [f"{x(each.start_ms)},{y(pile[at] / CARD_HOUR_US)}" for each, pile in zip(hours, piles, strict=True)]
        if upper != lower:
            areas.append(Area(points=" ".join([*upper, *reversed(lower)]), paint=f"fill-{state}"))
    midnights = [each.start_ms for each in hours if clock_time(each.start_ms, timezone) == "00:00"]
    return Areas(
        width=width,
        height=height,
        areas=tuple(areas),
        grid=tuple(Tick(at=y(step * mark), text=f"{step * mark:,}") for mark in range(5)),
        days=tuple(
            Tick(at=x(at + 12 * HOUR_MS), text=clock_time(at, timezone, "%m-%d"))
            for number, at in enumerate(midnights)
            if number % label_every == 0 and at + 12 * HOUR_MS <= last
        ),
    )


def money_chart(earned: Earned, *, width: int, height: int) -> Lines | None:
    """The month so far and the whole month before; none where neither earned anything."""
    now, before = list(accumulate(earned.days)), list(accumulate(earned.days_before))
    top = max([*now, *before, 0])
    if top <= 0:
        return None
    decimals = exponent(earned.currency)
    step = _round(top, decimals)
    days = max(len(now), len(before))

    def x(day: int) -> float:
        return round(_LEFT + 8 + (width - _LEFT - 16) * day / max(days - 1, 1), 1)

    def y(amount: int) -> float:
        return round(_TOP + (height - _TOP - _FOOT) * (1 - max(amount, 0) / (step * 4)), 1)

    return Lines(
        width=width,
        height=height,
        now=" ".join(f"{x(at)},{y(amount)}" for at, amount in enumerate(now)),
        before=" ".join(f"{x(at)},{y(amount)}" for at, amount in enumerate(before)),
        end_x=x(len(now) - 1),
        end_y=y(now[-1]),
        grid=tuple(Tick(at=y(step * mark), text=_short(step * mark, decimals)) for mark in range(5)),
        days=tuple(Tick(at=x(day - 1), text=str(day)) for day in range(1, days + 1, 7)),
    )


def _round(top: int, decimals: int) -> int:
    """A round quarter of the scale, in minor units: at least one unit."""
    wanted = max(-(-top // 4), 10**decimals)
    power: int = 10 ** (len(str(wanted)) - 1)
    return next(step for step in (power, 2 * power, 5 * power, 10 * power) if step >= wanted)


def _short(amount: int, decimals: int) -> str:
    whole = amount // 10**decimals
    for size, letter in ((1_000_000, "M"), (1_000, "k")):
        if whole >= size and whole % (size // 10) == 0:
            return f"{whole // size}{f'.{whole * 10 // size % 10}' if whole * 10 // size % 10 else ''}{letter}"
    return amount_text(amount, decimals) if amount % 10**decimals else f"{whole:,}"
