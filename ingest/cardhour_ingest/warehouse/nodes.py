"""The nodes that report, as staff see them: when each was heard of last, and how its clock stood then.

Owns reading. Does not own keys (``node_keys``) nor what a card's home is (``homes``).
"""

from __future__ import annotations

from msgspec import Struct

from cardhour_contract.moment import DAY_MS
from cardhour_ingest.warehouse.client import Warehouse
from cardhour_ingest.warehouse.sql import sql

RECENT_MS = 7 * DAY_MS
"""Reports that are looked at for a node's clock: a node that was silent for longer has no clock to speak of."""


class NodeSeen(Struct, frozen=True, kw_only=True):
    """A node as it stood at its last report."""

    node: str
    cluster: str
    cards: int
    seen_at_ms: int
    """By the node's own clock."""
    received_ms: int | None
    """When its last report arrived; None where none did lately."""
    ntp_synced: bool | None
    ahead_ms: int | None
    """Its clock less ours at the time of sending, the way included; None where it did not say."""


def nodes_seen(warehouse: Warehouse, now_ms: int) -> list[NodeSeen]:
    """Every node that ever reported, by name."""
    return [
        NodeSeen(
            node=row["node"],
            cluster=row["cluster"],
            cards=row["cards"],
            seen_at_ms=row["seen_at_ms"],
            received_ms=row["received_ms"] or None,
            ntp_synced=None if row["ntp_synced"] is None or not row["received_ms"] else bool(row["ntp_synced"]),
            ahead_ms=row["ahead_ms"] if row["received_ms"] else None,
        )
        for row in warehouse.rows(sql("queries/nodes_seen"), since_ms=now_ms - RECENT_MS)
    ]
