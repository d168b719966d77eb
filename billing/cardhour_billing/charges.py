"""What a customer is charged for a month beside its usage: the list of providers, asked one after the other.

Owns their order, which is the order of print, and how they are asked. Does not own any charge: a provider lives in its
own module. A provider is called once for a zone and month, reads the rows of all its customers with as few queries as
it can, and gives back a function that answers for one customer from memory, because there may be ten thousand.
A later provider sees the charges of the earlier ones: grants come last but for what carries a small total forward.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from msgspec import Struct

from cardhour_billing.charge import Charge
from cardhour_billing.ledger import Ledger
from cardhour_billing.models import Customer
from cardhour_billing.month import BillingPeriod
from cardhour_billing.rated import RatedLine
from cardhour_billing.rating import Terms
from cardhour_billing.tax import TaxRules
from cardhour_contract.clock import Clock
from cardhour_contract.errors import InvariantBroken


class ZoneMonth(Struct, frozen=True, kw_only=True):
    """What a provider may read: one month in one zone, its customers, the ledger, today's tax rules."""

    period: BillingPeriod
    customers: Sequence[Customer]
    taxes: TaxRules
    ledger: Ledger
    clock: Clock


class Asked(Struct, frozen=True, kw_only=True):
    """One customer's month: its rated lines, and the charges that earlier providers gave."""

    customer: Customer
    terms: Terms
    lines: tuple[RatedLine, ...]
    charges: tuple[Charge, ...] = ()


class Charges(Struct, frozen=True, kw_only=True):
    """Charges; findings, each of which keeps the document from being issued; warnings, which do not."""

    charges: tuple[Charge, ...] = ()
    findings: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


Answer = Callable[[Asked], Charges]
Provider = Callable[[ZoneMonth], Answer]

PROVIDERS: list[Provider] = []
"""In order of print: leases, add-ons, commitments, adjustments, grants, carried."""


def charges_of(zone: ZoneMonth) -> Answer:
    """Everything that the providers charge, as a function of one customer's month."""
    answers = [provider(zone) for provider in PROVIDERS]

    def answer(asked: Asked) -> Charges:
        charges, findings, warnings = list(asked.charges), list[str](), list[str]()
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
