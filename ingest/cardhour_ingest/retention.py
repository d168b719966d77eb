"""How long raw rows are kept, and dropping those that are older: what services and commands call.

Owns reading ``[ingest] raw_days`` for that. Does not own which days have expired (``warehouse.expiry``).
"""

from __future__ import annotations

from cardhour_contract.clock import Clock
from cardhour_ingest.config import load
from cardhour_ingest.warehouse import expiry
from cardhour_ingest.warehouse.client import Warehouse
from cardhour_ingest.warehouse.expiry import RawDay


def expire_raw(warehouse: Warehouse, clock: Clock, *, dry_run: bool = False) -> list[RawDay]:
    """Drop the days of raw rows that arrived longer ago than the settings keep them; those that would be, with
    ``dry_run``."""
    raw_days = load().ingest.raw_days
    if dry_run:
        return expiry.expired_days(warehouse, clock.now_ms(), raw_days)
    return expiry.expire(warehouse, clock.now_ms(), raw_days)
