"""Where every card's time went: each term measured, and together exactly the time that there was to account for.

Owns the decomposition and what time counts. Does not own the pages it reads (``rollup``) nor leases, which billing
derives. For a card and a span ``[from, to)`` on quarter hours, the time to account for (``span_us``) is:

* of a card that scans have listed: from the hour of its first sight, but for the hours in which it is retired
  (``retirement``). Outside of that, nobody claims that the card exists.
* of a card known only from imports: all of the span. Outside its rows nobody watched it, which ``imported`` says.
* hours of either that have raw rows and lie outside those times, such as a record from before the first scan.
* never an hour that has not begun, unless it has raw rows.

An hour without a page counts as unobserved whole: ``imported`` for an imported card, ``not_rolled_up`` for a scanned
one, whose page the next sweep writes. A moved card's hour belongs to the node that was its home when the hour began.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from msgspec import Struct, structs

from cardhour_contract.moment import HOUR_MS, QUARTER_MS
from cardhour_ingest.warehouse.client import Warehouse
from cardhour_ingest.warehouse.sql import sql
from cardhour_ingest.warehouse.usage import quarters


class By(StrEnum):
    """What a balance is summed by."""

    CARD = "card"
    NODE = "node"
    MODEL = "model"


class CardTime(Struct, frozen=True, kw_only=True):
    """Time of a card on a node, or the sum of several. All in card-microseconds."""

    card: str = ""
    """Empty in a sum over cards, as are the others."""
    node: str = ""
    model: str = ""
    span_us: int = 0
    """The time to account for, counted in quarter hours and not from the terms."""
    billable_us: int = 0
    leased_us: int = 0
    """0 here: leases are billing's, which tells leased time apart."""
    idle_us: int = 0
    faulted_us: int = 0
    unobserved_us: int = 0
    rounding_us: int = 0

    @property
    def terms_us(self) -> int:
        """The sum of the terms: ``span_us``, or the ledger is wrong."""
        measured = self.billable_us + self.leased_us + self.idle_us + self.faulted_us
        return measured + self.unobserved_us + self.rounding_us


class Unobserved(Struct, frozen=True, kw_only=True):
    """An unbroken stretch of quarter hours in which a card was not observed, in each at least for a while."""

    card: str
    node: str
    """Its home when the stretch began."""
    model: str
    reason: str
    since_ms: int
    """Start of the quarter hour in which it began."""
    until_ms: int
    """End of the last one; may go on beyond the span."""
    unobserved_us: int


def decompose(warehouse: Warehouse, from_ms: int, to_ms: int, now_ms: int) -> list[CardTime]:
    """Where the time of every card went, one row for each card and node that was its home, by card."""
    rows = warehouse.rows(sql("queries/decompose"), **quarters(from_ms, to_ms), now=now_ms // HOUR_MS + 1)
    return [CardTime(**row) for row in rows]


def summed(times: Iterable[CardTime], by: By) -> list[CardTime]:
    """The same time by card, node or model, sorted by its name."""
    found: dict[str, CardTime] = {}
    for each in times:
        name = str(getattr(each, by))
        before = found.get(name) or structs.replace(CardTime(), **{str(by): name})
        quantities = [field for field in structs.asdict(each) if field.endswith("_us")]
        added = {field: getattr(before, field) + getattr(each, field) for field in quantities}
        found[name] = structs.replace(before, **added)
    return [found[name] for name in sorted(found)]


def unobserved(warehouse: Warehouse, from_ms: int, to_ms: int, now_ms: int) -> list[Unobserved]:
    """The stretches that make up ``unobserved_us``, by card and time: since when, on which node, and why."""
    rows = warehouse.rows(sql("queries/unobserved"), **quarters(from_ms, to_ms), now=now_ms // HOUR_MS + 1)
    return [
        Unobserved(since_ms=row.pop("since") * QUARTER_MS, until_ms=row.pop("until") * QUARTER_MS, **row)
        for row in rows
    ]
