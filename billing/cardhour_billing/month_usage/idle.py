"""Leased cards that nobody has used for days: how many, since when, and what of the lease that is worth.

Owns what counts as idle for long. Plain Python.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from cardhour_billing.money import round_half_away
from cardhour_billing.month_usage.content import LeasedCard, MonthUsage

DAYS_MIN = 2
"""Whole days without use, up to the last known one, from which on a card is worth a word: one is a weekend's Sunday."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IdleSpell:
    """Cards of one lease and node that have been idle since the same day. ``worth``: minor units of the lease."""

    lease: str
    node: str
    cards: int
    since: str
    idle_us: int
    worth: int


def idle_spells(usage: MonthUsage) -> list[IdleSpell]:
    """The longest first. A card that was leased no more on the last known day is none's worry."""
    groups: dict[tuple[str, str, int], list[LeasedCard]] = {}
    for card in usage.leased_cards:
        first = _idle_from(card, usage.days_known)
        if usage.days_known - first >= DAYS_MIN:
            groups.setdefault((card.lease, card.node, first), []).append(card)
    spells = []
    for (lease, node, first), cards in groups.items():
        days = range(first, usage.days_known)
        worth = sum((_worth(usage, lease, cards, day) for day in days), Fraction())
        spells.append(
            IdleSpell(
                lease=lease,
                node=node,
                cards=len(cards),
                since=usage.days[first],
                idle_us=sum(card.leased_us[day] - card.faulted_us[day] for card in cards for day in days),
                worth=round_half_away(worth),
            )
        )
    return sorted(spells, key=lambda spell: (-spell.idle_us, spell.lease, spell.node, spell.since))


def _idle_from(card: LeasedCard, known: int) -> int:
    """The first day from which on, to the last known one, the card was leased and never used."""
    first = known
    while first and card.leased_us[first - 1] > card.faulted_us[first - 1] and not card.used_us[first - 1]:
        first -= 1
    return first


def _worth(usage: MonthUsage, lease: str, cards: list[LeasedCard], day: int) -> Fraction:
    """What of the lease's price of a day these cards' idle time is."""
    whole_us = sum(card.leased_us[day] for card in usage.leased_cards if card.lease == lease)
    idle_us = sum(card.leased_us[day] - card.faulted_us[day] for card in cards)
    price = sum(
        net
        for charge in usage.charges
        if charge.source.startswith(f"lease:{lease}:")
        for on, net in charge.days
        if on == usage.days[day]
    )
    return Fraction(price * idle_us, whole_us) if whole_us else Fraction()
