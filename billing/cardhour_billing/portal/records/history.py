"""A record's versions: what was recorded when, until when it was believed, and by whom it was changed.

Owns finding and ordering them, and the picture of their valid times. Rows are superseded, never edited, so the history
is whole. What is edited in place (customers) has its history in the audit log alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from cardhour_billing.models import AuditLog
from cardhour_billing.portal.audit_words import action_words, detail_words
from cardhour_billing.portal.charts import Bar, Tick
from cardhour_billing.portal.records.noun import Look, Noun
from cardhour_billing.portal.records.texts import instant, successor
from cardhour_contract.moment import DAY_MS

VERSIONS_MAX = 200
"""Newest first; a fact that was changed more often is read as a file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """One row of a record's history. ``superseded_at`` is empty where it is believed still."""

    row: Any
    recorded_at: str
    superseded_at: str
    who: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeChart:
    """One bar a version, newest on top, along the time in which it holds."""

    width: int
    height: int
    bars: tuple[Bar, ...]
    ticks: tuple[Tick, ...]
    now: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One entry of the audit log about a record."""

    position: int
    at: str
    who: str
    action: str
    detail: str


def versions(noun: Noun, row: Any, look: Look) -> list[Version]:
    """Every version of a bitemporal record, newest first."""
    if noun.same is None or noun.rows is None:
        return []
    rows = noun.rows().select_related("superseded_by").filter(noun.same(row)).order_by("-recorded_at_ms", "-pk")
    found = list(rows[:VERSIONS_MAX])
    people = _people(noun, row, [each.recorded_at_ms for each in found])
    return [
        Version(
            row=each,
            recorded_at=instant(each.recorded_at_ms, look),
            superseded_at=instant(newer.recorded_at_ms, look) if (newer := successor(each)) is not None else "",
            who=people.get(each.recorded_at_ms, ""),
        )
        for each in found
    ]


def entries(noun: Noun, row: Any, look: Look) -> list[Entry]:
    """What the audit log says of a record, newest first."""
    if noun.audited is None:
        return []
    found = AuditLog.objects.filter(subject=noun.audited(row)[:256]).order_by("-position")[:VERSIONS_MAX]
    return [
        Entry(
            position=each.position,
            at=instant(each.at_ms, look),
            who=each.who,
            action=action_words(each.action),
            detail=detail_words(each.detail, look.timezone),
        )
        for each in found
    ]


def time_chart(found: Sequence[Version], look: Look, *, width: int = 680) -> TimeChart | None:
    """The versions' valid times below each other; None where there is one alone."""
    if len(found) < 2:
        return None
    starts = [each.row.valid_from_ms for each in found]
    ends = [each.row.valid_to_ms for each in found if each.row.valid_to_ms is not None]
    first, last = min(starts), max([*ends, *starts, look.now_ms]) + 30 * DAY_MS
    scale = width / (last - first)
    row_height = 14
    bars = tuple(
        Bar(
            x=round((each.row.valid_from_ms - first) * scale, 2),
            y=18 + at * row_height,
            width=round(max(((each.row.valid_to_ms or last) - each.row.valid_from_ms) * scale, 1.5), 2),
            height=9,
            paint="fill-idle" if each.superseded_at else "fill-ink",
        )
        for at, each in enumerate(found)
    )
    marks = sorted({*starts, *ends})
    ticks, at = [], -100.0
    for mark in marks:
        x = round((mark - first) * scale, 2)
        if x - at >= 80 and x <= width - 60:
            ticks.append(Tick(at=x, text=instant(mark, look)[:10]))
            at = x
    now = round((look.now_ms - first) * scale, 2) if first <= look.now_ms <= last else None
    return TimeChart(width=width, height=24 + len(found) * row_height, bars=bars, ticks=tuple(ticks), now=now)


def _people(noun: Noun, row: Any, recorded: Sequence[int]) -> dict[int, str]:
    """Who recorded each version: the first entry about the record from that moment on."""
    if noun.audited is None:
        return {}
    entries = list(
        AuditLog.objects.filter(subject=noun.audited(row)[:256]).order_by("position").values_list("at_ms", "who")
    )
    return {at: who for at in recorded if (who := next((who for at_ms, who in entries if at_ms >= at), ""))}
