"""Where a card was at home, and on which basis its node counted then.

Owns both histories, read word by word from docs/metering.md. Does not own what a home is good for: only its records
count, and an hour has the basis of the home at which it begins.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from cardhour_contract.record import Basis
from tests.ledger.facts import Card, Facts, Scan


class Stay(NamedTuple):
    """At home on ``node`` from then until the next stay; the first reaches back for ever."""

    from_ms: int
    node: str


class Listing(NamedTuple):
    """Scans of one node, one after the other, that list the card."""

    first_ms: int
    node: str
    last_ms: int
    gone: bool
    """A later scan of the node does not list it."""


def home(card: Card) -> str:
    """The node whose scans list the card, where no others do."""
    return f"{card.card}-home"


def stays(facts: Facts, card: str) -> tuple[Stay, ...]:
    """The homes of ``card``, if more than one node has listed it.

    It stays with the node that listed it first for as long as that node has not been seen without it. Then it belongs
    to the next that began to list it: from that moment, or from the first node's last listing, whichever is later.
    Staff may move it at any time; what counts from then on is the node that they named.
    """
    claimants = {each.node for each in facts.scans if card in each.cards}
    scans = [each for each in facts.scans if each.node in claimants and not taken_back(facts, each)]
    if len(claimants) < 2 or not scans:
        return ()
    found = _listings(scans, card)
    moves = sorted((each.from_ms, each.node) for each in facts.moves if each.card == card)
    homes: list[Stay] = []
    holder: Listing | None = None
    for at_ms, moved_to, listing in sorted(
        [(each.first_ms, "", each) for each in found] + [(at_ms, node, None) for at_ms, node in moves],
        key=lambda each: (each[0], each[1]),
    ):
        if listing is None:
            homes.append(Stay(at_ms, moved_to))
            holder = next((x for x in found if x.node == moved_to and not (x.gone and x.last_ms < at_ms)), None)
        elif homes and holder is None:
            continue
        elif holder is None or (holder.gone and holder.node != listing.node):
            homes.append(Stay(at_ms if holder is None else max(at_ms, holder.last_ms), listing.node))
            holder = listing
        elif holder.node == listing.node:
            holder = listing
    return _told_once(homes)


def home_at(found: Sequence[Stay], at_ms: int) -> str | None:
    """``None`` where everybody's records count."""
    if not found:
        return None
    begun = [each for each in found if each.from_ms <= at_ms]
    return (begun[-1] if begun else found[0]).node


def basis_at(facts: Facts, card: Card, hour_ms: int) -> Basis:
    """What the card's home had said last as the hour began; what it said first, if that came later."""
    node = home_at(stays(facts, card.card), hour_ms) or home(card)
    said = sorted((each.at_ms, each.basis) for each in facts.words if each.node == node)
    said = [(0, card.basis), *said]
    return [basis for at_ms, basis in said if at_ms <= hour_ms][-1]


def cluster_at(facts: Facts, card: Card, hour_ms: int) -> str:
    """A contested card is in its home's cluster."""
    node = home_at(stays(facts, card.card), hour_ms)
    return f"of-{node}" if node else card.cluster


def taken_back(facts: Facts, scan: Scan) -> bool:
    return any(each.names(scan) and each.covers(scan.at_ms, scan.at_ms + 1) for each in facts.retractions)


def _listings(scans: Sequence[Scan], card: str) -> list[Listing]:
    found: list[Listing] = []
    for node in {each.node for each in scans}:
        open_: Listing | None = None
        for at_ms, listed in sorted({(each.at_ms, card in each.cards) for each in scans if each.node == node}):
            if listed:
                open_ = open_._replace(last_ms=at_ms) if open_ else Listing(at_ms, node, at_ms, gone=False)
            elif open_:
                found.append(open_._replace(gone=True))
                open_ = None
        if open_:
            found.append(open_)
    return sorted(found)


def _told_once(homes: Sequence[Stay]) -> tuple[Stay, ...]:
    """A stay that no time is left for was none, and going on where one is, is no move."""
    kept: list[Stay] = []
    for each in homes:
        if kept and each.from_ms <= kept[-1].from_ms:
            kept.pop()
        if not kept or kept[-1].node != each.node:
            kept.append(each)
    return tuple(kept)
