"""What decides the amount of a line of a lease or an add-on, and computing it again.

Owns the frozen inputs of such lines, their names (``source``), and which periods a document bills. Does not own the
lines (``charges``, ``sla``). Plain Python.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal

import msgspec
from msgspec import Struct

from cardhour_billing.leases.addon import AddOnRow
from cardhour_billing.leases.lease import LeaseRow
from cardhour_billing.leases.proration import Period
from cardhour_billing.money import Money
from cardhour_billing.month import local_day
from cardhour_contract.errors import InvariantBroken
from cardhour_contract.moment import DAY_MS, QUARTER_MS

Row = LeaseRow | AddOnRow

LONGEST_PERIOD_MS = 32 * DAY_MS
"""A period that is due after an instant does not begin earlier than this before it."""


class Window(Struct, frozen=True, kw_only=True):
    """Which periods a document bills: those that fall due after ``since_ms``, until ``until_ms`` inclusive.

    It is longer than a month, so that what was recorded late is caught up and what was corrected is settled.
    """

    since_ms: int
    until_ms: int
    timezone: str
    elsewhere_ms: tuple[tuple[int, int], ...] = ()
    """Months in it that have a draft of their own, which bills what falls due then."""

    def has(self, due_ms: int) -> bool:
        within = self.since_ms < due_ms <= self.until_ms
        return within and not any(start_ms < due_ms <= end_ms for start_ms, end_ms in self.elsewhere_ms)

    def periods(self, row: Row) -> Iterator[Period]:
        """The periods of ``row`` that fall due in it."""
        first_ms = max(row.from_ms, self.since_ms - LONGEST_PERIOD_MS)
        for period in row.periods(first_ms, self.until_ms + QUARTER_MS, self.timezone):
            if self.has(row.due_ms(period)):
                yield period


class Inputs(Struct, frozen=True, kw_only=True):
    """All that decides the amount of one line."""

    what: Literal["price", "sla"] = "price"
    row: dict[str, Any]
    """The lease or add-on, whole."""
    timezone: str
    period_ms: tuple[int, int]
    span_ms: tuple[int, int]
    """The part of the period that is billed in all, with what was billed before; empty where nothing of it is."""
    faulted_us: int = 0
    """For an SLA credit: faulted time of the lease's cards in the period."""
    billed: int = 0
    """Minor units that earlier documents billed of it."""

    @property
    def period(self) -> Period:
        return Period(start_ms=self.period_ms[0], end_ms=self.period_ms[1], timezone=self.timezone)

    @property
    def recorded(self) -> Row:
        """The lease or add-on as it was."""
        kind: type[Row] = LeaseRow if "model" in self.row else AddOnRow
        return msgspec.convert(self.row, kind)

    @property
    def amount(self) -> Money:
        """What the line comes to."""
        row = self.recorded
        before = Money(amount=self.billed, currency=row.currency)
        if self.what == "price":
            return row.price_of(self.period, *self.span_ms) - before
        if not isinstance(row, LeaseRow):
            raise InvariantBroken("only a lease has an SLA credit")
        return -row.sla_credit(self.period, self.faulted_us) - before


class Billed(Struct, frozen=True, kw_only=True):
    """What earlier documents say of one source: the sum of their amounts, and the inputs of the last."""

    amount: int
    inputs: Inputs


def recompute(inputs: Mapping[str, Any]) -> Money:
    """What the frozen inputs of a line come to."""
    return read_inputs(inputs).amount


def read_inputs(inputs: Mapping[str, Any]) -> Inputs:
    """Frozen inputs, typed."""
    return msgspec.convert(inputs, Inputs)


def kind_of(row: Row) -> Literal["lease", "add-on"]:
    """The kind of its charges."""
    return "lease" if isinstance(row, LeaseRow) else "add-on"


def subject_of(row: Row) -> str:
    """What tax rules know it by: a lease is supplied as its model."""
    return row.model if isinstance(row, LeaseRow) else row.name


def source_of(what: str, row: Row, period: Period) -> str:
    """What a line is for: ``lease:acme-1:2026-10-01``, with the local day on which the period begins."""
    return f"{what}:{row.key}:{local_day(period.start_ms, period.timezone)}"
