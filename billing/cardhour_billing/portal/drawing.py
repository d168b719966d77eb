"""Charts as SVG text, where a template would ask a thousand times for one number each.

Owns the markup of bars, and of charts made of hundreds of them. Does not own where they stand (``charts`` and its like)
nor words: whatever a person has named is escaped.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from html import escape
from typing import TYPE_CHECKING

from django.utils.safestring import SafeString

from cardhour_billing.portal.change import Change
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


def drawn_change(change: Change | None) -> SafeString:
    """A change with its bar; a dash where there is nothing to compare with."""
    if change is None:
        return SafeString('<span class="faint">—</span>')
    if not change.percent:
        return SafeString(escape(change.amount))
    percent = f'<span class="pill warn">{change.percent}</span>' if change.notable else change.percent
    return SafeString(
        f"{escape(change.amount)}<small>"
        '<svg class="change" viewBox="0 0 62 8" width="62" height="8" aria-hidden="true">'
        '<line class="base" x1="31" x2="31" y1="0" y2="8"/>'
        f'<rect class="fill-mute" x="{change.bar_x}" y="1.5" width="{change.bar_width}" height="5"/></svg>'
        f'<span class="percent">{percent}</span></small>'
    )


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
