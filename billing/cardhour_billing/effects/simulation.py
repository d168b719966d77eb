"""What every customer would have paid for a month under another catalog, beside what it pays now. Nothing is written.

Owns rating a month twice: as the store is, then with the changes of a catalog file, which are written in a transaction
that is always rolled back; so that simulation is the code that bills, with leases, commitments and tax. What was
issued does not matter, and a price that was billed may change here. Left out are grants, and what other months put on
this one's invoice. Does not own applying a catalog (``catalog``).
"""

from __future__ import annotations

from collections.abc import Sequence

from django.db import transaction
from msgspec import Struct

from cardhour_billing.catalog.change import Change
from cardhour_billing.catalog.current import terms_of
from cardhour_billing.catalog.noun import CatalogFile
from cardhour_billing.catalog.nouns import NOUNS
from cardhour_billing.catalog.plan import plan
from cardhour_billing.charges.finding import Finding, hours_said, noted
from cardhour_billing.charges.provider import Asked, ZoneMonth
from cardhour_billing.charges.providers import OF_THE_MONTH, all_of
from cardhour_billing.models import Customer, Issuer
from cardhour_billing.money import Money
from cardhour_billing.month import Month, billing_period
from cardhour_billing.rating.content import Content
from cardhour_billing.rating.tax import Assessment
from cardhour_billing.usage.ledger import Ledger
from cardhour_billing.usage.zone_rating import rate_zone
from cardhour_contract.clock import Clock
from cardhour_contract.errors import Refuse


class Bill(Struct, frozen=True, kw_only=True):
    """What one customer's month comes to. ``findings`` say what is not in it."""

    quantity_us: int
    net: Money
    total: Money
    findings: tuple[Finding, ...]


class Simulated(Struct, frozen=True, kw_only=True):
    """One customer's month, now and under the other catalog. ``None`` where it does not exist, or has nothing."""

    customer: str
    now: Bill | None
    then: Bill | None


class Simulation(Struct, frozen=True, kw_only=True):
    """What the catalog would change, and what that would come to, by customer."""

    changes: tuple[Change, ...]
    customers: tuple[Simulated, ...]


def simulate(file: CatalogFile, month: Month, *, ledger: Ledger, clock: Clock) -> Simulation:
    """Rate ``month`` as the store is, and as ``file`` would make it. Raises Refuse where the file cannot be applied."""
    ledger.settle()
    now = _bills(month, ledger, clock)
    with transaction.atomic():
        changes = plan(file, simulated=True)
        writers = {noun.name: noun.write for noun in NOUNS}
        for change in changes:
            writers[change.kind](change, clock.now_ms())
        then = _bills(month, ledger, clock)
        transaction.set_rollback(True)
    return Simulation(
        changes=changes,
        customers=tuple(
            Simulated(customer=key, now=now.get(key), then=then.get(key)) for key in sorted(now.keys() | then.keys())
        ),
    )


def _bills(month: Month, ledger: Ledger, clock: Clock) -> dict[str, Bill]:
    """Each customer's month under the store's current rows; who has nothing to pay is left out."""
    issuer = Issuer.objects.first()
    if issuer is None:
        return {}
    customers = list(Customer.objects.select_related("issuer").order_by("key"))
    bills: dict[str, Bill] = {}
    for zone in sorted({customer.timezone for customer in customers}):
        here = [customer for customer in customers if customer.timezone == zone]
        bills |= _zone_bills(month, zone, here, issuer.currency, ledger, clock)
    return bills


def _zone_bills(
    month: Month, zone: str, customers: Sequence[Customer], list_currency: str, ledger: Ledger, clock: Clock
) -> dict[str, Bill]:
    period = billing_period(month, zone)
    terms = terms_of(customers, period)
    rated = rate_zone(period, terms, list_currency, ledger)
    asking = ZoneMonth(period=period, customers=customers, taxes=rated.taxes, ledger=ledger, clock=clock, afresh=True)
    answer = all_of(asking, OF_THE_MONTH)
    missing: dict[str, list[Finding]] = {}
    for each in rated.rating.unpriced:
        gap = noted("no_price", hours=hours_said(each.quantity_us), model=each.model, currency=each.currency)
        missing.setdefault(each.customer, []).append(gap)
    bills: dict[str, Bill] = {}
    for customer in customers:
        lines = rated.rating.lines[customer.key]
        charges = answer(Asked(customer=customer, terms=terms[customer.key], lines=lines))
        content = Content(lines=lines, charges=charges.charges)
        findings = (*missing.get(customer.key, ()), *charges.findings)
        if content or findings:
            bills[customer.key] = _bill(content, content.assess(customer.currency), findings)
    return bills


def _bill(content: Content, sums: Assessment, findings: tuple[Finding, ...]) -> Bill:
    return Bill(
        quantity_us=sum(line.quantity_us for line in content.lines), net=sums.net, total=sums.total, findings=findings
    )


def difference(each: Simulated) -> Money:
    """What the customer would pay more (above zero) or less, tax included."""
    if each.now is None or each.then is None:
        only = each.then or each.now
        if only is None:
            raise Refuse(f"there is nothing of {each.customer} to compare")
        return only.total if each.then else -only.total
    return each.then.total - each.now.total
