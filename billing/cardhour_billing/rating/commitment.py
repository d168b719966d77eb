"""Commitments: what a customer has promised to use in a term, and what is charged where it used less or more.

Owns the arithmetic: which term ends with a month, what is committed for it (prorated by local day, less what the
provider's faults took), and the one charge at the term's end. Does not own where usage is counted from
(``charges.commitments``). Plain Python.

What is committed is card-hours of some models, or money (net after discount, before tax). Less used: the shortfall, at
the true-up price. More used, where there is an overage price: the excess at that price, less its share of everything
that was billed. So late usage under an unmet commitment lowers the true-up by what it is billed itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from fractions import Fraction
from typing import Any, Literal, NamedTuple

from msgspec import Struct

from cardhour_billing.money import Money, UnitPrice, round_half_away
from cardhour_billing.month import BillingPeriod, Month, local_day, month_of
from cardhour_contract.moment import CARD_HOUR_US

Term = Literal["month", "quarter", "contract"]


class CommitmentRow(Struct, frozen=True, kw_only=True):
    """A current commitment under a contract. Valid ``[from_ms, to_ms)``, and no longer than the contract."""

    id: int
    key: str
    contract: str
    """Key of the contract."""
    term: Term
    covers: tuple[str, ...] = ()
    """Models that count, each exact or a prefix ending in ``*``; none named: all."""
    quantity_us: int | None = None
    """Committed card-microseconds a term; ``None`` where money is committed."""
    amount: int | None = None
    """Committed minor units a term."""
    currency: str
    true_up_nano: int | None = None
    overage_nano: int | None = None
    includes_tax: bool = False
    """Whether its two prices have their tax in them."""
    less_faults: bool = False
    from_ms: int
    to_ms: int | None = None

    def counts(self, model: str) -> bool:
        """Whether usage of a model counts."""
        return not self.covers or any(
            model.startswith(each[:-1]) if each.endswith("*") else model == each for each in self.covers
        )


class TermDays(NamedTuple):
    """A term that ends in a month: the local days it covers, both inclusive, and how many its calendar has."""

    first: date
    last: date
    of_days: int

    @property
    def days(self) -> int:
        return (self.last - self.first).days + 1


class Used(Struct, frozen=True, kw_only=True):
    """What counted in one month: exact quantity, and minor units as billed."""

    month: str
    quantity_us: int
    amount: int


def term_ending(term: Term, from_ms: int, to_ms: int | None, period: BillingPeriod) -> TermDays | None:
    """The part of a term, valid ``[from_ms, to_ms)``, that ends within ``period``; ``None`` where none does."""
    started = local_day(from_ms, period.timezone)
    ended = local_day(to_ms - 1, period.timezone) if to_ms is not None else None
    if term == "contract":
        if ended is None or month_of(ended) != period.month:
            return None
        return TermDays(started, ended, (ended - started).days + 1)
    first, last = _calendar(term, period.month)
    covered = max(first, started), min(last, ended or last)
    if covered[0] > covered[1] or month_of(covered[1]) != period.month:
        return None
    return TermDays(*covered, (last - first).days + 1)


def term_at(term: Term, from_ms: int, to_ms: int | None, day: date, timezone: str) -> TermDays | None:
    """The part of a term, valid ``[from_ms, to_ms)``, that a local day lies in; its end may be open for a contract."""
    started = local_day(from_ms, timezone)
    ended = local_day(to_ms - 1, timezone) if to_ms is not None else None
    if term == "contract":
        return TermDays(started, ended, (ended - started).days + 1) if ended and started <= day <= ended else None
    first, last = _calendar(term, month_of(day))
    covered = max(first, started), min(last, ended or last)
    return TermDays(*covered, (last - first).days + 1) if covered[0] <= day <= covered[1] else None


def inputs_of(
    row: CommitmentRow, term: TermDays, used: Sequence[Used], *, faulted_us: int, watched_us: int
) -> dict[str, Any]:
    """All that decides the charge at a term's end, as it is frozen."""
    return {
        "currency": row.currency,
        "committed_us": row.quantity_us,
        "committed": row.amount,
        "days": term.days,
        "of_days": term.of_days,
        "faulted_us": faulted_us,
        "watched_us": watched_us,
        "true_up_nano": row.true_up_nano,
        "overage_nano": row.overage_nano,
        "used": [{"month": each.month, "quantity_us": each.quantity_us, "amount": each.amount} for each in used],
    }


class Outcome(NamedTuple):
    """What a term's end comes to. ``difference_us`` is what is missing (above zero) or too much (below)."""

    amount: Money
    difference_us: int = 0


def outcome(inputs: Mapping[str, Any]) -> Outcome:
    """The charge that frozen inputs come to; zero where what was committed was used."""
    currency = str(inputs["currency"])
    part = Fraction(inputs["days"], inputs["of_days"])
    if inputs["watched_us"]:
        part *= 1 - Fraction(inputs["faulted_us"], inputs["watched_us"])
    used_us = sum(each["quantity_us"] for each in inputs["used"])
    billed = sum(each["amount"] for each in inputs["used"])
    if inputs["committed_us"] is None:
        missing = round_half_away(inputs["committed"] * part) - billed
        return Outcome(Money(amount=max(missing, 0), currency=currency))
    difference_us = round_half_away(inputs["committed_us"] * part) - used_us
    if difference_us >= 0:
        return Outcome(UnitPrice(nano=inputs["true_up_nano"], currency=currency).charge(difference_us), difference_us)
    if inputs["overage_nano"] is None:
        return Outcome(Money(amount=0, currency=currency), difference_us)
    excess = Fraction(-difference_us)
    price = UnitPrice(nano=inputs["overage_nano"], currency=currency).minor
    exact = price * excess / CARD_HOUR_US - billed * excess / used_us
    return Outcome(Money(amount=round_half_away(exact), currency=currency), difference_us)


def recompute(inputs: Mapping[str, Any]) -> Money:
    """The amount of a commitment's charge, from its frozen inputs."""
    return outcome(inputs).amount


def _calendar(term: Term, month: Month) -> tuple[date, date]:
    """First and last day of the calendar month or quarter that ``month`` is in."""
    first = month.month if term == "month" else (month.month - 1) // 3 * 3 + 1
    last = Month(year=month.year, month=first if term == "month" else first + 2)
    return date(month.year, first, 1), last.next.first_day - timedelta(days=1)
