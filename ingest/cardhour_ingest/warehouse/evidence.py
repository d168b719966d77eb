"""Evidence, for whoever asks why a card was billed: the ledger's quarter hours of one card, and the raw records under
one of them.

Owns reading both: pages as they are, records as they were reported, with what retractions took out and what late
answers changed. Does not own how a quarter comes out of records (``rollup``). Raw expires before invoices do: a quarter
may have none left.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from cardhour_contract.moment import HOUR_MS, QUARTER_MS
from cardhour_contract.record import Basis
from cardhour_ingest.warehouse.client import Warehouse
from cardhour_ingest.warehouse.sql import sql
from cardhour_ingest.warehouse.usage import quarters


class CardQuarter(Struct, frozen=True, kw_only=True):
    """One quarter hour of one card: its terms, in card-microseconds, which add up to 900 000 000."""

    start_ms: int
    billable_us: dict[str, int]
    """By owner."""
    idle_us: int
    faulted_us: int
    unobserved_us: dict[str, int]
    """By reason."""
    rounding_us: int


class RawRecord(Struct, frozen=True, kw_only=True):
    """One process on one card for a stretch of a quarter hour, as it was reported."""

    process: int
    node: str
    owner: str
    reported_owner: str
    """Other than ``owner`` where the sender did not know it yet."""
    workload: str
    basis: str
    share: int
    """Permille of the card."""
    start_ms: int
    end_ms: int
    kept_ms: int
    """What retractions left of it."""
    copies: int
    """How often it was reported; it counts once."""
    received_at_ms: int
    source_id: str
    """The report's ce_id, or the SHA-256 of the imported file."""
    position: str
    """Where the report was read: topic, partition and offset, or the file's name."""


def card_quarters(warehouse: Warehouse, card: str, from_ms: int, to_ms: int) -> list[CardQuarter]:
    """The quarter hours of ``card`` in ``[from_ms, to_ms)`` that the ledger has a page of, in order of time."""
    rows = warehouse.rows(sql("queries/card_quarters"), card=card, **quarters(from_ms, to_ms))
    return [
        CardQuarter(
            start_ms=row["quarter"] * QUARTER_MS,
            billable_us=_summed(row["owners"], row["billable"]),
            idle_us=row["idle_us"],
            faulted_us=row["faulted_us"],
            unobserved_us=_summed(row["reasons"], row["unobserved"]),
            rounding_us=row["rounding_us"],
        )
        for row in rows
    ]


def raw_records(warehouse: Warehouse, card: str, quarter_ms: int) -> list[RawRecord]:
    """What was reported of ``card`` in the quarter hour that begins at ``quarter_ms``, in order of time."""
    rows = warehouse.rows(
        sql("queries/raw_records"), card=card, hour=quarter_ms // HOUR_MS, quarter=quarter_ms // QUARTER_MS
    )
    return [
        RawRecord(
            basis=Basis(row.pop("basis")).name.lower(),
            kept_ms=row["end_ms"] - row["start_ms"] - _union_ms(row.pop("holes")),
            **row,
        )
        for row in rows
    ]


def _summed(names: Iterable[str], amounts: Iterable[int]) -> dict[str, int]:
    """Sums by name: a moved card may have one owner on two nodes in one quarter."""
    sums: dict[str, int] = {}
    for name, amount in zip(names, amounts, strict=True):
        sums[name] = sums.get(name, 0) + amount
    return sums


def _union_ms(spans: Iterable[tuple[int, int]]) -> int:
    """Length of the union of half-open spans."""
    total_ms = reached_ms = 0
    for start_ms, end_ms in sorted(spans):
        total_ms += max(0, end_ms - max(start_ms, reached_ms))
        reached_ms = max(reached_ms, end_ms)
    return total_ms
