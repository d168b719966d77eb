"""Pictures of an explained line: its days as bars, and a card's day in quarter hours, stacked by state.

Each bar that has a level below it leads there.

Owns positions. Does not own figures: every bar stands for one that a table beside it names. Coordinates are floats,
which nothing is billed from.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING

from cardhour_billing.money import HOUR_DECIMALS, shown_hours
from cardhour_billing.month import clock_time
from cardhour_billing.portal.card_time import QUARTER_US, STATES, CardTime, term_us
from cardhour_billing.portal.cards import scaled
from cardhour_billing.portal.charts import Bar, Tick
from cardhour_billing.portal.explaining import Level, Row
from cardhour_contract.moment import HOUR_MS, QUARTER_MS, format_rfc3339

if TYPE_CHECKING:
    from cardhour_ingest.warehouse.evidence import CardQuarter

_HEAD, _FOOT = 16, 18
"""View-box units above the bars, for a label, and below them, for the axis."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkedBars:
    """Bars that lead to ``row`` together; without one they lead nowhere."""

    row: Row | None
    label: str
    bars: tuple[Bar, ...]
    ground: Bar
    """The whole slot: what a pointer hits, and what a chosen one is framed by."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkedChart:
    """Slots side by side, with labels under them."""

    width: int
    height: int
    slots: tuple[LinkedBars, ...]
    ticks: tuple[Tick, ...]


def day_chart(days: Level, first_day: str, last_day: str, *, width: int, label_every: int = 1) -> LinkedChart:
    """The line by day, for every day of the period, those without usage too."""
    first, last = date.fromisoformat(first_day), date.fromisoformat(last_day)
    calendar = [(first + timedelta(days=at)).isoformat() for at in range((last - first).days + 1)]
    by_day = {str(row.name["day"]): row for row in days.rows}
    highest_us = max(row.quantity_us for row in days.rows)
    height, slot = 150, width / len(calendar)
    plot = height - _HEAD - _FOOT

    def bars(at: int, day: str) -> LinkedBars:
        row = by_day.get(day)
        tall = round(plot * row.quantity_us / highest_us, 2) if row else 0
        paint = "fill-billable" if row and row.chosen else "fill-billable faint-bar"
        bar = Bar(x=round(at * slot + 1, 2), y=_HEAD + plot - tall, width=round(slot - 2, 2), height=tall, paint=paint)
        ground = Bar(x=round(at * slot, 2), y=0, width=round(slot, 2), height=height, paint="hit")
        return LinkedBars(row=row, label=f"{day}: {row.card_hours}" if row else day, bars=(bar,), ground=ground)

    return LinkedChart(
        width=width,
        height=height,
        slots=tuple(bars(at, day) for at, day in enumerate(calendar)),
        ticks=tuple(
            Tick(at=round((at + 0.5) * slot, 2), text=str(int(day[8:])))
            for at, day in enumerate(calendar)
            if at % label_every == 0
        ),
    )


def quarter_chart(time: CardTime, billed: Sequence[Row], *, width: int, hours_between: int = 2) -> LinkedChart:
    """A card's day, one slot for each quarter hour that the clock had; a billed one leads to its records."""
    start_ms, end_ms = time.span_ms
    starts = range(start_ms, end_ms, QUARTER_MS)
    pages = {each.start_ms: each for each in time.quarters}
    rows: dict[str, list[Row]] = {}
    for each in billed:  # a quarter hour that several owners share has a row for each
        rows.setdefault(str(each.name["quarter"]), []).append(each)
    height, slot = 76, width / len(starts)
    plot = height - _FOOT

    def bars(at: int, at_ms: int) -> LinkedBars:
        x, width = round(at * slot, 2), round(slot - 1, 2)
        here, label = rows.get(format_rfc3339(at_ms)), clock_time(at_ms, time.timezone)
        return LinkedBars(
            row=here[0] if here else None,
            label=f"{label}: {_hours(here)}" if here else label,
            bars=tuple(_pile(pages[at_ms], plot, x, width)) if at_ms in pages else (),
            ground=Bar(x=x, y=0, width=round(slot, 2), height=plot, paint="hit"),
        )

    every = hours_between * HOUR_MS // QUARTER_MS
    return LinkedChart(
        width=width,
        height=height,
        slots=tuple(bars(at, at_ms) for at, at_ms in enumerate(starts)),
        ticks=tuple(
            Tick(at=round(at * slot, 2), text=clock_time(at_ms, time.timezone))
            for at, at_ms in enumerate(starts)
            if at % every == 0
        ),
    )


def _hours(rows: Sequence[Row]) -> str:
    (hours,) = shown_hours([sum(row.quantity_us for row in rows)])
    return scaled(hours, HOUR_DECIMALS)


def _pile(page: CardQuarter, plot: int, x: float, width: float) -> Iterator[Bar]:
    """The terms of a quarter hour from the ground up; rounding, a few microseconds, is too small to draw."""
    base = float(plot)
    for state in STATES[:-1]:
        height = plot * term_us(page, state) / QUARTER_US
        if height:
            base -= height
            yield Bar(x=x, y=round(base, 2), width=width, height=round(height, 2), paint=f"fill-{state}")
