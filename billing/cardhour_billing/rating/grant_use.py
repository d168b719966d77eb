"""What grants pay of a document's lines: exact, in their order, and never more than is there.

Owns that sharing, and computing a frozen share again. Plain Python. Does not own grants (``credit``) nor asking for
them (``charges.grants``). A grant takes from lines it is for, group by group of equal tax, so that the tax base falls
by as much: before tax where prices are without it, from the price as it stands where they include it. No group falls
below zero.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from msgspec import Struct

from cardhour_billing.money import Money
from cardhour_billing.rating.charge import Charge
from cardhour_billing.rating.rated import RatedLine
from cardhour_billing.rating.tax import TaxRule

EVERYTHING = "everything"


class Allowance(Struct, frozen=True, kw_only=True):
    """What is left of a grant, and what it is for."""

    grant: int
    category: str
    model: str
    left: int
    """Minor units."""

    def covers(self, line: RatedLine | Charge) -> bool:
        """Whether it pays for a line."""
        kind, model = (line.kind, line.model) if isinstance(line, Charge) else ("usage", line.key.model)
        if self.category not in (EVERYTHING, kind):
            return False
        return not self.model or (
            model.startswith(self.model[:-1]) if self.model.endswith("*") else model == self.model
        )


class Group(NamedTuple):
    """Lines of equal tax."""

    category: str
    included: bool


class Taken(Struct, frozen=True, kw_only=True):
    """What one grant pays of one group: the smaller of what was left of it, and what there was to pay."""

    grant: int
    group: Group
    taxes: tuple[TaxRule, ...]
    left: int
    payable: int

    @property
    def amount(self) -> int:
        return min(self.left, self.payable)


def take(allowances: Sequence[Allowance], lines: Sequence[RatedLine | Charge]) -> list[Taken]:
    """What each grant pays, in their order. ``lines`` are all of the document's: those below zero leave less to pay."""
    payable = [max(0, line.amount.amount) for line in lines]
    whole: dict[Group, int] = {}
    taxes: dict[Group, dict[int, TaxRule]] = {}
    for line in lines:
        group = _group(line)
        whole[group] = whole.get(group, 0) + line.amount.amount
        taxes.setdefault(group, {}).update({rule.id: rule for rule in line.taxes})
    found: list[Taken] = []
    for allowance in allowances:
        left = allowance.left
        for group in whole:
            own = [at for at, line in enumerate(lines) if _group(line) == group and allowance.covers(line)]
            there = min(sum(payable[at] for at in own), max(0, whole[group]))
            taken = Taken(
                grant=allowance.grant, group=group, taxes=tuple(taxes[group].values()), left=left, payable=there
            )
            if not taken.amount:
                continue
            found.append(taken)
            left -= taken.amount
            whole[group] -= taken.amount
            _use_up(payable, own, taken.amount)
    return found


def recompute(inputs: Mapping[str, Any]) -> Money:
    """What a grant took, from what was frozen of it."""
    return Money(amount=-min(inputs["left"], inputs["payable"]), currency=inputs["currency"])


def _group(line: RatedLine | Charge) -> Group:
    taxable = line.taxable
    return Group(taxable.rules[0].key if taxable.rules else "", taxable.included)


def _use_up(payable: list[int], own: Sequence[int], amount: int) -> None:
    """The first lines are paid first: which one is seen by no reader, and decides only what the next grant finds."""
    for at in own:
        part = min(payable[at], amount)
        payable[at] -= part
        amount -= part
