"""What each card gave to each line of a document on each day: read from the quarters that were frozen with it.

Owns the join of line, day, card and project, of which a document itself shows days and cards apart. Does not own rows.
"""

from __future__ import annotations

from cardhour_billing.binding import Bindings
from cardhour_billing.document import decode
from cardhour_billing.focus.rows import Place, Share, Source
from cardhour_billing.frozen_inputs import read_inputs
from cardhour_billing.ledger import Ledger
from cardhour_billing.models import Invoice
from cardhour_billing.rerating import period_of
from cardhour_contract.errors import InvariantBroken


def source_of(invoice: Invoice, ledger: Ledger) -> Source:
    """An issued document with the shares of its lines. Raises InvariantBroken where they are not those of its lines."""
    document, inputs = decode(bytes(invoice.frozen)), read_inputs(bytes(invoice.inputs))
    period, bindings = period_of(inputs), Bindings(inputs.bindings)
    sums: dict[int, dict[Place, int]] = {}
    for line, row in ledger.frozen_usage(inputs.quarters, inputs.start_ms, inputs.end_ms, inputs.cuts_ms):
        at_ms = row.segment_start_ms
        bound = bindings.find(row.owner, row.cluster, row.node, row.card, at_ms)
        project = bound.project if bound else ""
        key = Place(period.day_of(at_ms), row.cluster, row.node, row.card, project)
        of_line = sums.setdefault(line, {})
        of_line[key] = of_line.get(key, 0) + row.billable_us
    shares = {
        line: [Share(place=key, quantity_us=us) for key, us in sorted(found.items())] for line, found in sums.items()
    }
    for each in document.lines:
        frozen_us = sum(share.quantity_us for share in shares.get(each.position, ()))
        if each.kind == "usage" and frozen_us != each.quantity_us:
            raise InvariantBroken(
                f"line {each.position} of {invoice.number} has {each.quantity_us} us, and {frozen_us} us are frozen of "
                f"it: run cardhour verify {invoice.number}"
            )
    prices = {row.position: str(row.price) for row in inputs.lines}
    return Source(document=document, shares=shares, prices=prices)
