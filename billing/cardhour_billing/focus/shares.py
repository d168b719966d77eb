"""What each card gave to each line of a document on each day: read from the quarters that were frozen with it.

Owns the join of line, day, card and project, of which a document itself shows days and cards apart. Does not own rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from cardhour_billing.focus.rows import CoveredShare, Place, Share, Source
from cardhour_billing.frozen.cover import frozen_usage
from cardhour_billing.frozen.document import decode
from cardhour_billing.frozen.inputs import FrozenInputs, read_inputs
from cardhour_billing.frozen.rerating import period_of
from cardhour_billing.models import Invoice
from cardhour_billing.money import allocate
from cardhour_billing.rating.binding import Bindings
from cardhour_billing.rating.rated import UsageSum
from cardhour_billing.usage.ledger import Ledger
from cardhour_contract.errors import InvariantBroken

Sums = dict[Place, int]


def source_of(invoice: Invoice, ledger: Ledger) -> Source:
    """An issued document with the shares of its lines. Raises InvariantBroken where they are not those of its lines."""
    document, inputs = decode(bytes(invoice.frozen)), read_inputs(bytes(invoice.inputs))
    places, usage = _Places(inputs), frozen_usage(inputs, ledger)
    sums: dict[int, Sums] = {}
    for line, row in usage.billed:
        _add(sums.setdefault(line, {}), places.of(row), row.billable_us)
    covered: dict[tuple[str, str], Sums] = {}
    for _, each in usage.covered:
        _add(covered.setdefault((each.lease, each.usage.model), {}), places.of(each.usage), each.covered_us)
    return Source(
        document=document,
        shares=_shares(str(invoice.number), inputs, sums),
        prices={line.position: str(line.price) for line in inputs.lines},
        covered=[
            CoveredShare(lease=lease, model=model, place=place, quantity_us=us)
            for (lease, model), found in sorted(covered.items())
            for place, us in sorted(found.items())
        ],
    )


def _shares(number: str, inputs: FrozenInputs, sums: Mapping[int, Sums]) -> dict[int, Sequence[Share]]:
    """The shares of each line. Slices of one usage, which a graduated price makes, share its places in proportion."""
    sliced: dict[int, int] = {}
    for line in inputs.lines:
        lead = line.lead or line.position
        sliced[lead] = sliced.get(lead, 0) + line.quantity_us
    for lead, quantity_us in sliced.items():
        frozen_us = sum(sums.get(lead, {}).values())
        if frozen_us != quantity_us:
            raise InvariantBroken(
                f"line {lead} of {number} has {quantity_us} us, and {frozen_us} us are frozen of it: "
                f"run cardhour verify {number}"
            )
    found: dict[int, Sequence[Share]] = {}
    for line in inputs.lines:
        at = sorted(sums[line.lead or line.position].items())
        quantities = allocate(line.quantity_us, [us for _, us in at])
        found[line.position] = [
            Share(place=place, quantity_us=us) for (place, _), us in zip(at, quantities, strict=True) if us
        ]
    return found


class _Places:
    """Where a usage was: its local day, its card, and the project that it is bound to."""

    def __init__(self, inputs: FrozenInputs) -> None:
        self._period, self._bindings = period_of(inputs), Bindings(inputs.bindings)

    def of(self, row: UsageSum) -> Place:
        at_ms = row.segment_start_ms
        bound = self._bindings.find(row.owner, row.cluster, row.node, row.card, at_ms)
        return Place(self._period.day_of(at_ms), row.cluster, row.node, row.card, bound.project if bound else "")


def _add(sums: Sums, place: Place, us: int) -> None:
    sums[place] = sums.get(place, 0) + us
