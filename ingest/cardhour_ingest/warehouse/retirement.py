"""When a card is gone for good: from then on nobody claims to watch it, and it has no pages.

Owns the rule, from scans and staff's word to spans of time, and keeping it up to date. Does not own where a card is at
home (``homes``). No order of arrival matters to the rule:

* a card is *absent* from the first scan of its node (the one that listed it last) that lacks it. Thirty days of such
  scans, and it is retired. A node that is silent says nothing: its cards stay, and their time is unobserved;
* staff may say that a card is retired from a time on, where its node cannot;
* a card that any node lists again is back from then on. What was between stays as it was.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import pyarrow as pa
from msgspec import Struct

from cardhour_contract.errors import Refuse
from cardhour_contract.moment import DAY_MS, HOUR_MS, format_rfc3339
from cardhour_ingest.warehouse.client import Warehouse
from cardhour_ingest.warehouse.homes import Scanned
from cardhour_ingest.warehouse.migrate import rendering_for
from cardhour_ingest.warehouse.sql import sql

ABSENT_MS = 30 * DAY_MS
"""How long a card is missed before it counts as gone: longer than a repair, and a month's close has asked about it."""

FOREVER = 2**64 - 1

CARDS_ASKED_MAX = 1_000
"""Cards settled at once: their scans travel, up to 9000 of each in a year."""


class Retired(NamedTuple):
    """A span in which a card is gone, half-open."""

    from_ms: int
    until_ms: int


class Word(Struct, frozen=True, kw_only=True):
    """Staff say that a card is gone from a time on."""

    card: str
    from_ms: int
    reason: str
    who: str


def retirements(scans: Iterable[Scanned], told_ms: Iterable[int] = ()) -> list[Retired]:
    """The spans in which one card is retired, given the scans of every node that ever listed it."""
    found: list[Retired] = []
    events = [(each.at_ms, each.listed, each.node) for each in scans] + [(at_ms, None, "") for at_ms in told_ms]
    node, absent_ms, gone_ms = "", FOREVER, FOREVER
    for at_ms, listed, by in sorted(events, key=lambda each: (each[0], each[1] is True, each[2])):
        if listed:
            if gone_ms < at_ms:
                found.append(Retired(gone_ms, at_ms))
            node, absent_ms, gone_ms = by, FOREVER, FOREVER
        elif listed is None:
            gone_ms = min(gone_ms, at_ms)
        elif by == node:
            absent_ms = min(absent_ms, at_ms)
            if at_ms - absent_ms >= ABSENT_MS:
                gone_ms = min(gone_ms, absent_ms + ABSENT_MS)
    return [*found, Retired(gone_ms, FOREVER)] if gone_ms < FOREVER else found


def settle_retirements(warehouse: Warehouse) -> int:
    """Recompute the retirement of cards that were listed, missed or spoken of since; returns how many changed.

    Pages of hours in which a card is now retired, and that no raw row made, are taken away. Hours of a card that is
    back have no page: the sweep marks them.
    """
    cards = [row["card"] for row in warehouse.rows(sql("queries/retirement_due"), absent=ABSENT_MS)]
    changed = 0
    for first in range(0, len(cards), CARDS_ASKED_MAX):
        changed += _settle(warehouse, cards[first : first + CARDS_ASKED_MAX])
    return changed


def check_retirement(warehouse: Warehouse, word: Word) -> None:
    """Raises Refuse for a card that no scan knows, or that was listed after it is said to be gone."""
    last_ms = warehouse.value(
        "SELECT max(last_seen_ms) FROM card WHERE card = {card:String} AND scanned = 1", card=word.card
    )
    if not last_ms:
        raise Refuse(
            f"no scan has ever listed card '{word.card}': cardhour balance --by card names the cards there are"
        )
    if last_ms >= word.from_ms:
        raise Refuse(
            f"card '{word.card}' was there on {format_rfc3339(last_ms)}, after {format_rfc3339(word.from_ms)}: "
            f"say a later --from, or stop the agent that still lists it"
        )
    if not word.reason.strip():
        raise Refuse("say why: a retirement without a reason cannot be audited")


def retire(warehouse: Warehouse, word: Word) -> None:
    """Record staff's word; the next rollup takes the card's later pages away. Saying it twice changes nothing."""
    check_retirement(warehouse, word)
    columns = {
        "card": [word.card],
        "from_ms": pa.array([word.from_ms], pa.uint64()),
        "reason": [word.reason],
        "who": [word.who],
        "recorded_at": pa.array([warehouse.value("SELECT now64(3, 'UTC')")], pa.timestamp("ms", "UTC")),
    }
    warehouse.insert("card_retired", pa.table(columns))


def _settle(warehouse: Warehouse, cards: Sequence[str]) -> int:
    scans: dict[str, list[Scanned]] = defaultdict(list)
    for row in warehouse.rows(sql("queries/scans_of_cards"), cards=cards):
        for card in row["claimants"]:
            scans[card].append(Scanned(row["at_ms"], row["node"], card in row["listed"]))
    known = {row.pop("card"): row for row in warehouse.rows(sql("queries/card_retirements"), cards=cards)}
    found = {card: retirements(scans[card], known[card]["told_ms"]) for card in cards}
    before = {
        card: [Retired(*each) for each in zip(row["from_ms"], row["until_ms"], strict=True)]
        for card, row in known.items()
    }
    gone = {card: spans for card, spans in found.items() if spans != before[card]}
    _write(warehouse, {card: spans for card, spans in found.items() if card in gone or known[card]["unseen"]}, known)
    take_away(warehouse, {card: set(spans) - set(before[card]) for card, spans in gone.items()})
    return len(gone)


def _write(
    warehouse: Warehouse, found: Mapping[str, Sequence[Retired]], known: Mapping[str, Mapping[str, int]]
) -> None:
    if not found:
        return
    numbers = pa.list_(pa.uint64())
    version = warehouse.value("SELECT now64(6, 'UTC')")
    table = pa.table({
        "card": pa.array(list(found)),
        "from_ms": pa.array([[each.from_ms for each in spans] for spans in found.values()], numbers),
        "until_ms": pa.array([[each.until_ms for each in spans] for spans in found.values()], numbers),
        "listed_ms": pa.array([known[card]["listed_ms"] for card in found], pa.uint64()),
        "told": pa.array([known[card]["told"] for card in found], pa.uint64()),
        "version": pa.array([version] * len(found), pa.timestamp("us", "UTC")),
    })  # fmt: skip
    warehouse.insert("card_retirement", table)


def take_away(warehouse: Warehouse, gone: Mapping[str, Iterable[Retired]]) -> None:
    """Pages that only said that nobody looked, of hours in which nobody claims to look. A repeat finds nothing.

    A retirement is written first and looks for pages then; a rollup writes its pages first and looks for retirements
    then. So of two that race one sees the other's.
    """
    rendering = rendering_for(warehouse.target)
    for card, spans in gone.items():
        for each in spans:
            first, end = -(-each.from_ms // HOUR_MS), min(each.until_ms // HOUR_MS, 2**32 - 1)
            # Written out, the name as hex: a statement that a cluster passes on takes no parameters along.
            where = f"raw_rows = 0 AND card = unhex('{card.encode().hex()}') AND hour >= {first} AND hour < {end}"
            for statement in rendering(f"ALTER TABLE card_hour DELETE WHERE {where} SETTINGS mutations_sync = 2"):
                warehouse.command(statement)
