"""Cards of one model, hour by hour, over a few days: what each hour mostly was, and each card's exact sums.

Owns which cards a page shows, which state an hour is painted in, and the sums beside the picture. Does not own the
picture (``heat_chart``). Bounded: one model, three local days, fifty cards.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import islice
from typing import TYPE_CHECKING

from cardhour_billing.catalog.current_terms import current_leases
from cardhour_billing.leases.cover import Leases
from cardhour_billing.leases.leased_time import leased_times
from cardhour_billing.month import day_start_ms
from cardhour_contract.moment import HOUR_MS, ceil_to, floor_to

if TYPE_CHECKING:
    from cardhour_ingest.warehouse.balance import CardTime, Unobserved
    from cardhour_ingest.warehouse.card_hours import CardHour
    from cardhour_ingest.warehouse.client import Warehouse

PAGE_CARDS = 50
DAYS = 3
"""As much as tells a habit from an accident, and three score cells a card."""

STATES = ("leased", "billable", "idle", "faulted", "unobserved")
"""In stacking order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One hour of a card. ``state`` is what most of it was."""

    start_ms: int
    state: str
    page: CardHour | None
    """The ledger's page of it; where there is none, nobody watched."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HeatCard:
    """A card: its hours that are accounted for, and its sums over the span."""

    card: str
    node: str
    time: CardTime
    cells: tuple[Cell, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Heat:
    """What is shown. ``count`` cards of the model in all, of which ``cards`` are on this page."""

    model: str
    timezone: str
    first_day: date
    last_day: date
    start_ms: int
    end_ms: int
    count: int
    page: int
    cards: tuple[HeatCard, ...]

    @property
    def pages(self) -> int:
        return max(1, -(-self.count // PAGE_CARDS))


def heat(warehouse: Warehouse, model: str, last_day: date, timezone: str, page: int, now_ms: int) -> Heat:
    """The three local days up to ``last_day`` of the model's cards on ``page`` (from 1)."""
    from cardhour_ingest.warehouse import balance
    from cardhour_ingest.warehouse.card_hours import card_hours

    first_day = last_day - timedelta(days=DAYS - 1)
    start_ms = day_start_ms(first_day, timezone)
    end_ms = min(day_start_ms(last_day + timedelta(days=1), timezone), floor_to(now_ms, HOUR_MS) + HOUR_MS)
    if end_ms <= start_ms:
        end_ms = start_ms + HOUR_MS
    leases = Leases(current_leases())
    times = leased_times(lambda a, b: balance.decompose(warehouse, a, b, now_ms), leases, start_ms, end_ms)
    of_model = sorted((each for each in times if each.model == model), key=lambda each: (each.node, each.card))
    page = min(max(page, 1), max(1, -(-len(of_model) // PAGE_CARDS)))
    shown = list(islice(of_model, (page - 1) * PAGE_CARDS, page * PAGE_CARDS))
    cards = sorted({each.card for each in shown})
    pages = {(each.card, each.start_ms): each for each in card_hours(warehouse, cards, start_ms, end_ms)}
    unseen = _unseen(balance.unobserved(warehouse, start_ms, end_ms, now_ms), set(cards))
    hours = range(floor_to(start_ms, HOUR_MS), end_ms, HOUR_MS)
    return Heat(
        model=model,
        timezone=timezone,
        first_day=first_day,
        last_day=last_day,
        start_ms=start_ms,
        end_ms=end_ms,
        count=len(of_model),
        page=page,
        cards=tuple(
            HeatCard(card=each.card, node=each.node, time=each, cells=tuple(_cells(each, hours, pages, unseen, leases)))
            for each in shown
        ),
    )


def _unseen(stretches: Iterable[Unobserved], cards: set[str]) -> set[tuple[str, int]]:
    """Card and hour of every hour that a stretch reaches into."""
    return {
        (each.card, hour_ms)
        for each in stretches
        if each.card in cards
        for hour_ms in range(floor_to(each.since_ms, HOUR_MS), ceil_to(each.until_ms, HOUR_MS), HOUR_MS)
    }


def _cells(
    card: CardTime,
    hours: Sequence[int],
    pages: Mapping[tuple[str, int], CardHour],
    unseen: set[tuple[str, int]],
    leases: Leases,
) -> Iterable[Cell]:
    """The card's hours; one that nobody claims the card existed in is left out."""
    for at_ms in hours:
        found = pages.get((card.card, at_ms))
        if found is None and (card.card, at_ms) not in unseen:
            continue
        state = _most(found) if found else "unobserved"
        if state != "faulted" and leases.named_at(card.card, card.node, at_ms):
            state = "leased"
        yield Cell(start_ms=at_ms, state=state, page=found)


def _most(page: CardHour) -> str:
    """What most of an hour was; the first of two that are equal."""
    return max(STATES[1:], key=lambda state: int(getattr(page, f"{state}_us")))
