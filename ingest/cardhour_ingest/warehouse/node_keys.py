"""The nodes' keys: which there are, enrolling, rotating and revoking them.

Owns the table and the rules between its facts. Does not own what a key decides about a message (``trust``).

An enrolment has no beginning: staff vouch for the key, and what it signed before they did is replayed. A revocation has
one, and the earliest counts, so that none can be taken back.
"""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
from msgspec import Struct

from cardhour_contract.errors import Refuse
from cardhour_contract.identity import NAME_BYTES_MAX
from cardhour_contract.moment import format_rfc3339
from cardhour_contract.signing import PublicKey
from cardhour_ingest.warehouse.client import Warehouse
from cardhour_ingest.warehouse.sql import sql

ENROLLED, REVOKED = "enrolled", "revoked"


class NodeKey(Struct, frozen=True, kw_only=True):
    """A key of a node, as it stands now."""

    node: str
    key_id: str
    public: PublicKey
    enrolled_at_ms: int
    enrolled_by: str
    revoked_from_ms: int | None
    """Messages that arrive from then on are refused; may lie ahead. None: not revoked."""
    reason: str
    """Of the revocation."""

    @property
    def source(self) -> str:
        """The ``ce_source`` that it may sign for."""
        return f"/nodes/{self.node}"


class KeyFact(Struct, frozen=True, kw_only=True):
    """What staff say of a key."""

    key: PublicKey
    node: str
    fact: str
    from_ms: int = 0
    reason: str = ""


def node_keys(warehouse: Warehouse, node: str = "") -> list[NodeKey]:
    """Every key, or one node's, in the order in which they were enrolled."""
    rows = warehouse.rows(sql("queries/node_keys"), node=node)
    return [
        NodeKey(
            node=row["node"],
            key_id=row["key_id"],
            public=PublicKey.parse(row["public_key"]),
            enrolled_at_ms=row["enrolled_at_ms"],
            enrolled_by=row["enrolled_by"],
            revoked_from_ms=row["revoked_from_ms"] if row["revoked"] else None,
            reason=row["reason"],
        )
        for row in rows
    ]


def keys_by_id(warehouse: Warehouse) -> dict[str, NodeKey]:
    return {each.key_id: each for each in node_keys(warehouse)}


def enrolment(warehouse: Warehouse, node: str, key: PublicKey) -> list[KeyFact]:
    """The fact that enrols ``key`` for ``node``; none where it is enrolled already. Raises Refuse."""
    if not node or len(node.encode()) > NAME_BYTES_MAX:
        raise Refuse(f"a node's name has 1 to {NAME_BYTES_MAX} bytes")
    known = keys_by_id(warehouse).get(key.key_id)
    if known is None:
        return [KeyFact(key=key, node=node, fact=ENROLLED)]
    if known.node != node:
        raise Refuse(
            f"the key {key.key_id} is node '{known.node}''s: two nodes never share one, so run"
            f" 'cardhour-agent key create' on '{node}' and enrol what it prints"
        )
    if known.revoked_from_ms is not None:
        raise Refuse(
            f"the key {key.key_id} was revoked from {format_rfc3339(known.revoked_from_ms)}, and stays so:"
            " run 'cardhour-agent key create --next' on the node and enrol the new one"
        )
    return []


def rotation(warehouse: Warehouse, node: str, key: PublicKey, until_ms: int) -> list[KeyFact]:
    """The facts that enrol ``key`` and let the node's other keys end at ``until_ms``. Raises Refuse."""
    others = [each for each in node_keys(warehouse, node) if each.key_id != key.key_id]
    if not others:
        raise Refuse(f"node '{node}' has no other key: enrol its first one with 'cardhour node enrol'")
    ending = [
        KeyFact(key=each.public, node=node, fact=REVOKED, from_ms=until_ms, reason=f"replaced by {key.key_id}")
        for each in others
        if each.revoked_from_ms is None or each.revoked_from_ms > until_ms
    ]
    return [*enrolment(warehouse, node, key), *ending]


def revocation(warehouse: Warehouse, node: str, key_ids: Sequence[str], from_ms: int, reason: str) -> list[KeyFact]:
    """The facts that revoke a node's keys, or all of them where none is named. Raises Refuse for one it has not.

    Keys that are revoked from no later than that already need no further fact.
    """
    known = {each.key_id: each for each in node_keys(warehouse, node)}
    if not known:
        raise Refuse(f"node '{node}' has no key: cardhour node list names those that have")
    strange = [each for each in key_ids if each not in known]
    if strange:
        raise Refuse(*(f"node '{node}' has no key {each}: its keys are {', '.join(known)}" for each in strange))
    chosen = [known[each] for each in key_ids or known]
    return [
        KeyFact(key=each.public, node=node, fact=REVOKED, from_ms=from_ms, reason=reason)
        for each in chosen
        if each.revoked_from_ms is None or each.revoked_from_ms > from_ms
    ]


def record(warehouse: Warehouse, facts: Sequence[KeyFact], who: str) -> None:
    """Append facts, all at one time. Ingest goes by them within seconds."""
    if not facts:
        return
    recorded_at = warehouse.value("SELECT now64(6, 'UTC')")
    columns = {
        "key_id": [each.key.key_id for each in facts],
        "node": [each.node for each in facts],
        "public_key": [str(each.key) for each in facts],
        "fact": [each.fact for each in facts],
        "from_ms": pa.array([each.from_ms for each in facts], pa.uint64()),
        "reason": [each.reason for each in facts],
        "who": [who] * len(facts),
        "recorded_at": pa.array([recorded_at] * len(facts), pa.timestamp("us", "UTC")),
    }
    warehouse.insert("node_key", pa.table(columns))


def reports_since(warehouse: Warehouse, node: str, from_ms: int) -> int:
    """How many of a node's reports that arrived from a time on were accepted."""
    return int(
        warehouse.value(
            "SELECT uniqExact(batch) FROM ingest_batch"
            " WHERE node = {node:String} AND received_at >= fromUnixTimestamp64Milli({from_ms:Int64})",
            node=node,
            from_ms=from_ms,
        )
    )
