"""Facts as the rows of the warehouse's tables.

Owns which field becomes which column. Does not own inserting them (``store``).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from cardhour_contract.identity import workload_key
from cardhour_contract.moment import DAY_MS, HOUR_MS
from tests.ledger.facts import Card, Claim, Facts
from tests.ledger.places import home

RECEIVED_AT = datetime(2026, 3, 2, tzinfo=UTC)

KEYS = 8
"""Keys of one batch, in the store."""


def usage_rows(facts: Facts) -> Iterable[dict[str, Any]]:
    for number, row in enumerate(facts.usage):
        yield {
            "hour": row.start_ms // HOUR_MS,
            "card": row.card,
            "process": row.process,
            "start_ms": row.start_ms,
            "batch": _batch(row.batch, number),
            "end_ms": row.end_ms,
            "node": row.node,
            "basis": int(row.basis),
            "owner": row.claim.owner,
            "workload": workload_key(row.claim.owner, row.claim.workload),
            "share": row.claim.share,
            "bridged": int(row.bridged),
            "active": row.active,
            "memory": row.memory,
            "received_at": RECEIVED_AT,
        }


def card_rows(facts: Facts) -> Iterable[dict[str, Any]]:
    for number, row in enumerate(facts.card_rows):
        yield {
            "hour": row.start_ms // HOUR_MS,
            "card": row.card,
            "start_ms": row.start_ms,
            "batch": _batch(row.batch, number),
            "end_ms": row.end_ms,
            "node": row.node,
            "state": int(row.state),
            "energy_mj": None,
            "received_at": RECEIVED_AT,
        }


def fault_rows(facts: Facts) -> Iterable[dict[str, Any]]:
    for number, row in enumerate(facts.faults):
        yield {
            "card": row.card,
            "opened_at_ms": row.opened_at_ms,
            "closed_at_ms": row.closed_at_ms or 0,
            "reason": "xid:79",
            "node": row.node,
            "batch": _batch(row.batch, number),
            "received_at": RECEIVED_AT,
        }


def attribution_rows(facts: Facts) -> Iterable[dict[str, Any]]:
    for number, each in enumerate(facts.attributions):
        yield {
            "process": each.process,
            "at_ms": each.at_ms,
            "owner": each.claim.owner,
            "workload": workload_key(each.claim.owner, each.claim.workload),
            "share": each.claim.share,
            "node": each.node,
            "batch": _batch(each.batch, number),
            "received_at": RECEIVED_AT,
        }


def _batch(batch: int, number: int) -> int:
    """A batch is a few keys, so that a row and its repeat, which stand near each other, mostly have two of them."""
    return batch * KEYS + number % KEYS


def retraction_rows(facts: Facts) -> Iterable[dict[str, Any]]:
    named = [
        (each, subject)
        for each in facts.retractions
        for subject in (
            [_batch(int(each.subject), number) for number in range(KEYS)] if each.scope == "batch" else [each.subject]
        )
    ]
    for number, (each, subject) in enumerate(named):
        yield {
            "retraction": number,
            "scope": each.scope,
            "subject": str(subject),
            "from_ms": each.from_ms,
            "to_ms": each.to_ms,
            "reason": "a clock was wrong",
            "who": "staff",
            "recorded_at": RECEIVED_AT + timedelta(hours=1 if each.after else -1),
        }


def scan_rows(facts: Facts) -> Iterable[dict[str, Any]]:
    for number, each in enumerate(facts.scans):
        yield {
            "node": each.node,
            "at_ms": each.at_ms,
            "cards": list(each.cards),
            "batch": 2**63 + number,
            "received_at": RECEIVED_AT,
        }


def move_rows(facts: Facts) -> Iterable[dict[str, Any]]:
    for each in facts.moves:
        row = {"card": each.card, "from_ms": each.from_ms, "node": each.node, "who": "staff"}
        yield row | {"recorded_at": RECEIVED_AT}


def given_up_rows(facts: Facts) -> Iterable[dict[str, Any]]:
    for each in facts.given_up:
        row = {"card": each.card, "from_ms": each.from_ms, "reason": "burnt", "who": "staff"}
        yield row | {"recorded_at": RECEIVED_AT}


def node_rows(facts: Facts) -> Iterable[dict[str, Any]]:
    """The last word of each node that scans."""
    for node in sorted({each.node for each in facts.scans}):
        seen_at_ms = max(each.at_ms for each in facts.scans if each.node == node)
        yield {"node": node, "cluster": "main", "boot_id": "boot", "seen_at_ms": seen_at_ms}


def word_rows(facts: Facts) -> Iterable[dict[str, Any]]:
    """What each node said of its basis; what a card's nodes said first is the card's own."""
    first = {
        (node, each.basis) for each in facts.cards for node in (home(each), *_claimants(facts, each.card))
    }  # fmt: skip
    said = [(node, 0, basis) for node, basis in sorted(first)]
    said += [(each.node, each.at_ms, each.basis) for each in facts.words]
    for node, at_ms, basis in said:
        yield {"node": node, "day": at_ms // DAY_MS, "basis": int(basis), "first_ms": at_ms, "last_ms": at_ms}


def _claimants(facts: Facts, card: str) -> list[str]:
    return sorted({each.node for each in facts.scans if card in each.cards})


def workload_row(claim: Claim) -> dict[str, Any]:
    return {"workload": workload_key(claim.owner, claim.workload), "owner": claim.owner, "name": claim.workload}


def card_rows_of(card: Card, facts: Facts) -> Iterable[dict[str, Any]]:
    claimants = {node: f"of-{node}" for node in _claimants(facts, card.card) if node != home(card)}
    for node, cluster in (claimants or {home(card): card.cluster}).items():
        listed_ms = [each.at_ms for each in facts.scans if each.node == node and card.card in each.cards]
        yield {
            "card": card.card,
            "scanned": int(not card.imported_only),
            "node": node,
            "cluster": cluster,
            "model": card.model,
            "parent": card.parent,
            "memory_bytes": 0,
            "first_seen_ms": 0,
            "last_seen_ms": max(listed_ms, default=0),
        }
