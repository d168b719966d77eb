"""How commitments stand: what their present term commits to, and what of it is used. For pages and the API."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date
from fractions import Fraction

from msgspec import Struct

from cardhour_billing.catalog.current import current_commitments, current_contracts
from cardhour_billing.models import Customer
from cardhour_billing.money import round_half_away
from cardhour_billing.month import Month, local_day, month_of
from cardhour_billing.month_usage.content import MonthUsage
from cardhour_billing.rating.commitment import CommitmentRow, TermDays, term_at
from cardhour_contract.clock import Clock

UsageOf = Callable[[Month], MonthUsage]


class CommitmentStanding(Struct, frozen=True, kw_only=True):
    """A commitment in the term that it is now. ``whole`` and ``used``: card-microseconds, or minor units of money."""

    row: CommitmentRow
    term: TermDays
    whole: int
    used: int

    @property
    def left(self) -> int:
        return max(0, self.whole - self.used)


def standing_of_commitments(customer: Customer, usage_of: UsageOf, clock: Clock) -> Iterator[CommitmentStanding]:
    """Every commitment under the customer's contracts that is in a term today."""
    today = local_day(clock.now_ms(), customer.timezone)
    contracts = {row.key: row for row in current_contracts() if row.customer == customer.key}
    for row in current_commitments():
        contract = contracts.get(row.contract)
        if contract is None or row.currency != customer.currency:
            continue
        ends = [each for each in (row.to_ms, contract.to_ms) if each is not None]
        term = term_at(row.term, max(row.from_ms, contract.from_ms), min(ends, default=None), today, customer.timezone)
        if term is not None:
            yield _standing(row, term, usage_of, today)


def _standing(row: CommitmentRow, term: TermDays, usage_of: UsageOf, today: date) -> CommitmentStanding:
    part = Fraction(term.days, term.of_days)
    used = sum(_counted(row, usage_of(month), term) for month in _months(term.first, min(today, term.last)))
    whole = round_half_away((row.quantity_us if row.quantity_us is not None else row.amount or 0) * part)
    return CommitmentStanding(row=row, term=term, whole=whole, used=used)


def _counted(row: CommitmentRow, usage: MonthUsage, term: TermDays) -> int:
    """What counts of a month: usage by the card-hour, and for money its leases."""
    first, last = term.first.isoformat(), term.last.isoformat()
    cells = [
        cell for cell in usage.cells if cell.kind == "usage" and row.counts(cell.model) and first <= cell.day <= last
    ]
    if row.quantity_us is not None:
        return sum(cell.quantity_us for cell in cells)
    rents = sum(
        usage.charged(charge) for charge in usage.charges if charge.kind == "lease" and row.counts(charge.model)
    )
    return sum(cell.net for cell in cells) + rents


def _months(first: date, last: date) -> Iterator[Month]:
    month = month_of(first)
    while month <= month_of(last):
        yield month
        month = month.next
