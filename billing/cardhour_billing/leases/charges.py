"""The lines of leases and add-ons: for each period that is due, what it comes to less what was billed of it before.

Owns that difference, which makes everything that can happen to a lease one rule: a first bill, an extension, an early
end, a lease that was recorded late, a price that was corrected. Does not own reading what was billed before
(``billed_before``) nor credits for faulted time (``sla``). Plain Python.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import msgspec

from cardhour_billing.leases.inputs import Billed, Inputs, Row, Window, kind_of, source_of, subject_of
from cardhour_billing.leases.lease import LeaseRow
from cardhour_billing.leases.proration import Period
from cardhour_billing.money import Money
from cardhour_billing.month import local_day
from cardhour_billing.printed import printed_units
from cardhour_billing.rating.charge import Charge, Unit
from cardhour_billing.rating.tax import TaxRules


def price_charges(
    rows: Sequence[Row], window: Window, billed: Mapping[str, Billed], taxes: TaxRules
) -> Iterator[Charge]:
    """The lines of one customer's leases and add-ons. ``billed``: by source, what earlier documents say of them."""
    due = {source_of(kind_of(row), row, period): (row, period) for row in rows for period in window.periods(row)}
    for source, (row, period) in due.items():
        before = billed.get(source)
        inputs = Inputs(
            row=msgspec.to_builtins(row),
            timezone=window.timezone,
            period_ms=(period.start_ms, period.end_ms),
            span_ms=_span(row, period, before),
            billed=before.amount if before else 0,
        )
        if inputs.amount.amount:
            yield _charge(row, source, inputs, before, taxes)
    by_key = {(kind_of(row), row.key): row for row in rows}
    for source, before in billed.items():
        then = before.inputs.recorded
        now = by_key.get((kind_of(then), then.key))
        mine = before.inputs.what == "price" and now is not None and not _kept(now)
        if mine and source not in due and window.has(then.due_ms(before.inputs.period)):
            # What was billed has no place in the lease any more: it ended before, or begins elsewhere.
            start_ms = before.inputs.span_ms[0]
            inputs = msgspec.structs.replace(before.inputs, span_ms=(start_ms, start_ms), billed=before.amount)
            if inputs.amount.amount:
                yield _charge(then, source, inputs, before, taxes)


def _kept(row: Row) -> bool:
    """Whether what was billed of it stays billed when it ends early."""
    return row.non_refundable and row.billing == "advance"


def _span(row: Row, period: Period, before: Billed | None) -> tuple[int, int]:
    """The part of a period to bill in all. What may not be refunded does not shrink."""
    start_ms, end_ms = row.within(period.start_ms, period.end_ms) or (period.start_ms, period.start_ms)
    if before and _kept(row):
        end_ms = min(period.end_ms, max(end_ms, before.inputs.span_ms[1]))
    return start_ms, end_ms


def _charge(row: Row, source: str, inputs: Inputs, before: Billed | None, taxes: TaxRules) -> Charge:
    amount, (from_ms, to_ms) = inputs.amount, inputs.span_ms
    if before is None or _only_end_moved(row, before.inputs, inputs):
        moved_from_ms = before.inputs.span_ms[1] if before else from_ms
        from_ms, to_ms = min(moved_from_ms, to_ms), max(moved_from_ms, to_ms)
        part = row.printed_fraction(inputs.period, from_ms, to_ms)
        quantity = printed_units(part if amount.amount > 0 else -part, row.unit_price, amount)
        unit, unit_price = _unit(row), str(row.unit_price)
    else:  # a corrected price: the difference is no piece of the period
        quantity, unit, unit_price = ("1" if amount.amount > 0 else "-1"), "item", str(amount).lstrip("-")
    rule = taxes.find(row.customer, subject_of(row), inputs.period.start_ms)
    return Charge(
        kind=kind_of(row),
        source=source,
        model=row.model if isinstance(row, LeaseRow) else "",
        description=_description(row, amount, before),
        first_day=local_day(from_ms, inputs.timezone),
        last_day=local_day(max(from_ms, to_ms - 1), inputs.timezone),
        printed_quantity=quantity,
        unit=unit,
        unit_price=unit_price,
        amount=amount,
        taxes=(rule,) if rule else (),
        includes_tax=row.includes_tax,
        inputs=msgspec.to_builtins(inputs),
    )


def _only_end_moved(row: Row, before: Inputs, now: Inputs) -> bool:
    """Whether the difference is a piece of the period: nothing but the end has changed since."""
    then = before.recorded
    same_price = (then.nano, then.quantity, then.currency) == (row.nano, row.quantity, row.currency)
    moved = before.span_ms[0] == now.span_ms[0] and before.span_ms[1] != now.span_ms[1]
    return same_price and moved and before.amount.amount + before.billed == now.billed


def _unit(row: Row) -> Unit:
    if isinstance(row, LeaseRow):
        return row.per
    return "month" if row.per == "month" else "item"


def _description(row: Row, amount: Money, before: Billed | None) -> str:
    name = row.printed_name
    if before is None:
        return name
    return f"{name}: {'supplement 补收' if amount.amount > 0 else 'credit 退款'}"
