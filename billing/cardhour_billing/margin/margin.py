"""What cards earn and what they cost: margin, break-even utilisation, and what a price cut would do.

Owns the arithmetic of docs/margin.md, in integers and exact fractions: each figure is rounded once, when it is printed.
Does not own where the hours and the revenue come from (``month``). Plain Python.
"""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction

from msgspec import Struct, structs

from cardhour_billing.cost import CostRow
from cardhour_billing.money import Money, round_half_away
from cardhour_contract.errors import InvariantBroken
from cardhour_contract.moment import CARD_HOUR_US


class Hours(Struct, frozen=True, kw_only=True):
    """Where the time of a model's cards went, in card-microseconds."""

    sold_us: int = 0
    """Usage that customers pay by the hour."""
    leased_us: int = 0
    """Cards leased by name, and usage that pool leases cover."""
    unsold_us: int = 0
    """Usage that nobody pays for: bound to nobody, or without a price."""
    idle_us: int = 0
    faulted_us: int = 0
    unobserved_us: int = 0
    rounding_us: int = 0

    @property
    def capacity_us(self) -> int:
        return sum(getattr(self, name) for name in self.__struct_fields__)

    @property
    def paid_us(self) -> int:
        return self.sold_us + self.leased_us

    def plus(self, other: Hours) -> Hours:
        names = self.__struct_fields__
        return structs.replace(self, **{name: getattr(self, name) + getattr(other, name) for name in names})


class Expense(Struct, frozen=True, kw_only=True):
    """What cards cost in a month, in exact minor units."""

    currency: str
    depreciation: Fraction
    hosting: Fraction
    power: Fraction

    @property
    def total(self) -> Fraction:
        return self.depreciation + self.hosting + self.power


def expense(cost: CostRow, capacity_us: int, month_us: int) -> Expense:
    """What ``capacity_us`` of cards cost, of a month that has ``month_us``: a card of half the month costs half."""
    cards = Fraction(capacity_us, month_us)
    return Expense(
        currency=cost.currency,
        depreciation=cost.depreciation * cards,
        hosting=cost.hosting * cards,
        power=cost.power * cards,
    )


class Margin(Struct, frozen=True, kw_only=True):
    """A month of a model, or the sum of several. What depends on a cost is ``None`` where no cost is known."""

    name: str
    """Model, or month."""
    hours: Hours
    revenue: Money
    """Without tax."""
    rent: Money
    """The part of the revenue that is rent of leases, named or of a pool, whether their cards were used or not."""
    expense: Expense | None

    @property
    def utilisation(self) -> Fraction | None:
        """Part of the capacity that is paid for."""
        return _ratio(self.hours.paid_us, self.hours.capacity_us)

    @property
    def revenue_per_card_hour(self) -> Fraction | None:
        """Minor units for each paid card-hour."""
        return _ratio(self.revenue.amount * CARD_HOUR_US, self.hours.paid_us)

    @property
    def gross(self) -> Fraction | None:
        """Revenue less cost, in minor units."""
        return self.revenue.amount - self.expense.total if self.expense else None

    @property
    def gross_part(self) -> Fraction | None:
        """Gross margin as a part of the revenue."""
        return _ratio(self.gross, self.revenue.amount) if self.gross is not None else None

    @property
    def break_even(self) -> Fraction | None:
        """Utilisation at which today's revenue per card-hour just pays the cost; above 1, it never does."""
        if self.expense is None or self.revenue_per_card_hour is None:
            return None
        full = self.revenue_per_card_hour * Fraction(self.hours.capacity_us, CARD_HOUR_US)
        return _ratio(self.expense.total, full)

    def cut(self, part: Fraction) -> Margin:
        """The same hours sold at prices lower by ``part``; exact revenue is rounded to the minor unit."""
        revenue, rent = (
            Money(amount=round_half_away(each.amount * (1 - part)), currency=each.currency)
            for each in (self.revenue, self.rent)
        )
        return structs.replace(self, revenue=revenue, rent=rent)

    def utilisation_to_keep(self, part: Fraction) -> Fraction | None:
        """Utilisation that earns today's revenue after a price cut of ``part``."""
        return _ratio(self.utilisation, 1 - part) if self.utilisation is not None else None


def together(name: str, margins: Iterable[Margin]) -> Margin:
    """The sum of several, all in one currency; without a cost where one of them has none."""
    each = list(margins)
    hours, revenue, rent = each[0].hours, each[0].revenue, each[0].rent
    for other in each[1:]:
        hours, revenue, rent = hours.plus(other.hours), revenue + other.revenue, rent + other.rent
    expenses = [one.expense for one in each]
    return Margin(name=name, hours=hours, revenue=revenue, rent=rent, expense=_sum(expenses))


def _sum(expenses: Iterable[Expense | None]) -> Expense | None:
    whole: Expense | None = None
    for each in expenses:
        if each is None:
            return None
        if whole is None:
            whole = each
            continue
        if each.currency != whole.currency:
            raise InvariantBroken(f"costs in {whole.currency} and {each.currency} cannot be added")
        whole = structs.replace(
            whole,
            depreciation=whole.depreciation + each.depreciation,
            hosting=whole.hosting + each.hosting,
            power=whole.power + each.power,
        )
    return whole


def _ratio(one: Fraction | int | None, other: Fraction | int) -> Fraction | None:
    return Fraction(one) / other if one is not None and other else None
