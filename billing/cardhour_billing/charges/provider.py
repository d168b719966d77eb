"""A provider of charges: what it is told and what it answers.

Owns these shapes. Does not own the list of providers nor how they are asked (``charges``). A provider is called once
for a zone and month, reads the rows of all its customers with as few queries as it can, and gives back a function that
answers for one customer from memory, because there may be ten thousand.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from msgspec import Struct

from cardhour_billing.charges.finding import Finding
from cardhour_billing.config import BillingSettings
from cardhour_billing.models import Customer
from cardhour_billing.month import BillingPeriod
from cardhour_billing.rating.charge import Charge
from cardhour_billing.rating.rate import Terms
from cardhour_billing.rating.rated import RatedLine
from cardhour_billing.rating.tax import TaxRules
from cardhour_billing.usage.ledger import Ledger
from cardhour_contract.clock import Clock


class ZoneMonth(Struct, frozen=True, kw_only=True):
    """What a provider may read: one month in one zone, its customers, the ledger, today's tax rules."""

    period: BillingPeriod
    customers: Sequence[Customer]
    taxes: TaxRules
    ledger: Ledger
    clock: Clock
    afresh: bool = False
    """As if no document had been issued: what falls due in this month, all of it, and nothing of other months."""
    settings: BillingSettings = BillingSettings()
    spent: Mapping[int, int] = {}
    """Minor units that drafts of earlier months take of grants, by grant: there for them no more."""


class Asked(Struct, frozen=True, kw_only=True):
    """One customer's month: its rated lines, and the charges that earlier providers gave."""

    customer: Customer
    terms: Terms
    lines: tuple[RatedLine, ...]
    charges: tuple[Charge, ...] = ()


class Charges(Struct, frozen=True, kw_only=True):
    """Charges; findings, each of which keeps the document from being issued; warnings, which do not."""

    charges: tuple[Charge, ...] = ()
    findings: tuple[Finding, ...] = ()
    warnings: tuple[Finding, ...] = ()


Answer = Callable[[Asked], Charges]
Provider = Callable[[ZoneMonth], Answer]
