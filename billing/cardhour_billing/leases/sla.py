"""Credits for faulted time of leased cards, where the lease promises them.

Owns when they are due (with the first document after the period, in advance or not) and their lines. Does not own how
much a card's time is worth (``lease``) nor measuring it (``charges``). Plain Python.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import msgspec

from cardhour_billing.leases.inputs import LONGEST_PERIOD_MS, Billed, Inputs, Window, source_of
from cardhour_billing.leases.lease import LeaseRow
from cardhour_billing.leases.proration import Period
from cardhour_billing.money import card_hours, percent_text
from cardhour_billing.month import local_day
from cardhour_billing.rating.charge import Charge
from cardhour_billing.rating.tax import TaxRules

Faulted = Mapping[tuple[str, int], int]
"""Faulted card-microseconds of a lease's cards, by its key and the start of the period."""


def sla_spans(row: LeaseRow, window: Window) -> Iterator[tuple[Period, tuple[int, int]]]:
    """The periods whose faulted time falls due in ``window``, and the part of each that the lease holds."""
    if row.sla_ppm:
        first_ms = max(row.from_ms, window.since_ms - LONGEST_PERIOD_MS)
        for period in row.periods(first_ms, window.until_ms, window.timezone):
            held = row.within(period.start_ms, period.end_ms)
            if held and window.has(held[1]):
                yield period, held


def sla_charges(
    rows: Sequence[LeaseRow], window: Window, billed: Mapping[str, Billed], taxes: TaxRules, faulted: Faulted
) -> Iterator[Charge]:
    """The credits of one customer. ``billed``: by source, what earlier documents credited already."""
    for row in rows:
        for period, held in sla_spans(row, window):
            source = source_of("sla", row, period)
            before = billed.get(source)
            inputs = Inputs(
                what="sla",
                row=msgspec.to_builtins(row),
                timezone=window.timezone,
                period_ms=(period.start_ms, period.end_ms),
                span_ms=held,
                faulted_us=faulted.get((row.key, period.start_ms), 0),
                billed=before.amount if before else 0,
            )
            if inputs.amount.amount:
                yield _charge(row, source, inputs, taxes)


def _charge(row: LeaseRow, source: str, inputs: Inputs, taxes: TaxRules) -> Charge:
    amount = inputs.amount
    rule = taxes.find(row.customer, row.model, inputs.period.start_ms)
    hours = card_hours(inputs.faulted_us, decimals=2)
    return Charge(
        kind="lease",
        source=source,
        model=row.model,
        description=f"SLA credit 服务赔付 {row.key}: {percent_text(row.sla_ppm)}%, {hours} faulted card-hours 故障卡时",
        first_day=local_day(inputs.span_ms[0], inputs.timezone),
        last_day=local_day(inputs.span_ms[1] - 1, inputs.timezone),
        printed_quantity="-1" if amount.amount < 0 else "1",
        unit_price=str(amount).lstrip("-"),
        amount=amount,
        taxes=(rule,) if rule else (),
        includes_tax=row.includes_tax,
        inputs=msgspec.to_builtins(inputs),
    )
