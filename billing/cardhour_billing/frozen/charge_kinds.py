"""How each kind of charge is computed again from its frozen inputs: one line a kind.

Owns that list alone. A kind's function is pure: it takes ``Charge.inputs`` as they were frozen (JSON values) and gives
the amount to the minor unit, or raises where they make no sense. It reads no store and no clock, so that a document
can be verified in ten years. It lives beside what computes the charge, in a module without Django.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from cardhour_billing.frozen import credit_line
from cardhour_billing.leases import inputs as recurring_inputs
from cardhour_billing.money import Money
from cardhour_billing.rating import adjustment, commitment, grant_use
from cardhour_billing.rating.charge import Charge
from cardhour_contract.errors import InvariantBroken

Recompute = Callable[[Mapping[str, Any]], Money]

CHARGE_KINDS: dict[str, Recompute] = {
    "lease": recurring_inputs.recompute,
    "add-on": recurring_inputs.recompute,
    "commitment": commitment.recompute,
    "grant": grant_use.recompute,
    "adjustment": adjustment.recompute,
    "carried": adjustment.recompute,
    "credit": credit_line.recompute,
}
"""To add a kind: its name in ``charge.ChargeKind``, its function here, its provider in ``charges``."""


def recompute(charge: Charge) -> Money:
    """What the inputs of ``charge`` come to. Raises InvariantBroken for a kind that nothing here can compute."""
    if charge.kind not in CHARGE_KINDS:
        raise InvariantBroken(f"nothing can compute a charge of kind {charge.kind} again")
    return CHARGE_KINDS[charge.kind](charge.inputs)
