"""Pictures of a month of usage: charges by day with what is expected, and leased cards by day as a heat map.

Owns positions and what is grouped into which colour. Does not own figures: every bar and cell stands for one that a
table beside it names. Coordinates are floats, which nothing is billed from.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from cardhour_billing.money import exponent
from cardhour_billing.month_usage.content import LeasedCard, MonthUsage
from cardhour_billing.month_usage.forecast import Forecast
from cardhour_billing.portal.charts import SERIES_MAX, BarChart, Series, Stack, Tick, amount_text, stacked_bars
from cardhour_billing.portal.usage_page import hours_of, hours_parts

Grouping = Literal["day", "project", "model"]
GROUPINGS: tuple[Grouping, ...] = ("day", "project", "model")

HEAT_ROWS_MAX = 64
"""Cards drawn one by one: more would be thinner than a line. Those with most idle time are drawn."""
_ROW, _GAP, _LEFT, _FOOT = 8, 8, 64, 18


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """Words of the legend, in the language of the page."""

    usage: str
    leased: str
    other: str
    undated: str
    none: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DayPicture:
    """Charges by day: chart, legend with exact sums, and the table of the same."""

    wide: BarChart
    phone: BarChart
    series: tuple[Series, ...]
    undated: str
    """What is of no day; empty where there is nothing."""
    total: str
    table: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class HeatCell:
    """A card's day."""

    x: float
    y: int
    paint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HeatMap:
    """Leased cards by day, those of a node together."""

    width: int
    height: int
    cell: float
    cells: tuple[HeatCell, ...]
    groups: tuple[Tick, ...]
    days: tuple[Tick, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LeasedRow:
    """A leased card in the table beside the picture."""

    lease: str
    node: str
    card: str
    used: str
    idle: str
    faulted: str
    leased: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LeasedPicture:
    """How leased cards were used: used + idle + faulted = leased, in each row and in all."""

    wide: HeatMap
    phone: HeatMap
    rows: tuple[LeasedRow, ...]
    others: int
    """Cards that are in the sums and not drawn."""
    sums: LeasedRow
    cards: int
    days: int


def grouping(word: str) -> Grouping:
    """What an address asks to be grouped by; by kind, where it asks for nothing that there is."""
    return next((each for each in GROUPINGS if each == word), "day")


def day_picture(usage: MonthUsage, expected: Forecast | None, by: Grouping, names: Names) -> DayPicture:
    """The bars, coloured by what the charge is for, by project or by model."""
    known = usage.days[: usage.days_known]
    amounts, paints = _amounts(usage, by, names)
    sums = {name: sum(net for day, net in by_day.items() if day in known) for name, by_day in amounts.items()}
    ahead = {name: {day: net for day, net in by_day.items() if day not in known} for name, by_day in amounts.items()}
    drawn = {name: {day: net for day, net in by_day.items() if day in known} for name, by_day in amounts.items()}
    coming: dict[str, dict[str, int]] = {}
    if expected:
        coming = {"ahead-leased": _summed(ahead.values()), "ahead-usage": expected.by_day}
    stack = Stack(
        days=usage.days,
        names=(*drawn, *coming),
        amounts={**drawn, **coming},
        paints=(*paints, *coming),
    )
    decimals = exponent(usage.currency)
    undated = sum(charge.net for charge in usage.charges if not charge.days)
    return DayPicture(
        wide=stacked_bars(stack, decimals, width=720, height=270, label_every=2),
        phone=stacked_bars(stack, decimals, width=330, height=200, label_every=7),
        series=tuple(
            Series(name=name, sum=amount_text(sums[name], decimals), paint=paint)
            for name, paint in zip(drawn, paints, strict=True)
        ),
        undated=amount_text(undated, decimals) if undated else "",
        total=amount_text(usage.to_date, decimals),
        table=tuple((day, amount_text(sum(each.get(day, 0) for each in drawn.values()), decimals)) for day in known),
    )


def _amounts(usage: MonthUsage, by: Grouping, names: Names) -> tuple[dict[str, dict[str, int]], tuple[str, ...]]:
    """Minor units by series and day, and the series' paints. Leases are the ground of each pile."""
    rents: dict[str, int] = {}
    for charge in usage.charges:
        for day, net in charge.days:
            rents[day] = rents.get(day, 0) + net
    found: dict[str, dict[str, int]] = {}
    for cell in usage.cells:
        if cell.kind == "usage":
            name = {"day": names.usage, "project": cell.project or names.none, "model": cell.model}[by]
            days = found.setdefault(name, {})
            days[cell.day] = days.get(cell.day, 0) + cell.net
    largest = sorted(found, key=lambda name: (-sum(found[name].values()), name))
    most = SERIES_MAX - 1
    if len(largest) > most:
        found = {name: found[name] for name in largest[: most - 1]} | {
            names.other: _summed(found[name] for name in largest[most - 1 :])
        }
        largest = [*largest[: most - 1], names.other]
    ordered = {names.leased: rents} if rents else {}
    ordered |= {name: found[name] for name in largest}
    paints = ("fill-leased",) if rents else ()
    return ordered, (*paints, *(f"series-{at + 1}" for at in range(len(largest))))


def leased_picture(usage: MonthUsage) -> LeasedPicture | None:
    """None where no card is leased by name."""
    cards = [card for card in usage.leased_cards if sum(card.leased_us)]
    if not cards:
        return None
    days = usage.days_known
    idlest = sorted(cards, key=lambda card: -_idle(card))[:HEAT_ROWS_MAX]
    shown = [card for card in cards if card in idlest] if len(cards) > HEAT_ROWS_MAX else cards
    terms = [(sum(each.used_us), _idle(each), sum(each.faulted_us)) for each in cards]
    rows = tuple(_row(each.lease, each.node, each.card, term) for each, term in zip(cards, terms, strict=True))
    return LeasedPicture(
        wide=_heat(shown, usage.days[:days], width=520, label_every=5),
        phone=_heat(shown, usage.days[:days], width=330, label_every=5),
        rows=tuple(row for row, card in zip(rows, cards, strict=True) if card in shown),
        others=len(cards) - len(shown),
        sums=_row("", "", "", tuple(sum(each) for each in zip(*terms, strict=True))),
        cards=len(cards),
        days=days,
    )


def _row(lease: str, node: str, card: str, terms: Sequence[int]) -> LeasedRow:
    used, idle, faulted = hours_parts(terms)
    return LeasedRow(
        lease=lease, node=node, card=card, used=used, idle=idle, faulted=faulted, leased=hours_of(sum(terms))
    )


def _idle(card: LeasedCard) -> int:
    return sum(card.leased_us) - sum(card.used_us) - sum(card.faulted_us)


def _heat(cards: Sequence[LeasedCard], days: Sequence[str], *, width: int, label_every: int) -> HeatMap:
    slot = (width - _LEFT) / max(len(days), 1)
    cells, groups, y = [], [], 0
    for at, card in enumerate(cards):
        if at == 0 or (card.lease, card.node) != (cards[at - 1].lease, cards[at - 1].node):
            y += _GAP if at else 0
            groups.append(Tick(at=y + _ROW, text=(card.node or card.lease)[:10]))
        cells += [
            HeatCell(x=round(_LEFT + day * slot, 2), y=y, paint=_paint(card, day))
            for day in range(len(days))
            if card.leased_us[day]
        ]
        y += _ROW
    ticks = tuple(
        Tick(at=round(_LEFT + (at + 0.5) * slot, 2), text=str(int(day[8:])))
        for at, day in enumerate(days)
        if at % label_every == 0
    )
    return HeatMap(
        width=width, height=y + _FOOT, cell=round(slot - 1.5, 2), cells=tuple(cells), groups=tuple(groups), days=ticks
    )


def _paint(card: LeasedCard, day: int) -> str:
    leased, used = card.leased_us[day], card.used_us[day]
    if card.faulted_us[day] * 2 > leased:
        return "fill-faulted"
    if not used:
        return "heat-0"
    return "heat-1" if used * 2 < leased else "heat-2" if used * 6 < leased * 5 else "heat-3"


def _summed(parts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    found: dict[str, int] = {}
    for part in parts:
        for day, net in part.items():
            found[day] = found.get(day, 0) + net
    return found
