"""What a retraction changes in money: the months it touches, rated as they are and as they would be.

Owns that comparison. Does not own rating, nor what the ledger would say (``warehouse.retraction`` computes it with the
rollup itself). A month is rated whole both times, because lines are rounded once.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from msgspec import Struct

from cardhour_billing.catalog.current import current_bindings, current_prices, terms_of
from cardhour_billing.catalog.current_terms import current_leases
from cardhour_billing.invoices.drafting import invoice_of
from cardhour_billing.leases.cover import Leases, Place, Quarters, Usage, cover, place_of, segment_of
from cardhour_billing.models import Customer, Invoice, Issuer
from cardhour_billing.money import Money, total
from cardhour_billing.month import BillingPeriod, Month, billing_period, local_day, month_of
from cardhour_billing.rating.binding import Bindings
from cardhour_billing.rating.cuts import cuts_ms
from cardhour_billing.rating.price import Prices
from cardhour_billing.rating.rate import Rating, rate
from cardhour_billing.rating.rated import UsageSum
from cardhour_billing.usage.ledger import Ledger
from cardhour_contract.moment import QUARTER_MS

if TYPE_CHECKING:
    from cardhour_ingest.warehouse.retraction import Effect


class CustomerCost(Struct, frozen=True, kw_only=True):
    """One customer's month, before and after. ``number`` is of the issued invoice, which stays as it is."""

    customer: str
    month: str
    before_us: int
    after_us: int
    before: Money
    after: Money
    number: str = ""


class UnassignedCost(Struct, frozen=True, kw_only=True):
    """Usage of a month that no binding covers, before and after, at list price; ``None`` where the list has none."""

    owner: str
    model: str
    month: str
    before_us: int
    after_us: int
    before: Money | None
    after: Money | None


class Costs(NamedTuple):
    """All that changes; what stays the same is left out."""

    customers: list[CustomerCost]
    unassigned: list[UnassignedCost]


def costs(ledger: Ledger, effects: Sequence[Effect]) -> Costs:
    """What ``effects`` come to. Nothing where nobody is billed yet."""
    issuer = Issuer.objects.first()
    if issuer is None or not effects:
        return Costs([], [])
    customers = list(Customer.objects.select_related("issuer").order_by("key"))
    found = Costs([], [])
    for zone in sorted({issuer.timezone, *(customer.timezone for customer in customers)}):
        here = [customer for customer in customers if customer.timezone == zone]
        for month in _months(effects, zone):
            period = billing_period(month, zone)
            before, after = _rated(period, here, issuer.currency, ledger, effects)
            found.customers.extend(_changed(here, period, before, after))
            if zone == issuer.timezone:
                found.unassigned.extend(_unassigned(period, before, after))
    return found


def _months(effects: Iterable[Effect], zone: str) -> list[Month]:
    instants = {each.quarter * QUARTER_MS for each in effects}
    return sorted({month_of(local_day(at_ms, zone)) for at_ms in instants})


def _rated(
    period: BillingPeriod, customers: Sequence[Customer], currency: str, ledger: Ledger, effects: Sequence[Effect]
) -> tuple[Rating, Rating]:
    bindings, prices = Bindings(current_bindings()), Prices(current_prices())
    terms = terms_of(customers, period)
    leases = Leases(current_leases())
    cuts = cuts_ms(period, bindings, prices, terms=terms.values(), leases=leases.rows)
    now: list[UsageSum] = list(ledger.billable(period.start_ms, period.end_ms, cuts))

    def quarters(models: set[str], owners: set[str]) -> Iterable[UsageSum]:
        return ledger.billable_quarters(period.start_ms, period.end_ms, models=models, owners=owners)

    def supposed(models: set[str], owners: set[str]) -> Iterable[UsageSum]:
        asked = [each for each in effects if each.model in models and each.owner in owners]
        return _supposed(quarters(models, owners), asked, period, range(period.start_ms, period.end_ms, QUARTER_MS))

    def rated(usage: Iterable[UsageSum], by_quarter: Quarters) -> Rating:
        left = cover(usage, by_quarter, bindings, leases, cuts).rest
        return rate(left, period=period, bindings=bindings, prices=prices, terms=terms, list_currency=currency)

    return rated(now, quarters), rated(_supposed(now, effects, period, cuts), supposed)


def _supposed(
    now: Iterable[UsageSum], effects: Iterable[Effect], period: BillingPeriod, cuts: Sequence[int]
) -> list[Usage]:
    """``now`` with the effects applied, each in the segment that its quarter lies in."""
    sums = {place_of(each): each.billable_us for each in now}
    for each in effects:
        at_ms = each.quarter * QUARTER_MS
        if period.start_ms <= at_ms < period.end_ms:
            place = Place(each.owner, each.cluster, each.node, each.card, each.model, segment_of(at_ms, cuts))
            sums[place] = sums.get(place, 0) + each.after_us - each.before_us
    return [Usage(**place._asdict(), billable_us=us) for place, us in sums.items() if us]


def _changed(
    customers: Iterable[Customer], period: BillingPeriod, before: Rating, after: Rating
) -> Iterable[CustomerCost]:
    for customer in customers:
        quantities = [_quantity_us(rating, customer.key) for rating in (before, after)]
        amounts = [total((line.amount for line in r.lines[customer.key]), customer.currency) for r in (before, after)]
        if quantities[0] == quantities[1] and amounts[0] == amounts[1]:
            continue
        invoice = invoice_of(customer, period)
        issued = invoice is not None and invoice.state == Invoice.State.ISSUED
        yield CustomerCost(
            customer=customer.key,
            month=str(period.month),
            before_us=quantities[0],
            after_us=quantities[1],
            before=amounts[0],
            after=amounts[1],
            number=(invoice.number or "") if issued and invoice else "",
        )


def _quantity_us(rating: Rating, customer: str) -> int:
    unpriced = sum(each.quantity_us for each in rating.unpriced if each.customer == customer)
    return unpriced + sum(line.quantity_us for line in rating.lines[customer])


def _unassigned(period: BillingPeriod, before: Rating, after: Rating) -> Iterable[UnassignedCost]:
    was, will = ({(each.owner, each.model): each for each in rating.unassigned} for rating in (before, after))
    for owner, model in sorted(was.keys() | will.keys()):
        old, new = was.get((owner, model)), will.get((owner, model))
        before_us, after_us = old.quantity_us if old else 0, new.quantity_us if new else 0
        if before_us != after_us:
            yield UnassignedCost(
                owner=owner, model=model, month=str(period.month), before_us=before_us, after_us=after_us,
                before=old.list_value if old else None, after=new.list_value if new else None,
            )  # fmt: skip
