"""Charts drawn on the server as SVG: geometry in attributes, paint in classes, so that the page needs no script and
no inline style.

Owns positions and scales. Does not own figures: every bar stands for an amount that the document already names, and
the legend carries those amounts' exact sums. Coordinates are floats, which nothing is billed from.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from cardhour_billing.figures import MINUS, grouped
from cardhour_billing.frozen.document import InvoiceDocument

SERIES_MAX = 6
"""Colours that stay apart for every kind of colour sight; what exceeds them is drawn and summed as one."""
DAYS_MAX = 62
"""Widest span of days that bars can show; a document's period is a month."""

_HEAD, _FOOT = 8, 22
"""View-box units above the plot, for half a label, and below it, for the days."""
_SEAM = 0.75
"""Ground left between two colours of a pile, so that they part in greyscale too; and the thinnest bar drawn."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """A rectangle in view-box units."""

    x: float
    y: float
    width: float
    height: float
    paint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """A label and where it stands along its axis."""

    at: float
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """One colour: its name and its exact sum as grouped text."""

    name: str
    sum: str
    paint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BarChart:
    """Bars by day, stacked."""

    width: int
    height: int
    left: int
    bars: tuple[Bar, ...]
    grid: tuple[Tick, ...]
    days: tuple[Tick, ...]
    base: float


@dataclass(frozen=True, slots=True, kw_only=True)
class DayCharges:
    """Charges of one document by day: the chart for wide and narrow screens, its legend, and the table of the same."""

    wide: BarChart
    phone: BarChart
    series: tuple[Series, ...]
    table: tuple[tuple[str, str], ...]
    """Day and its grouped sum, for every day of the period."""
    undated: str
    """What leases and other charges of no day come to; empty where there are none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """Minor units by day and series. ``paints`` where series are not just the first, second, third colour."""

    days: tuple[str, ...]
    names: tuple[str, ...]
    amounts: dict[str, dict[str, int]]
    paints: tuple[str, ...] = ()

    def paint(self, at: int) -> str:
        """The class of a series, by its place."""
        return self.paints[at] if self.paints else f"series-{at + 1}"


def day_charges(document: InvoiceDocument, other: str) -> DayCharges | None:
    """Charges by day, coloured by model; ``other`` names what exceeds the colours. None where lines have no days."""
    if not any(line.days for line in document.lines):
        return None
    stack = _stack(document, other)
    undated = [_minor(line.amount) for line in document.lines if not line.days]
    sums = {name: sum(by_day.values()) for name, by_day in stack.amounts.items()}
    return DayCharges(
        wide=stacked_bars(stack, document.decimals, width=720, height=230, label_every=2),
        phone=stacked_bars(stack, document.decimals, width=330, height=200, label_every=5),
        series=tuple(
            Series(name=name, sum=amount_text(sums[name], document.decimals), paint=stack.paint(at))
            for at, name in enumerate(stack.names)
        ),
        table=tuple(
            (day, amount_text(sum(stack.amounts[name].get(day, 0) for name in stack.names), document.decimals))
            for day in stack.days
        ),
        undated=amount_text(sum(undated), document.decimals) if undated else "",
    )


def _stack(document: InvoiceDocument, other: str) -> Stack:
    by_model: dict[str, dict[str, int]] = {}
    for line in document.lines:
        if not line.days:
            continue  # a charge is of no day
        own = by_model.setdefault(line.model, {})
        for share in line.days:
            own[share.day] = own.get(share.day, 0) + _minor(share.amount)
    largest = sorted(by_model, key=lambda name: -abs(sum(by_model[name].values())))
    names = largest if len(largest) <= SERIES_MAX else [*largest[: SERIES_MAX - 1], other]
    amounts: dict[str, dict[str, int]] = {name: {} for name in names}
    for model, by_day in by_model.items():
        target = amounts[model if model in amounts else other]
        for day, amount in by_day.items():
            target[day] = target.get(day, 0) + amount
    return Stack(days=_days(document, by_model), names=tuple(names), amounts=amounts)


def _days(document: InvoiceDocument, by_model: dict[str, dict[str, int]]) -> tuple[str, ...]:
    first, last = date.fromisoformat(document.period.first_day), date.fromisoformat(document.period.last_day)
    span = [(first + timedelta(days=day)).isoformat() for day in range(min((last - first).days + 1, DAYS_MAX))]
    return tuple(sorted({*span, *(day for by_day in by_model.values() for day in by_day)})[:DAYS_MAX])


def stacked_bars(stack: Stack, decimals: int, *, width: int, height: int, label_every: int) -> BarChart:
    highest, lowest = _extent(stack)
    step = _step(highest - lowest)
    top, bottom = -(-max(highest, 1) // step) * step, lowest // step * step
    marks = {at: _axis_text(at, decimals) for at in range(bottom, top + 1, step)}
    left = 8 + 7 * max(len(mark) for mark in marks.values())
    scale = (height - _HEAD - _FOOT) / (top - bottom)
    slot = (width - left) / len(stack.days)

    def y(amount: int) -> float:
        return round(_HEAD + (top - amount) * scale, 2)

    return BarChart(
        width=width,
        height=height,
        left=left,
        bars=tuple(
            Bar(
                x=round(left + at * slot + 1, 2),
                y=y(end),
                width=round(slot - 2, 2),
                height=round(max(y(start) - y(end) - (_SEAM if start > 0 else 0), _SEAM), 2),
                paint=paint,
            )
            for at, day in enumerate(stack.days)
            for start, end, paint in _pile(stack, day)
        ),
        grid=tuple(Tick(at=y(at), text=mark) for at, mark in marks.items()),
        days=tuple(
            Tick(at=round(left + (at + 0.5) * slot, 2), text=str(int(day[8:])))
            for at, day in enumerate(stack.days)
            if at % label_every == 0
        ),
        base=y(0),
    )


def _extent(stack: Stack) -> tuple[int, int]:
    """The highest and the lowest end of any day's pile, in minor units; zero is always in it."""
    ends = [end for day in stack.days for start, top, _ in _pile(stack, day) for end in (start, top)]
    return max(ends, default=0), min(0, *ends) if ends else 0


def _pile(stack: Stack, day: str) -> list[tuple[int, int, str]]:
    """Start, end and paint of each series on one day: charges pile up from zero, credits hang down from it."""
    above = below = 0
    pile = []
    for number, name in enumerate(stack.names):
        amount = stack.amounts[name].get(day, 0)
        if amount > 0:
            pile.append((above, above + amount, stack.paint(number)))
            above += amount
        elif amount < 0:
            pile.append((below + amount, below, stack.paint(number)))
            below += amount
    return pile


def _step(span: int) -> int:
    """A round distance of grid lines, in minor units, that gives about four of them."""
    wanted = max(span // 4, 1)
    power: int = 10 ** (len(str(wanted)) - 1)
    return next(step for step in (power, 2 * power, 5 * power, 10 * power) if step >= wanted)


def _axis_text(amount: int, decimals: int) -> str:
    whole, rest = divmod(abs(amount), 10**decimals)
    sign = MINUS if amount < 0 else ""
    if rest:
        return sign + grouped(f"{whole}.{rest:0{decimals}d}")
    for size, letter in ((1_000_000, "M"), (1_000, "k")):
        if whole >= size and whole % (size // 10) == 0:
            tenths = whole * 10 // size
            return f"{sign}{tenths // 10}{f'.{tenths % 10}' if tenths % 10 else ''}{letter}"
    return sign + grouped(str(whole))


def _minor(amount: str) -> int:
    # An amount carries exactly its currency's decimals, so its digits are its minor units.
    return int(amount.replace(".", ""))


def amount_text(amount: int, decimals: int) -> str:
    digits = str(abs(amount)).rjust(decimals + 1, "0")
    sign = "-" if amount < 0 else ""
    return grouped(sign + (f"{digits[:-decimals]}.{digits[-decimals:]}" if decimals else digits))
