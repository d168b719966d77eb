"""Where a card that several nodes have listed was at home, and when: only its home's records count.

Owns the rule, from scans and staff's moves to homes, and keeping it up to date. No order of arrival matters to it:

* a node's *run* is an unbroken sequence of its scans that list the card; it is *over* once a later scan of that node
  lacks the card;
* the card's first home is the run that began first; a home that is over passes the card on to the next run to begin,
  from its own last listing or that run's first, whichever is later;
* a home that is not over keeps the card: the other node's records are a conflict, until the card is gone from the
  first or staff move it.
"""

from __future__ import annotations

import secrets
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import pyarrow as pa

from cardhour_contract.moment import HOUR_MS
from cardhour_ingest.warehouse.client import Warehouse
from cardhour_ingest.warehouse.sql import sql


class ListingRun(NamedTuple):
    """A node's unbroken sequence of scans with a card."""

    first_ms: int
    node: str
    last_ms: int
    over: bool
    """Whether a later scan of the node lacks the card."""


class Home(NamedTuple):
    """From when a card is at home on a node, until the next Home. The first holds for all time before as well."""

    from_ms: int
    node: str


class Scanned(NamedTuple):
    """One scan of a node, reduced to whether it lists the card."""

    at_ms: int
    node: str
    listed: bool


def listing_runs(scans: Iterable[Scanned]) -> list[ListingRun]:
    """The runs of all nodes, by their beginning."""
    by_node: dict[str, list[ListingRun]] = defaultdict(list)
    for at_ms, node, listed in sorted(scans):
        runs = by_node[node]
        if listed and runs and not runs[-1].over:
            runs[-1] = runs[-1]._replace(last_ms=at_ms)
        elif listed:
            runs.append(ListingRun(at_ms, node, at_ms, over=False))
        elif runs and not runs[-1].over:
            runs[-1] = runs[-1]._replace(over=True)
    return sorted(run for runs in by_node.values() for run in runs)


def homes(runs: Sequence[ListingRun], moves: Sequence[Home] = ()) -> list[Home]:
    """The homes of one card, by the rule above. A staff move wins from its time on, until a run that begins later."""
    found: list[Home] = []
    current: ListingRun | None = None
    claims: list[tuple[int, bool, ListingRun | Home]] = [(run.first_ms, False, run) for run in runs]
    claims += [(move.from_ms, True, move) for move in moves]
    for _at_ms, _staff, claim in sorted(claims, key=lambda each: (each[0], each[1], each[2].node)):
        if isinstance(claim, Home):
            found.append(claim)
            current = _run_of(runs, claim)
        elif current is None and found:
            continue  # staff moved the card to a node that has not listed it yet
        elif current is None or (current.over and claim.node != current.node):
            found.append(Home(max(claim.first_ms, current.last_ms if current else 0), claim.node))
            current = claim
        elif claim.node == current.node:
            current = claim
    return _without_repeats(found)


def card_listings(warehouse: Warehouse) -> dict[str, set[str]]:
    """For each card that was ever scanned, and each GPU that instances are cut from: the nodes that listed it."""
    return {row["card"]: set(row["nodes"]) for row in warehouse.rows(sql("queries/card_listings"))}


def settle_homes(warehouse: Warehouse) -> int:
    """Recompute the homes of cards that several nodes have listed, and mark the hours that change hands.

    Returns how many cards' homes changed.
    """
    rows = warehouse.rows(sql("queries/contested_scans"))
    if not rows:
        return 0
    scans: dict[str, list[Scanned]] = defaultdict(list)
    for row in rows:
        for card in row["claimants"]:
            scans[card].append(Scanned(row["at_ms"], row["node"], card in row["listed"]))
    moves: dict[str, list[Home]] = defaultdict(list)
    for row in warehouse.rows("SELECT DISTINCT card, from_ms, node FROM card_move ORDER BY card, from_ms"):
        moves[row["card"]].append(Home(row["from_ms"], row["node"]))
    known = {row["card"]: _stored(row) for row in warehouse.rows(sql("queries/card_homes"))}
    changed = {}
    for card, listed in scans.items():
        now = homes(listing_runs(listed), moves[card])
        if now != known.get(card, []):
            changed[card] = now
    if changed:
        _write(warehouse, changed)
        _mark(warehouse, changed, known)
    return len(changed)


def _run_of(runs: Sequence[ListingRun], move: Home) -> ListingRun | None:
    """The run of the node that staff named, current at that time or the next to begin."""
    return next((run for run in runs if run.node == move.node and (not run.over or run.last_ms >= move.from_ms)), None)


def _without_repeats(found: Sequence[Home]) -> list[Home]:
    kept: list[Home] = []
    for each in found:
        if kept and each.from_ms <= kept[-1].from_ms:
            kept.pop()
        if not kept or kept[-1].node != each.node:
            kept.append(each)
    return kept


def _stored(row: Mapping[str, Any]) -> list[Home]:
    return [Home(from_ms, node) for from_ms, node in zip(row["from_ms"], row["node"], strict=True)]


def _write(warehouse: Warehouse, changed: Mapping[str, Sequence[Home]]) -> None:
    version = warehouse.value("SELECT now64(6, 'UTC')")
    table = pa.table({
        "card": pa.array(list(changed)),
        "from_ms": pa.array([[each.from_ms for each in found] for found in changed.values()], pa.list_(pa.uint64())),
        "node": pa.array([[each.node for each in found] for found in changed.values()], pa.list_(pa.string())),
        "version": pa.array([version] * len(changed), pa.timestamp("us", "UTC")),
    })  # fmt: skip
    warehouse.insert("card_home", table)


def _mark(warehouse: Warehouse, changed: Mapping[str, Sequence[Home]], known: Mapping[str, Sequence[Home]]) -> None:
    """Mark every hour from the first difference on, on each node that ever claimed the card."""
    for card, found in changed.items():
        before = known.get(card, ())
        differing = {each.from_ms for each in set(found) ^ set(before)}
        # A card's first home reaches back to its first record: a new contest may touch all of its time.
        first = 0 if not before or found[0] != before[0] else min(differing) // HOUR_MS
        warehouse.command(sql("queries/mark_card"), card=card, first=first, mark=secrets.randbits(64))
