"""Charts as SVG text, where a template would ask a thousand times for one number each.

Owns the markup of bars, and of charts made of hundreds of them. Does not own where they stand (``charts`` and its like)
nor words: whatever a person has named is escaped.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from html import escape
from typing import TYPE_CHECKING

from django.utils.safestring import SafeString

from cardhour_billing.portal.charts import Bar, Tick

if TYPE_CHECKING:
    from cardhour_billing.portal.explain_chart import LinkedBars, LinkedChart


def rects(bars: Iterable[Bar]) -> SafeString:
    """Bars, one after the other."""
    return SafeString("".join(map(_rect, bars)))


def linked_chart(chart: LinkedChart, label: str, below: str, anchor: str) -> SafeString:
    """Slots that lead to part ``below`` of the page on which they are chosen; ``anchor`` is where labels are held."""
    parts = (
        f'<svg class="chart linked" viewBox="0 0 {chart.width} {chart.height}" role="group"',
        f' aria-label="{escape(label)}">',
        *(_slot(each, below) for each in chart.slots),
        *_ticks(chart.ticks, anchor, chart.height - 4),
        "</svg>",
    )
    return SafeString("".join(parts))


def _slot(slot: LinkedBars, below: str) -> str:
    bars = "".join(map(_rect, slot.bars))
    if slot.row is None:
        return bars
    label, current = escape(slot.label), ' aria-current="true"' if slot.row.chosen else ""
    return (
        f'<a href="?{escape(slot.row.query)}#{below}" aria-label="{label}"{current}><title>{label}</title>'
        f"{bars}{_rect(slot.ground)}</a>"
    )


def _ticks(ticks: Iterable[Tick], anchor: str, y: float) -> Iterator[str]:
    for each in ticks:
        yield f'<text class="{anchor}" x="{each.at}" y="{y}">{escape(each.text)}</text>'


def _rect(bar: Bar) -> str:
    return f'<rect class="{bar.paint}" x="{bar.x}" y="{bar.y}" width="{bar.width}" height="{bar.height}"/>'
