"""What changed against the month before: the amount with its sign, the part, and a small bar.

Owns how a change is said and drawn. Does not own what is compared.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from cardhour_billing.figures import MINUS, grouped
from cardhour_billing.money import Money, round_half_away

NOTABLE_CHANGE = Fraction(1, 5)
"""A change of 20 % and more is marked: such a bill is asked about."""
BAR_CHANGE = Fraction(1, 4)
"""The change that fills half the bar; a larger one looks the same and has its figure beside it."""
BAR_WIDTH = 62


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """Net against the month before. Texts are signed; the bar's geometry is in units of its 62-wide view box."""

    amount: str
    percent: str
    notable: bool
    bar_x: str
    bar_width: str


def change(now: int, before: int | None, currency: str) -> Change | None:
    """The change from ``before`` to ``now``, in minor units."""
    if before is None:
        return None
    difference = now - before
    share = Fraction(difference, abs(before)) if before else None
    half = Fraction(BAR_WIDTH, 2)
    length = half * min(abs(share) / BAR_CHANGE, Fraction(1)) if share is not None else Fraction(0)
    return Change(
        amount=signed(difference, currency),
        percent=_percent(share) if share is not None else "",
        notable=share is not None and abs(share) >= NOTABLE_CHANGE,
        bar_x=f"{float(half if difference >= 0 else half - length):.2f}",
        bar_width=f"{float(length):.2f}",
    )


def signed(amount: int, currency: str) -> str:
    """A difference in minor units, with its sign."""
    return _signed(str(Money(amount=amount, currency=currency)))


def texts(currency: str, *amounts: int) -> list[str]:
    """Minor units as grouped text."""
    return [grouped(str(Money(amount=amount, currency=currency))) for amount in amounts]


def _signed(amount: str) -> str:
    return grouped(amount) if amount.startswith("-") else f"+{grouped(amount)}"


def _percent(share: Fraction) -> str:
    tenths = round_half_away(abs(share) * 1000)
    return f"{MINUS if share < 0 else '+'}{tenths // 10:,}.{tenths % 10}%"
