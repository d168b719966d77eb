"""A line of a credit note: which line of which invoice it gives back of, and how much.

Owns the charge and its source. Does not own how much may be credited (``crediting``). Plain Python.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from cardhour_billing.frozen.document import DocumentLine, InvoiceDocument
from cardhour_billing.money import Money
from cardhour_billing.month import BillingPeriod
from cardhour_billing.rating.charge import Charge
from cardhour_billing.rating.tax import TaxRule
from cardhour_contract.errors import InvariantBroken


class CreditLine(Struct, frozen=True, kw_only=True):
    """``amount`` of the line at ``position``, as the line has it: with its tax where its price includes it."""

    position: int
    amount: Money


def credit_source(number: str, position: int) -> str:
    """``credit:EC-2026-0001:2``."""
    return f"credit:{number}:{position}"


def parse_credit(source: str) -> tuple[str, int]:
    """Number and position of what ``credit_source`` made."""
    _, number, position = source.split(":")
    return number, int(position)


def credit_charge(
    original: InvoiceDocument,
    line: DocumentLine,
    period: BillingPeriod,
    credit: CreditLine,
    *,
    earlier: Money,
    taxes: tuple[TaxRule, ...],
    exact_tax: Money | None,
) -> Charge:
    """What gives back ``credit`` of ``line``; ``earlier`` is what notes before it gave back."""
    amount, number = credit.amount, str(original.number)
    what = line.model or line.description
    return Charge(
        kind="credit",
        source=credit_source(number, line.position),
        model=line.model,
        description=f"{what}: credit of line {line.position} of {number} 冲减 {number} 第 {line.position} 行",
        first_day=period.month.first_day,
        last_day=period.last_day,
        printed_quantity="-1" if amount.amount > 0 else "1",
        unit="item",
        unit_price=str(Money(amount=abs(amount.amount), currency=amount.currency)),
        amount=-amount,
        taxes=taxes,
        includes_tax=line.includes_tax,
        exact_tax=exact_tax,
        inputs={
            "original": number,
            "line": line.position,
            "currency": amount.currency,
            "billed": int(line.amount.replace(".", "")),
            "earlier": earlier.amount,
            "credited": amount.amount,
        },
    )


def recompute(inputs: Mapping[str, Any]) -> Money:
    """The amount of a credit from its frozen inputs, which must not give back more than was billed."""
    billed, earlier, credited = inputs["billed"], inputs["earlier"], inputs["credited"]
    if not within(credited, billed - earlier):
        raise InvariantBroken(f"{credited} is more than {billed - earlier}, which was left of the line")
    return Money(amount=-credited, currency=inputs["currency"])


def within(credited: int, left: int) -> bool:
    """Whether a credit is a part of what is left of a line: of its sign, and not more. Lines may be negative."""
    return 0 < credited <= left or left <= credited < 0
