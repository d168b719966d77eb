"""Leases (包月, 裸金属): cards that a customer pays for by time, whether it uses them or not.

Owns what a lease says, when each of its periods is due and what the period comes to. Does not own the rows
(``models.lease``), which usage a lease covers (``cover``) nor the lines of a document (``lease_charges``). Plain
Python.

A *named* lease is of these cards, or of every card on these nodes; a *pool* lease is of so many cards of a model.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction
from itertools import combinations
from typing import Literal

from cardhour_billing.leases.proration import Period
from cardhour_billing.leases.recurring import Recurring
from cardhour_billing.money import PPM, Money
from cardhour_billing.rating.binding import times_meet
from cardhour_contract.moment import CARD_HOUR_US, MS_US

LeaseUnit = Literal["card-hour", "card-month", "server-month"]


class LeaseRow(Recurring, frozen=True, kw_only=True):
    """A current lease. Its price is that of one ``per``: for a whole period, or for an hour."""

    model: str
    """Of the cards; a pool covers usage of exactly this model."""
    cards: tuple[str, ...] = ()
    nodes: tuple[str, ...] = ()
    count: int
    """Cards that are leased: those named, or the size of the pool."""
    servers: int = 1
    """Servers that a price per server-month is paid for."""
    per: LeaseUnit
    sla_ppm: int = 0
    """Part of the price of faulted time that is credited, in parts per million."""

    @property
    def named(self) -> bool:
        return bool(self.cards or self.nodes)

    @property
    def quantity(self) -> int:
        """How many times the price is paid: cards, or servers."""
        return self.servers if self.per == "server-month" else self.count

    @property
    def printed_name(self) -> str:
        """As documents print it."""
        return f"Lease 租赁 {self.key}, {self.count} card{'s' if self.count > 1 else ''} 卡"

    def price_of(self, period: Period, from_ms: int, to_ms: int) -> Money:
        """As every recurring price; one by the hour counts the hours that pass, whatever the calendar says."""
        if self.per != "card-hour":
            return super().price_of(period, from_ms, to_ms)
        return self._hours(to_ms - period.start_ms) - self._hours(from_ms - period.start_ms)

    def _hours(self, length_ms: int) -> Money:
        return self.unit_price.charge(length_ms * MS_US * self.quantity)

    def printed_fraction(self, period: Period, from_ms: int, to_ms: int) -> Fraction:
        """Card-hours, where it is paid by the hour."""
        if self.per != "card-hour":
            return super().printed_fraction(period, from_ms, to_ms)
        return Fraction((to_ms - from_ms) * MS_US * self.quantity, CARD_HOUR_US)

    def sla_credit(self, period: Period, faulted_us: int) -> Money:
        """What faulted time of its cards in a period gives back: never more than the period costs.

        A card's time is worth its part of the price of the whole period, hour by hour.
        """
        if self.per == "card-hour":
            lost = Fraction(faulted_us, CARD_HOUR_US)
        else:
            lost = Fraction(faulted_us * self.quantity, (period.end_ms - period.start_ms) * MS_US * self.count)
        credit = self.unit_price.times(lost * Fraction(self.sla_ppm, PPM))
        held = self.within(period.start_ms, period.end_ms)
        price = self.price_of(period, *held) if held else Money(amount=0, currency=self.currency)
        return credit if credit.amount < price.amount else price


def overlaps(rows: Iterable[LeaseRow]) -> Iterator[tuple[LeaseRow, LeaseRow, str]]:
    """Pairs of named leases that have a card or a node at the same time, with its name."""
    by_place: dict[str, list[LeaseRow]] = {}
    for row in rows:
        for place in (*row.cards, *row.nodes):
            by_place.setdefault(place, []).append(row)
    for place, group in sorted(by_place.items()):
        for one, other in combinations(group, 2):
            if times_meet(one.from_ms, one.to_ms, other.from_ms, other.to_ms):
                yield one, other, place
