"""Cards that two nodes claim: what the ledger leaves out because of it, and the move by which staff decide.

Owns the list and the fact ``card_move``. Does not own where a card is at home (``homes``).
"""

from __future__ import annotations

import pyarrow as pa
from msgspec import Struct

from cardhour_contract.errors import Refuse
from cardhour_ingest.warehouse.client import Warehouse
from cardhour_ingest.warehouse.compare import whole_hours
from cardhour_ingest.warehouse.homes import settle_homes
from cardhour_ingest.warehouse.sql import sql


class Conflict(Struct, frozen=True, kw_only=True):
    """Records of a card from a node that was not its home. They stay in raw and count nowhere."""

    card: str
    node: str
    """Which sent them."""
    home: str
    """Where the card was at home meanwhile."""
    from_ms: int
    to_ms: int
    usage_rows: int
    card_rows: int
    held_us: int
    """The union of the usage rows' time."""


class Move(Struct, frozen=True, kw_only=True):
    """Staff say that a card is at home on a node from a time on."""

    card: str
    node: str
    from_ms: int
    who: str


def conflicts(warehouse: Warehouse, from_ms: int, to_ms: int) -> list[Conflict]:
    """What nodes said in whole hours ``[from_ms, to_ms)`` of cards that were at home elsewhere."""
    settle_homes(warehouse)
    return [Conflict(**row) for row in warehouse.rows(sql("queries/card_conflicts"), **whole_hours(from_ms, to_ms))]


def claimants(warehouse: Warehouse, card: str) -> list[str]:
    """The nodes whose scans have listed a card, by name."""
    rows = warehouse.rows(
        "SELECT DISTINCT node::String AS node FROM card WHERE card = {card:String} AND scanned = 1 ORDER BY node",
        card=card,
    )
    return [row["node"] for row in rows]


def check_move(warehouse: Warehouse, move: Move) -> None:
    """Raises Refuse for a card or a node that no scan connects: a slip of the pen must not take a card's time away."""
    listed = claimants(warehouse, move.card)
    if not listed:
        raise Refuse(
            f"no scan has ever listed card '{move.card}': cardhour balance --by card names the cards there are"
        )
    if move.node not in listed:
        raise Refuse(f"node '{move.node}' has never listed card '{move.card}'; {' and '.join(listed)} did")
    if len(listed) == 1:
        raise Refuse(f"card '{move.card}' is at home on '{move.node}' already: no other node has listed it")


def move_card(warehouse: Warehouse, move: Move) -> None:
    """Record a move; the next rollup counts the card's records by it. Moving a card twice alike changes nothing."""
    check_move(warehouse, move)
    recorded_at = warehouse.value("SELECT now64(3, 'UTC')")
    columns = {
        "card": [move.card],
        "from_ms": pa.array([move.from_ms], pa.uint64()),
        "node": [move.node],
        "who": [move.who],
        "recorded_at": pa.array([recorded_at], pa.timestamp("ms", "UTC")),
    }
    warehouse.insert("card_move", pa.table(columns))
