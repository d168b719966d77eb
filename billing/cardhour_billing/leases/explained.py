"""How the amount of a lease's or an add-on's line came about, step by step, for a person who checks it with a pencil.

Owns the words. Every figure is computed from the frozen inputs, as ``verify`` computes it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fractions import Fraction
from typing import Any

from cardhour_billing.leases.inputs import Inputs, read_inputs
from cardhour_billing.leases.lease import LeaseRow
from cardhour_billing.money import Money, card_hours, percent_text
from cardhour_billing.month import zone
from cardhour_billing.printed import minor_text
from cardhour_contract.moment import from_ms

EXACT_DECIMALS = 6
"""Decimals of an amount beyond the currency's, before it is rounded: enough to see which way it went."""


def steps(frozen: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What a line is of, and how its amount follows."""
    inputs = read_inputs(frozen)
    row = inputs.recorded
    yield "of", f"{row.key} of {row.customer}"
    if isinstance(row, LeaseRow):
        places = ", ".join((*row.cards, *row.nodes)) or "pool"
        yield "cards", f"{row.count} × {row.model} ({places})"
    yield "price", f"{row.quantity} × {row.unit_price} {row.currency} per {row.per}"
    yield "period", _span(inputs.period_ms, inputs.timezone)
    yield "billed part", _span(inputs.span_ms, inputs.timezone)
    yield from _price(inputs) if inputs.what == "price" else _credit(inputs, row)
    yield "billed before", str(Money(amount=inputs.billed, currency=row.currency))
    yield "amount", str(inputs.amount)


def _price(inputs: Inputs) -> Iterator[tuple[str, str]]:
    row, (start_ms, end_ms) = inputs.recorded, inputs.span_ms
    if row.per == "card-hour":
        yield "card-hours", str(row.printed_fraction(inputs.period, start_ms, end_ms))
    elif row.per != "once":
        before, after = inputs.period.fraction(start_ms), inputs.period.fraction(end_ms)
        yield "part of the period", f"{after} − {before}" if before else str(after)
    exact = row.unit_price.minor * row.printed_fraction(inputs.period, start_ms, end_ms)
    yield "exactly", str(minor_text(Fraction(exact), row.currency, more_decimals=EXACT_DECIMALS))
    yield "comes to", str(row.price_of(inputs.period, start_ms, end_ms))


def _credit(inputs: Inputs, row: Any) -> Iterator[tuple[str, str]]:
    yield "faulted", f"{card_hours(inputs.faulted_us)} card-hours"
    yield "credited", f"{percent_text(row.sla_ppm)}% of the price of that time"
    yield "comes to", str(-row.sla_credit(inputs.period, inputs.faulted_us))


def _span(span_ms: tuple[int, int], timezone: str) -> str:
    """Both ends on the customer's clock."""
    start, end = (from_ms(at_ms).astimezone(zone(timezone)).strftime("%Y-%m-%d %H:%M") for at_ms in span_ms)
    return f"{start} to {end} {timezone}" if span_ms[0] < span_ms[1] else "nothing"
