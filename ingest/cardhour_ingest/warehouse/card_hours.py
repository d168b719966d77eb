"""Where the time of some cards went, hour by hour, for a picture of a few of them.

Owns reading pages by hour. Does not own sums (``balance``), nor hours without a page, which ``balance.unobserved``
names.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from cardhour_contract.errors import Refuse
from cardhour_contract.moment import HOUR_MS
from cardhour_ingest.warehouse.client import Warehouse
from cardhour_ingest.warehouse.sql import sql

CELLS_MAX = 20_000
"""Cards times hours of one question: more than that is a job for the ledger's export."""


class CardHour(Struct, frozen=True, kw_only=True):
    """One page of the ledger, in card-microseconds; the terms add up to an hour."""

    card: str
    start_ms: int
    billable_us: int
    idle_us: int
    faulted_us: int
    unobserved_us: int
    rounding_us: int


def card_hours(warehouse: Warehouse, cards: Sequence[str], from_ms: int, to_ms: int) -> list[CardHour]:
    """The pages of ``cards`` in ``[from_ms, to_ms)``, whole hours, by card and time."""
    first, last = from_ms // HOUR_MS, -(-to_ms // HOUR_MS)
    if len(cards) * (last - first) > CELLS_MAX:
        raise Refuse(f"{len(cards)} cards over {last - first} hours are too many at once: at most {CELLS_MAX} together")
    asked = {"from": first, "to": last, "cards": list(cards)}
    return [
        CardHour(
            card=row["card"],
            start_ms=row["hour"] * HOUR_MS,
            billable_us=row["billable"],
            idle_us=row["idle"],
            faulted_us=row["faulted"],
            unobserved_us=row["unwatched"],
            rounding_us=row["rounding"],
        )
        for row in warehouse.rows(sql("queries/card_hours"), **asked)
    ]
