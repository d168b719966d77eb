"""Evidence: the raw records under one quarter hour of one card, for whoever asks why it was billed.

Owns reading them as they were reported, with what retractions took out and what late answers changed. Does not own how
a quarter comes out of them (``rollup``). Raw expires before invoices do: a quarter may have none left.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from cardhour_contract.moment import HOUR_MS, QUARTER_MS
from cardhour_contract.record import Basis
from cardhour_ingest.warehouse.client import Warehouse
from cardhour_ingest.warehouse.sql import sql


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


def _union_ms(spans: Iterable[tuple[int, int]]) -> int:
    """Length of the union of half-open spans."""
    total_ms = reached_ms = 0
    for start_ms, end_ms in sorted(spans):
        total_ms += max(0, end_ms - max(start_ms, reached_ms))
        reached_ms = max(reached_ms, end_ms)
    return total_ms
