"""Where one card's day went, as the ledger has it now: the terms of its quarter hours, their sums, and who it was.

Owns summing and the text of durations. Does not own the pages (``ledger``) nor the picture (``explain_chart``).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cardhour_billing.answers.explanation import Explanation
from cardhour_billing.money import HOUR_DECIMALS, allocate, shown_hours
from cardhour_billing.portal.cards import scaled
from cardhour_contract.moment import MS_US, QUARTER_MS, format_rfc3339

if TYPE_CHECKING:
    from cardhour_ingest.warehouse.evidence import CardQuarter

QUARTER_US = QUARTER_MS * MS_US

STATES = ("billable", "idle", "faulted", "unobserved", "rounding")
"""In the order in which they are stacked and listed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """A state and its sum over the day. ``why``: owners, or reasons."""

    state: str
    duration: str
    card_hours: str
    why: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CardTime:
    """A card's day. ``quarters`` holds those that have a page, in order of time."""

    quarters: Sequence[CardQuarter]
    timezone: str
    span_ms: tuple[int, int]
    terms: tuple[Term, ...]
    duration: str
    card_hours: str
    differs: bool
    """Whether the ledger gives the billed owners other time now than the invoice froze."""

    @property
    def measured(self) -> int:
        """How many quarter hours have a page."""
        return len(self.quarters)


def card_time(
    quarters: Sequence[CardQuarter], frozen: Explanation, span_ms: tuple[int, int], timezone: str
) -> CardTime:
    """The day ``span_ms`` of a card, beside what an invoice froze of it."""
    sums = {state: sum(term_us(each, state) for each in quarters) for state in STATES}
    shown = {state: us for state, us in sums.items() if us or state in ("billable", "idle")}
    times = _durations(list(shown.values()))
    hours = shown_hours(list(shown.values()))
    why = {
        "billable": _names(each.billable_us for each in quarters),
        "unobserved": _names(each.unobserved_us for each in quarters),
    }
    return CardTime(
        quarters=quarters,
        timezone=timezone,
        span_ms=span_ms,
        terms=tuple(
            Term(state=state, duration=time, card_hours=scaled(hour, HOUR_DECIMALS), why=why.get(state, ()))
            for state, time, hour in zip(shown, times, hours, strict=True)
        ),
        duration=duration(sum(sums.values()) // MS_US),
        card_hours=scaled(sum(hours), HOUR_DECIMALS),
        differs=bool(quarters) and _differs(quarters, frozen),
    )


def term_us(quarter: CardQuarter, state: str) -> int:
    """One term of a quarter hour."""
    value: int | Mapping[str, int] = getattr(quarter, f"{state}_us")
    return value if isinstance(value, int) else sum(value.values())


def duration(ms: int) -> str:
    """``18:28:46.920``."""
    seconds, rest = divmod(ms, 1000)
    return f"{seconds // 3600}:{seconds // 60 % 60:02d}:{seconds % 60:02d}.{rest:03d}"


def _durations(quantities_us: list[int]) -> list[str]:
    """Durations to the millisecond, by largest remainder, so that the column adds up to its sum."""
    whole_us = sum(quantities_us)
    if not whole_us:
        return [duration(0) for _ in quantities_us]
    return [duration(ms) for ms in allocate(whole_us // MS_US, quantities_us)]


def _names(sums: Iterable[Mapping[str, int]]) -> tuple[str, ...]:
    return tuple(sorted({name for each in sums for name, us in each.items() if us}))


def _differs(quarters: Sequence[CardQuarter], frozen: Explanation) -> bool:
    """Of the quarter hours that the line bills: another line may bill others of the same day."""
    now_us = {format_rfc3339(each.start_ms): each.billable_us for each in quarters}
    return any(
        now_us.get(str(part.name["quarter"]), {}).get(str(part.name["owner"]), 0) != part.quantity_us
        for part in frozen.parts
    )
