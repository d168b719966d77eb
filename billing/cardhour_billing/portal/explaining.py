"""Where the amount of a line comes from, on one page: days, cards of a day, quarter hours of a card, their records.

Each level adds up to the part of the level above it that is chosen.

Owns which part of a level is chosen where the address does not say, and the addresses of the others. Does not own the
levels (``explanation``), the card's day (``card_time``) nor pictures (``explain_chart``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any
from urllib.parse import urlencode

from msgspec import Struct

from cardhour_billing.answers.explanation import Explainer, Explanation, Part
from cardhour_billing.figures import grouped
from cardhour_billing.money import HOUR_DECIMALS, shown_hours, total
from cardhour_billing.month import clock_time
from cardhour_billing.portal.card_time import QUARTER_US, CardTime, card_time
from cardhour_billing.portal.cards import scaled
from cardhour_billing.usage.ledger import Ledger
from cardhour_contract.errors import Refuse
from cardhour_contract.moment import QUARTER_MS, floor_to, format_rfc3339, parse_rfc3339

CARDS_MAX = 100
"""Cards that are listed one by one: a line may have ten thousand a day."""


class Chosen(Struct, frozen=True, kw_only=True):
    """Which part of each level is divided by the next. What is not said is chosen by ``explain_line``."""

    day: date | None = None
    card: str = ""
    quarter_ms: int | None = None

    @classmethod
    def from_query(cls, query: Mapping[str, str]) -> Chosen:
        """``day=2026-10-14&card=GPU-…&quarter=2026-10-14T06:15:00Z``; raises Refuse where one cannot be read."""
        try:
            day = date.fromisoformat(query["day"]) if query.get("day") else None
        except ValueError as error:
            raise Refuse(f"'{query['day']}' is not a day such as 2026-01-05") from error
        at_ms = parse_rfc3339(query["quarter"]) if query.get("quarter") else None
        quarter_ms = None if at_ms is None else floor_to(at_ms, QUARTER_MS)
        return cls(day=day, card=query.get("card", ""), quarter_ms=quarter_ms)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A part of a level. Figures are grouped text; ``query`` is the address of the page on which it is chosen."""

    name: Mapping[str, Any]
    quantity_us: int
    units: int
    """Its card-hours as they are shown, in units of their last decimal."""
    card_hours: str
    amount: str
    exact_amount: str
    """As it is stored: ungrouped, with a plain minus."""
    query: str = ""
    chosen: bool = False
    text: str = ""
    """What it is called in a list."""
    beside: str = ""
    """The node of a card, the owner of a quarter hour."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rest:
    """Rows that the page does not list one by one."""

    count: int
    card_hours: str
    amount: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """The parts of a figure, and the figure."""

    rows: tuple[Row, ...]
    quantity_us: int
    card_hours: str
    amount: str
    note: str = ""
    shown: tuple[Row, ...] = ()
    """What the page lists of ``rows``; the chosen one is always among them."""
    rest: Rest | None = None
    """The others, as one: what is listed adds up with them. Files have every row."""

    @property
    def chosen(self) -> Row:
        """The row that the next level divides; the first of several owners' that share a chosen quarter hour."""
        return next(row for row in self.rows if row.chosen)

    def shown_of(self, quantity_us: int) -> int | None:
        """As what the chosen part is shown, where that is the whole of the level below it."""
        chosen = [row for row in self.rows if row.chosen]
        return sum(row.units for row in chosen) if sum(row.quantity_us for row in chosen) == quantity_us else None


@dataclass(frozen=True, slots=True, kw_only=True)
class LineExplained:
    """One line, down to its records."""

    days: Level
    cards: Level
    quarters: Level
    records: Level
    time: CardTime


def explain_line(explainer: Explainer, ledger: Ledger, chosen: Chosen, timezone: str) -> LineExplained:
    """Every level of a line. Raises Refuse where what is chosen is no part of it."""
    days = explainer.days()
    day = chosen.day or date.fromisoformat(_largest(days).name["day"])
    cards = explainer.cards(day)
    card = chosen.card or str(_largest(cards).name["card"])
    quarters = explainer.quarters(day, card)
    quarter = _telling(quarters) if chosen.quarter_ms is None else format_rfc3339(chosen.quarter_ms)
    records = explainer.records(card, parse_rfc3339(quarter))
    span_ms = explainer.span_of(day)
    above = {"day": day.isoformat()}
    shown_days = _level(days, "day", day.isoformat(), {})
    shown_cards = _level(cards, "card", card, above, CARDS_MAX, under=shown_days)
    below = {**above, "card": card}
    shown_quarters = _level(quarters, "quarter", quarter, below, timezone=timezone, under=shown_cards)
    return LineExplained(
        days=shown_days,
        cards=shown_cards,
        quarters=shown_quarters,
        records=_level(records, "", "", {}, under=shown_quarters),
        time=card_time(ledger.card_quarters(card, *span_ms), quarters, span_ms, timezone),
    )


def exact_product(quantity: str, price: str) -> str:
    """Printed quantity × price with all its decimals: the figure before the line's only rounding."""
    decimals = len(quantity.partition(".")[2]) + len(price.partition(".")[2])
    return scaled(int(quantity.replace(".", "")) * int(price.replace(".", "")), decimals)


def _level(
    explained: Explanation,
    word: str,
    value: str,
    above: Mapping[str, str],
    listed_max: int | None = None,
    timezone: str = "",
    under: Level | None = None,
) -> Level:
    quantities_us = [part.quantity_us for part in explained.parts]
    hours = shown_hours(quantities_us, under.shown_of(sum(quantities_us)) if under else None)
    parts = list(enumerate(explained.parts))
    listed = {at for at, part in parts[:listed_max]} | {at for at, part in parts if word and part.name[word] == value}
    rows = [
        Row(
            name=part.name,
            quantity_us=part.quantity_us,
            units=shown,
            card_hours=scaled(shown, HOUR_DECIMALS),
            amount=grouped(str(part.amount)),
            exact_amount=str(part.amount),
            query=urlencode({**above, word: part.name[word]}) if word and at in listed else "",
            chosen=bool(word) and part.name[word] == value,
            text=_text(part, word, timezone) if at in listed else "",
            beside=str(part.name.get(_BESIDE.get(word, ""), "")),
        )
        for (at, part), shown in zip(parts, hours, strict=True)
    ]
    # Raw expires before invoices do: what is left of it may be less than what was billed.
    whole = sum(hours) if sum(quantities_us) == explained.quantity_us else shown_hours([explained.quantity_us])[0]
    left = [at for at in range(len(rows)) if at not in listed]
    rest = Rest(
        count=len(left),
        card_hours=scaled(sum(hours[at] for at in left), HOUR_DECIMALS),
        amount=grouped(str(total((explained.parts[at].amount for at in left), explained.amount.currency))),
    )
    return Level(
        rows=tuple(rows),
        shown=tuple(rows[at] for at in sorted(listed)),
        rest=rest if left else None,
        quantity_us=explained.quantity_us,
        card_hours=scaled(whole, HOUR_DECIMALS),
        amount=grouped(str(explained.amount)),
        note=explained.note,
    )


_BESIDE = {"card": "node", "quarter": "owner"}


def _text(part: Part, word: str, timezone: str) -> str:
    """A day or a card as it is called, a quarter hour by the wall clock."""
    if word == "quarter":
        return clock_time(parse_rfc3339(str(part.name[word])), timezone)
    return str(part.name.get(word, ""))


def _largest(explained: Explanation) -> Part:
    """The first of the largest parts: whoever asks of a line asks of most of it."""
    if not explained.parts:
        raise Refuse(f"{explained.whole} has no usage under it")
    return max(explained.parts, key=lambda part: part.quantity_us)


def _telling(quarters: Explanation) -> str:
    """The first quarter hour that was not billed whole, since its records say most; else the first."""
    partly = [part for part in quarters.parts if part.quantity_us < QUARTER_US]
    return str((partly or quarters.parts)[0].name["quarter"])
