"""What a closed month comes to today against what was billed of it: one line of difference for each line key.

Owns the key that a line of a document and a line rated today meet under, and the charge that the difference becomes.
Does not own where either comes from (``billed``, ``charges.adjustments``). Plain Python.
The key leaves out the identity of a price row: a correction supersedes a row by a new one, and is the same price.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from msgspec import Struct

from cardhour_billing.money import Money, card_hours
from cardhour_billing.month import BillingPeriod
from cardhour_billing.rating.charge import Charge
from cardhour_billing.rating.tax import TaxRule
from cardhour_contract.errors import InvariantBroken

KEY_CHARS = 16
"""Hexadecimal digits of a key's digest in a source: two keys of one month do not meet by chance."""

Kind = Literal["adjustment", "carried"]


class Key(NamedTuple):
    """What tells lines of one month apart. Usage has the root of its price's corrections; a charge its source."""

    kind: str
    subject: str
    """Root price of usage, or source of a charge."""
    model: str
    band: str
    tier: str
    tax_category: str

    @property
    def digest(self) -> str:
        return hashlib.sha256("\x1f".join(self).encode()).hexdigest()[:KEY_CHARS]


class Side(Struct, frozen=True, kw_only=True):
    """What a key comes to on one side: target or billed."""

    amount: int = 0
    quantity_us: int = 0
    name: str = ""
    """What a reader knows the line as: a model, or a charge's description."""
    numbers: tuple[str, ...] = ()
    """Documents that billed it, oldest first."""
    taxes: tuple[TaxRule, ...] = ()
    includes_tax: bool = False

    def plus(self, other: Side) -> Side:
        """Both together; the words are those of this one."""
        return Side(
            amount=self.amount + other.amount,
            quantity_us=self.quantity_us + other.quantity_us,
            name=self.name or other.name,
            numbers=tuple(dict.fromkeys(self.numbers + other.numbers)),
            taxes=self.taxes or other.taxes,
            includes_tax=self.includes_tax or other.includes_tax,
        )


NOTHING = Side()


def source_of(kind: Kind, month: str, digest: str) -> str:
    """``adjustment:2026-01:0123456789abcdef``: unique in a document, and found again by the next month."""
    return f"{kind}:{month}:{digest}"


def parse_source(source: str) -> tuple[str, str] | None:
    """Month and digest of what ``source_of`` made; ``None`` for another charge's source."""
    kind, _, rest = source.partition(":")
    month, _, digest = rest.partition(":")
    return (month, digest) if kind in ("adjustment", "carried") and digest else None


def difference(
    period: BillingPeriod, digest: str, target: Side, billed: Side, currency: str, *, carried: bool
) -> Charge | None:
    """What is left to bill of one key of ``period``; ``None`` where nothing is."""
    amount = Money(amount=target.amount - billed.amount, currency=currency)
    if not amount.amount:
        return None
    known = target if target.taxes or target.name else billed
    kind: Kind = "carried" if carried else "adjustment"
    return Charge(
        kind=kind,
        source=source_of(kind, str(period.month), digest),
        model=known.name if target.quantity_us or billed.quantity_us else "",
        description=_carried(period, target) if carried else _adjusted(period, target, billed, currency),
        first_day=period.month.first_day,
        last_day=period.last_day,
        quantity_us=target.quantity_us - billed.quantity_us,
        printed_quantity="1" if amount.amount > 0 else "-1",
        unit="item",
        unit_price=str(Money(amount=abs(amount.amount), currency=currency)),
        amount=amount,
        taxes=known.taxes,
        includes_tax=known.includes_tax,
        inputs={
            "month": str(period.month),
            "key": digest,
            "currency": currency,
            "target": target.amount,
            "billed": billed.amount,
            "target_us": target.quantity_us,
            "billed_us": billed.quantity_us,
            "originals": list(billed.numbers),
        },
    )


def recompute(inputs: Mapping[str, Any]) -> Money:
    """The amount of an adjustment, or of what was carried, from its frozen inputs."""
    target, billed = inputs["target"], inputs["billed"]
    if type(target) is not int or type(billed) is not int:
        raise InvariantBroken("target and billed are integers of minor units")
    return Money(amount=target - billed, currency=inputs["currency"])


def _adjusted(period: BillingPeriod, target: Side, billed: Side, currency: str) -> str:
    name = target.name or billed.name
    number = f", {billed.numbers[0]}" if billed.numbers else ""
    money = " → ".join(str(Money(amount=side.amount, currency=currency)) for side in (billed, target))
    hours = ""
    if target.quantity_us != billed.quantity_us:
        hours = " → ".join(card_hours(side.quantity_us, 4) for side in (billed, target)) + " card-hours 卡时, "
    return f"{name}: correction 更正 {period.month}{number}: {hours}{money} {currency}"


def _carried(period: BillingPeriod, target: Side) -> str:
    hours = f", {card_hours(target.quantity_us, 4)} card-hours 卡时" if target.quantity_us else ""
    return f"{target.name}: carried forward from {period.month} 上期结转{hours}"
