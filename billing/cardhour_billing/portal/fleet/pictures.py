"""Pictures of the fleet: cards by hour, and the sold share of each model beside its break-even.

Owns positions. Does not own figures: tables beside the pictures name every one. Coordinates are floats, which nothing
is billed from.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import groupby

from cardhour_billing.margin.margin import Margin
from cardhour_billing.month import clock_time
from cardhour_billing.portal.charts import Bar, Tick
from cardhour_billing.portal.fleet.heat import Cell, Heat, HeatCard
from cardhour_billing.portal.fleet.tables import TERMS, percent_text
from cardhour_contract.moment import HOUR_MS, floor_to

PAINTS = dict(zip(TERMS, ("leased", "billable", "mute", "idle", "faulted", "unobserved"), strict=True))
"""Usage that nobody pays for is grey: only sold time is of the blue family."""

_WORDS = 150.0
"""Room for what is said of a sold share."""

_ROW, _SEAM, _GROUP, _LABEL = 3.8, 0.7, 5.0, 14.0
"""Height of a card's row and the ground under it, ground between nodes, and the least height of a node's label."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CardBars:
    """One card's row."""

    card: str
    bars: tuple[Bar, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeRows:
    """The cards of one node, with its label and the part of their time that was leased or used."""

    node: str
    y: float
    share: str
    cards: tuple[CardBars, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class HeatChart:
    """``ticks`` stand where local days begin."""

    width: int
    height: float
    nodes: tuple[NodeRows, ...]
    ticks: tuple[Tick, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ShareRow:
    """One model: its bars, and where its break-even stands; ``tick`` is None where there is none to draw."""

    name: str
    y: float
    bars: tuple[Bar, ...]
    tick: float | None
    break_even: str
    sold: str
    sold_x: float
    sold_left: bool
    """Whether that is where the words begin, there being no room for them to end."""
    below: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ShareChart:
    """Models below each other."""

    width: int
    height: int
    left: int
    rows: tuple[ShareRow, ...]


def heat_chart(heat: Heat, *, width: int, left: int, right: int = 52, last_hours: int = 0) -> HeatChart:
    """The cards of a page; only the last hours, where ``last_hours`` says how many."""
    start_ms = max(heat.start_ms, heat.end_ms - last_hours * HOUR_MS) if last_hours else heat.start_ms
    start_ms = floor_to(start_ms, HOUR_MS)
    slot = (width - left - right) / max(1, (heat.end_ms - start_ms) / HOUR_MS)
    y, nodes = 16.0, []
    for node, group in groupby(heat.cards, key=lambda each: each.node):
        rows = list(group)
        nodes.append(
            NodeRows(
                node=node,
                y=round(y + max(len(rows) * (_ROW + _SEAM), 8) / 2 + 4, 2),
                share=_share(rows),
                cards=tuple(
                    CardBars(
                        card=each.card, bars=tuple(_runs(each.cells, start_ms, left, slot, y + at * (_ROW + _SEAM)))
                    )
                    for at, each in enumerate(rows)
                ),
            )
        )
        y += max(len(rows) * (_ROW + _SEAM) + _GROUP, _LABEL)
    return HeatChart(
        width=width, height=round(y, 2), nodes=tuple(nodes), ticks=tuple(_days(heat, start_ms, left, slot))
    )


def share_chart(margins: Sequence[Margin], *, width: int, left: int, below_word: str) -> ShareChart:
    """Where each model's capacity went, as a part of it, and the sold part at which it would pay for itself."""
    rows = [
        _share_row(each, 22 + at * 62, width, left, below_word)
        for at, each in enumerate(each for each in margins if each.hours.capacity_us)
    ]
    return ShareChart(width=width, height=max(22 + len(rows) * 62, 40), left=left, rows=tuple(rows))


def _runs(cells: Iterable[Cell], start_ms: int, left: int, slot: float, y: float) -> Iterator[Bar]:
    """Hours of one state, side by side, as one bar: a page of cells is thousands, a page of runs is hundreds."""
    shown = (each for each in cells if each.start_ms >= start_ms)
    run: list[Cell] = []
    for cell in shown:
        if run and (cell.state != run[-1].state or cell.start_ms != run[-1].start_ms + HOUR_MS):
            yield _run_bar(run, start_ms, left, slot, y)
            run = []
        run.append(cell)
    if run:
        yield _run_bar(run, start_ms, left, slot, y)


def _run_bar(run: Sequence[Cell], start_ms: int, left: int, slot: float, y: float) -> Bar:
    x = left + (run[0].start_ms - start_ms) / HOUR_MS * slot
    width = max(len(run) * slot - _SEAM, _SEAM)
    return Bar(x=round(x, 2), y=round(y, 2), width=round(width, 2), height=_ROW, paint=f"fill-{run[0].state}")


def _share(rows: Sequence[HeatCard]) -> str:
    """The part of a node's time that was leased or used."""
    span_us = sum(each.time.span_us for each in rows)
    used_us = sum(each.time.leased_us + each.time.billable_us for each in rows)
    return percent_text(Fraction(used_us, span_us)) if span_us else "—"


def _days(heat: Heat, start_ms: int, left: int, slot: float) -> Iterator[Tick]:
    """A label where a local day begins, and one at the left edge."""
    for at, at_ms in enumerate(range(start_ms, heat.end_ms, HOUR_MS)):
        if at == 0 or clock_time(at_ms, heat.timezone) == "00:00":
            yield Tick(at=round(left + at * slot, 2), text=clock_time(at_ms, heat.timezone, "%m-%d"))


def _share_row(margin: Margin, y: float, width: int, left: int, below_word: str) -> ShareRow:
    plot = width - left
    capacity_us = margin.hours.capacity_us
    bars, x = [], float(left)
    for term in TERMS:
        term_us = getattr(margin.hours, f"{term}_us")
        if term_us <= 0:
            continue
        wide = plot * term_us / capacity_us
        bars.append(
            Bar(x=round(x, 2), y=y, width=round(max(wide - 1, 0.75), 2), height=24, paint=f"fill-{PAINTS[term]}")
        )
        x += wide
    even, sold = margin.break_even, margin.utilisation
    below = even is not None and sold is not None and sold < even
    sold_x = left + plot * float(sold or 0)
    sold_left = sold_x < left + _WORDS
    return ShareRow(
        name=margin.name,
        y=y,
        bars=tuple(bars),
        tick=round(left + plot * float(even), 2) if even is not None and even <= 1 else None,
        break_even=percent_text(even) if even is not None else "",
        sold=percent_text(sold) + (f", {below_word}" if below else ""),
        sold_x=float(left) if sold_left else round(min(sold_x, width), 2),
        sold_left=sold_left,
        below=below,
    )
