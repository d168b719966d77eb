"""When nobody claims to watch a card any more.

Owns the rule, read word by word from docs/metering.md: at an instant, and for a whole hour. Does not own pages.
"""

from __future__ import annotations

from cardhour_contract.moment import DAY_MS, HOUR_MS
from tests.ledger.facts import Facts, Scan
from tests.ledger.places import taken_back

MISSED_MS = 30 * DAY_MS


def retired_hour(facts: Facts, card: str, hour_ms: int) -> bool:
    """Whether the card is gone from the hour's first instant to its last."""
    back = any(hour_ms < each.at_ms < hour_ms + HOUR_MS for each in _listings(facts, card))
    return not back and retired_at(facts, card, hour_ms)


def retired_at(facts: Facts, card: str, at_ms: int) -> bool:
    """Since it was last listed, staff have given it up, or its node has missed it for thirty days and still did then.

    Its node is the one that listed it last. A node that is silent says nothing.
    """
    listings = _listings(facts, card)
    last = max(
        (each for each in listings if each.at_ms <= at_ms), key=lambda each: (each.at_ms, each.node), default=None
    )
    since_ms = last.at_ms if last else -1
    if any(each.card == card and since_ms < each.from_ms <= at_ms for each in facts.given_up):
        return True
    back_ms = min((each.at_ms for each in listings if each.at_ms > at_ms), default=None)
    missed_ms = [
        each.at_ms
        for each in _counted(facts)
        if last
        and each.node == last.node
        and card not in each.cards
        and since_ms < each.at_ms
        and (back_ms is None or each.at_ms <= back_ms)
    ]
    return bool(missed_ms) and min(missed_ms) + MISSED_MS <= min(at_ms, max(missed_ms))


def _listings(facts: Facts, card: str) -> list[Scan]:
    return [each for each in _counted(facts) if card in each.cards]


def _counted(facts: Facts) -> list[Scan]:
    return [each for each in facts.scans if not taken_back(facts, each)]
