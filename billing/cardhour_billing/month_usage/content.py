"""What a customer's month of usage says: figures by day, project, holder and model that add up to its charges.

Owns the shape and its bytes. Does not own how figures come about (``dividing``) nor how they look (``portal``). Money
is integers of the currency's minor unit, without tax; quantities are card-microseconds.
"""

from __future__ import annotations

from typing import Literal

import msgspec
from msgspec import Struct

from cardhour_billing.month import billing_period, parse_month
from cardhour_contract.errors import InvariantBroken

CellKind = Literal["usage", "leased"]


class Cell(Struct, frozen=True, kw_only=True, array_like=True):
    """Usage of one holder on one model on one local day, for one project."""

    day: str
    """``YYYY-MM-DD`` in the customer's zone."""
    project: str
    owner: str
    model: str
    kind: CellKind
    """``usage`` is priced by the card-hour; ``leased`` is covered by a lease, whose own charge it is."""
    quantity_us: int
    net: int
    """Minor units; 0 where a lease covers it."""


class Charge(Struct, frozen=True, kw_only=True):
    """A line that is not rated from usage. ``days`` says what of it each local day of the month is."""

    kind: str
    source: str
    """What it is for, such as ``lease:acme-1:2026-10-01``."""
    name: str
    model: str
    first_day: str
    last_day: str
    printed_quantity: str
    unit: str
    net: int
    days: tuple[tuple[str, int], ...] = ()
    """Day and minor units; empty for what is of no day, such as a grant."""


class Work(Struct, frozen=True, kw_only=True, array_like=True):
    """A workload's part of the month."""

    project: str
    owner: str
    workload: str
    """Empty where none was reported."""
    model: str
    quantity_us: int
    net: int
    active_us: int
    """How long the card was busy of ``measured_us``."""
    measured_us: int


class LeasedCard(Struct, frozen=True, kw_only=True):
    """A card of a named lease: by local day, how long it was leased, used by its lessee, and faulted."""

    lease: str
    node: str
    card: str
    """Empty for cards of the lease that nothing was ever heard of, summed."""
    leased_us: tuple[int, ...]
    used_us: tuple[int, ...]
    faulted_us: tuple[int, ...]


class MonthUsage(Struct, frozen=True, kw_only=True):
    """One customer's month, as far as it is known."""

    version: Literal[1] = 1
    month: str
    timezone: str
    currency: str
    document: str = ""
    """Number of the invoice that billed it; empty while it is open."""
    days: tuple[str, ...]
    """The local days of the month."""
    until_ms: int
    """What is known runs to here: the period's end for a month that is over."""
    computed_at_ms: int
    cells: tuple[Cell, ...] = ()
    charges: tuple[Charge, ...] = ()
    works: tuple[Work, ...] = ()
    leased_cards: tuple[LeasedCard, ...] = ()
    unpriced: tuple[tuple[str, int], ...] = ()
    """Model and card-microseconds that no price holds for: in no figure."""
    detailed: bool = True
    """False where the usage store was away: figures by day and model are there, projects and workloads are not."""

    @property
    def to_date(self) -> int:
        """All charges up to the last day that is known, in minor units."""
        return sum(cell.net for cell in self.cells) + sum(self.charged(charge) for charge in self.charges)

    def charged(self, charge: Charge) -> int:
        """What of a charge falls on the days up to the last known; all of what is of no day."""
        if not charge.days:
            return charge.net
        return sum(net for day, net in charge.days if day <= self.last_day)

    @property
    def over(self) -> bool:
        """Whether the month has ended."""
        return bool(self.document) or self.until_ms >= billing_period(parse_month(self.month), self.timezone).end_ms

    @property
    def last_day(self) -> str:
        """The last local day that anything is known of."""
        return self.days[self.days_known - 1]

    @property
    def days_known(self) -> int:
        """Days that have begun, at least one."""
        return max(1, sum(1 for start_ms in self.starts_ms if start_ms < self.until_ms))

    @property
    def starts_ms(self) -> tuple[int, ...]:
        """When each local day begins."""
        return billing_period(parse_month(self.month), self.timezone).day_starts_ms


def encode(usage: MonthUsage) -> bytes:
    """The month as JSON."""
    return msgspec.json.encode(usage, order="deterministic")


def decode(kept: bytes) -> MonthUsage:
    """The reverse of ``encode``."""
    try:
        return _decoder.decode(kept)
    except msgspec.DecodeError as error:
        raise InvariantBroken(f"a kept month of usage cannot be read: {error}") from error


_decoder = msgspec.json.Decoder(MonthUsage)
