"""Raw rows are kept for so many days after they arrived, then whole days of them go at once. Pages stay.

Owns which days have expired and dropping them. Does not own how long raw is kept (``[ingest] raw_days``).
"""

from __future__ import annotations

from datetime import date, timedelta

import pyarrow as pa
from msgspec import Struct

from cardhour_contract.moment import from_ms
from cardhour_ingest.warehouse.client import Warehouse
from cardhour_ingest.warehouse.migrate import rendering_for
from cardhour_ingest.warehouse.rollup import roll_up
from cardhour_ingest.warehouse.sql import sql


class RawDay(Struct, frozen=True, kw_only=True):
    """The raw rows that arrived on one UTC day."""

    day: date
    usage_rows: int
    card_rows: int


def expired_days(warehouse: Warehouse, now_ms: int, raw_days: int) -> list[RawDay]:
    """The days of arrival that are more than ``raw_days`` days ago, oldest first."""
    before = from_ms(now_ms).date() - timedelta(days=raw_days)
    return [RawDay(**row) for row in warehouse.rows(sql("queries/raw_days"), before=before)]


def expire(warehouse: Warehouse, now_ms: int, raw_days: int) -> list[RawDay]:
    """Drop the expired days; returns what they were. May be repeated, also after a crash."""
    days = expired_days(warehouse, now_ms, raw_days)
    if not days:
        return []
    # 1. Every page that waits is computed while its rows are there.
    roll_up(warehouse)
    # 2. That the days are going is known before they go: from here on their pages can be sealed.
    warehouse.insert("raw_expiry", _table(now_ms, days))
    # 3. Whole partitions, which costs nothing however large they are.
    rendering = rendering_for(warehouse.target)
    for each in days:
        for table in ("usage_record", "card_record"):
            # The day is written out: a statement that a cluster passes on to its servers takes no parameters along.
            for statement in rendering(f"ALTER TABLE {table} DROP PARTITION {each.day:%Y%m%d}"):
                warehouse.command(statement)
    return days


def _table(now_ms: int, days: list[RawDay]) -> pa.Table:
    return pa.table({
        "day": pa.array([each.day for each in days], pa.date32()),
        "expired_at": pa.array([now_ms] * len(days), pa.timestamp("ms", "UTC")),
        "rows": pa.array([each.usage_rows + each.card_rows for each in days], pa.uint64()),
    })  # fmt: skip
