"""A margin as a row of printed figures. Owns the names, order and rounding of what ``cardhour margin`` prints."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from cardhour_billing.margin.margin import Margin
from cardhour_billing.money import Money, round_half_away
from cardhour_billing.printed import minor_text, percent_of

HOURS = (
    "capacity_us", "sold_us", "leased_us", "unsold_us", "idle_us", "faulted_us", "unobserved_us", "rounding_us",
    "utilisation_percent",
)  # fmt: skip
MONEY = (
    "revenue", "rent", "revenue_per_card_hour", "depreciation", "hosting", "power", "cost", "gross_margin",
    "gross_margin_percent", "break_even_percent",
)  # fmt: skip
CUT = (
    "price_cut_percent", "revenue_after", "gross_margin_after", "gross_margin_percent_after",
    "break_even_percent_after", "utilisation_to_keep_percent",
)  # fmt: skip

PER_HOUR_DECIMALS = 4
"""Decimals of revenue per card-hour beyond the currency's: the same as of a printed quantity."""


def figures(margin: Margin, cut: Fraction | None) -> dict[str, Any]:
    """Quantities as integers, money and percentages as decimal text, ``None`` where nothing can be said."""
    row = _hours(margin) | _money(margin)
    return row | _after(margin, cut) if cut is not None else row


def _hours(margin: Margin) -> dict[str, Any]:
    hours = margin.hours
    names = [name for name in HOURS if name.endswith("_us")]
    return {name: getattr(hours, name) for name in names} | {"utilisation_percent": percent_of(margin.utilisation)}


def _money(margin: Margin) -> dict[str, Any]:
    currency, whole = margin.revenue.currency, margin.expense
    parts = [round_half_away(each) for each in (whole.depreciation, whole.hosting, whole.power)] if whole else []
    # Printed figures add up: cost is the sum of its printed parts, and the margin the rest of the revenue.
    cost = sum(parts)
    amounts = [str(Money(amount=each, currency=currency)) for each in (*parts, cost, margin.revenue.amount - cost)]
    depreciation, hosting, power, total, gross = amounts if whole else [None] * 5
    return {
        "currency": currency,
        "revenue": str(margin.revenue),
        "rent": str(margin.rent),
        "revenue_per_card_hour": minor_text(
            margin.revenue_per_card_hour, currency, more_decimals=PER_HOUR_DECIMALS - 2
        ),
        "depreciation": depreciation,
        "hosting": hosting,
        "power": power,
        "cost": total,
        "gross_margin": gross,
        "gross_margin_percent": percent_of(margin.gross_part),
        "break_even_percent": percent_of(margin.break_even),
    }


def _after(margin: Margin, cut: Fraction) -> dict[str, Any]:
    after = _money(margin.cut(cut))
    return {
        "price_cut_percent": percent_of(cut),
        "revenue_after": after["revenue"],
        "gross_margin_after": after["gross_margin"],
        "gross_margin_percent_after": after["gross_margin_percent"],
        "break_even_percent_after": after["break_even_percent"],
        "utilisation_to_keep_percent": percent_of(margin.utilisation_to_keep(cut)),
    }
