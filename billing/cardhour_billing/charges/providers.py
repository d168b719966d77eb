"""What a customer is charged for a month beside its usage: the list of providers, asked one after the other.

Owns their order, which is the order of print, and how they are asked. Does not own any charge: a provider lives in its
own module and has the shape of ``provider``.
A later provider sees the charges of the earlier ones: grants come last but for what carries a small total forward.
"""

from __future__ import annotations

from collections.abc import Sequence

from cardhour_billing.charges.adjustments import adjustments
from cardhour_billing.charges.commitments import commitments
from cardhour_billing.charges.finding import Finding
from cardhour_billing.charges.grants import grants
from cardhour_billing.charges.provider import Answer, Asked, Charges, Provider, ZoneMonth
from cardhour_billing.charges.recurring import recurring
from cardhour_contract.errors import InvariantBroken

REPEATED: list[Provider] = [commitments]
"""What a closed month is charged again when it is computed again: what usage decides, as commitments."""

OF_THE_MONTH: list[Provider] = [recurring, *REPEATED]
"""What a month comes to by itself, whatever happened before or was granted."""

PROVIDERS: list[Provider] = [*OF_THE_MONTH, adjustments(REPEATED), grants]
"""In order of print: leases, add-ons, commitments, adjustments and what was carried forward, grants."""


def charges_of(zone: ZoneMonth) -> Answer:
    """Everything that the providers charge, as a function of one customer's month."""
    return all_of(zone, PROVIDERS)


def all_of(zone: ZoneMonth, providers: Sequence[Provider]) -> Answer:
    """What ``providers`` charge."""
    answers = [provider(zone) for provider in providers]

    def answer(asked: Asked) -> Charges:
        charges, findings, warnings = list(asked.charges), list[Finding](), list[Finding]()
        for each in answers:
            found = each(Asked(customer=asked.customer, terms=asked.terms, lines=asked.lines, charges=tuple(charges)))
            charges += found.charges
            findings += found.findings
            warnings += found.warnings
        sources = [charge.source for charge in charges]
        if len(set(sources)) < len(sources):
            raise InvariantBroken(f"two charges of {asked.customer.key} have one source, in {sorted(sources)}")
        return Charges(charges=tuple(charges), findings=tuple(findings), warnings=tuple(warnings))

    return answer
