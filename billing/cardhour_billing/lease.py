"""Leases (包月, 裸金属): cards that a customer pays for by time, whether it uses them or not.

Owns what a lease says, when each of its periods is due and what the period comes to. Does not own the rows
(``models.lease``), which usage a lease covers (``lease_cover``) nor the lines of a document (``lease_charges``). Plain
Python.

A *named* lease is of these cards, or of every card on these nodes; a *pool* lease is of so many cards of a model.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction
from itertools import combinations
from typing import Literal

from msgspec import Struct

from cardhour_billing.binding import times_meet
from cardhour_billing.money import PPM, Money, UnitPrice
from cardhour_billing.proration import Cycle, Period, periods
from cardhour_contract.moment import CARD_HOUR_US, MS_US

LeaseUnit = Literal["card-hour", "card-month", "server-month"]
Billing = Literal["advance", "arrears"]


class LeaseRow(Struct, frozen=True, kw_only=True):
    """A current lease. Valid ``[from_ms, to_ms)``; until further notice where ``to_ms`` is ``None``."""

    id: int
    key: str
    """The catalog's id: stays the same through extensions and corrections."""
    customer: str
    model: str
    """Of the cards; a pool covers usage of exactly this model."""
    cards: tuple[str, ...] = ()
    nodes: tuple[str, ...] = ()
    count: int
    """Cards that are leased: those named, or the size of the pool."""
    servers: int = 1
    """Servers that a price per server-month is paid for."""
    per: LeaseUnit
    currency: str
    nano: int
    """Price of one ``per``, integer 1e-9 currency units."""
    includes_tax: bool = False
    cycle: Cycle = "calendar"
    billing: Billing = "arrears"
    non_refundable: bool = False
    """What was billed in advance is not given back when the lease ends early."""
    sla_ppm: int = 0
    """Part of the price of faulted time that is credited, in parts per million."""
    from_ms: int
    to_ms: int | None = None

    @property
    def named(self) -> bool:
        return bool(self.cards or self.nodes)

    @property
    def unit_price(self) -> UnitPrice:
        return UnitPrice(nano=self.nano, currency=self.currency)

    @property
    def quantity(self) -> int:
        """How many times the price is paid for a whole period or hour: cards, or servers."""
        return self.servers if self.per == "server-month" else self.count

    def holds_at(self, at_ms: int) -> bool:
        return self.from_ms <= at_ms and (self.to_ms is None or at_ms < self.to_ms)

    def within(self, from_ms: int, to_ms: int) -> tuple[int, int] | None:
        """The part of ``[from_ms, to_ms)`` in which it holds; ``None`` for no part."""
        start_ms, end_ms = max(from_ms, self.from_ms), to_ms if self.to_ms is None else min(to_ms, self.to_ms)
        return (start_ms, end_ms) if start_ms < end_ms else None

    def period_of(self, from_ms: int, to_ms: int, timezone: str) -> Iterator[Period]:
        """Its periods that share an instant with ``[from_ms, to_ms)``."""
        start_ms = max(from_ms, self.from_ms)
        if start_ms < to_ms:
            yield from periods(self.cycle, self.from_ms, timezone, start_ms, to_ms)

    def price_of(self, period: Period, from_ms: int, to_ms: int) -> Money:
        """What a piece of one of its periods costs; the pieces of a period sum to it exactly."""
        if self.per == "card-hour":
            return self._hours(to_ms - period.start_ms) - self._hours(from_ms - period.start_ms)
        return period.piece(self.unit_price, self.quantity, from_ms, to_ms)

    def _hours(self, length_ms: int) -> Money:
        return self.unit_price.charge(length_ms * MS_US * self.quantity)

    def due_ms(self, period: Period) -> int:
        """When a period, or what the lease holds of it, is billed: at its start, or at its end."""
        if self.billing == "advance":
            return max(period.start_ms, self.from_ms)
        return period.end_ms if self.to_ms is None else min(period.end_ms, self.to_ms)

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
