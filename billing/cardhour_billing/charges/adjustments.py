"""Adjustments: what has come to light since a month was closed is billed, or given back, with the next one.

Owns holding closed months, computed again, against what was billed of them. Does not own which months those are
(``closed_months``), the line that a difference becomes (``adjustment``) nor reading what was billed (``billed``). As a
provider of charges it is asked once for a zone and month. Months that were carried forward are billed here too.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from msgspec import Struct

from cardhour_billing.catalog.current import terms_of
from cardhour_billing.charges.billed import Billed, price_roots
from cardhour_billing.charges.closed_months import Closed, changed_months
from cardhour_billing.charges.finding import Finding, hours_said, noted
from cardhour_billing.charges.provider import Answer, Asked, Charges, Provider, ZoneMonth
from cardhour_billing.month import BillingPeriod, billing_period
from cardhour_billing.rating.adjustment import NOTHING, Key, Side, difference
from cardhour_billing.rating.charge import Charge
from cardhour_billing.rating.rate import Rating
from cardhour_billing.rating.rated import RatedLine
from cardhour_billing.usage.zone_rating import rate_zone


class Again(Struct, frozen=True, kw_only=True):
    """A closed month of some customers, computed again."""

    period: BillingPeriod
    targets: dict[str, dict[str, Side]]
    """By customer and digest of the key."""
    findings: dict[str, tuple[Finding, ...]]


def adjustments(repeated: Sequence[Provider]) -> Provider:
    """Adjustments and what was carried forward. ``repeated`` provide the charges that are computed again."""

    def provider(zone: ZoneMonth) -> Answer:
        changed = list(changed_months(zone))
        billed = Billed([each.customer for each in changed], min((str(each.month) for each in changed), default=""))
        again = _computed_again(zone, changed, repeated)
        months: dict[str, list[Closed]] = defaultdict(list)
        for each in sorted(changed, key=lambda it: it.month):
            months[each.customer.key].append(each)

        def answer(asked: Asked) -> Charges:
            charges: list[Charge] = []
            findings: list[Finding] = []
            for each in months[asked.customer.key]:
                if each.currency != asked.terms.currency:
                    findings.append(noted("currency_month", month=each.month, currency=each.currency))
                    continue
                month = again[each.place]
                findings += month.findings.get(asked.customer.key, ())
                charges += _differences(each, month, billed)
            return Charges(charges=tuple(charges), findings=tuple(findings))

        return answer

    return provider


def _differences(closed: Closed, again: Again, billed: Billed) -> Iterator[Charge]:
    customer, month = closed.customer, str(closed.month)
    before, now = billed.of(customer, month), again.targets.get(customer.key, {})
    for digest in dict.fromkeys([*now, *before]):
        target, was = now.get(digest, NOTHING), before.get(digest, NOTHING)
        if digest not in now and was.amount:
            was = billed.terms_of(customer, month, digest).plus(was)
        charge = difference(again.period, digest, target, was, closed.currency, carried=closed.carried)
        if charge:
            yield charge


def _computed_again(
    zone: ZoneMonth, closed: Iterable[Closed], repeated: Sequence[Provider]
) -> dict[tuple[str, str], Again]:
    """Each closed month, by month and zone; the ledger is read once for each."""
    groups: dict[tuple[str, str], list[Closed]] = defaultdict(list)
    for each in closed:
        groups[each.place].append(each)
    roots = price_roots() if groups else {}
    return {place: _month_again(zone, group, repeated, roots) for place, group in groups.items()}


def _month_again(
    zone: ZoneMonth, closed: Sequence[Closed], repeated: Sequence[Provider], roots: dict[int, int]
) -> Again:
    period = billing_period(closed[0].month, closed[0].timezone)
    customers = [each.customer for each in closed]
    terms = terms_of(customers, period)
    rated = rate_zone(period, terms, closed[0].currency, zone.ledger)
    inner = ZoneMonth(
        period=period,
        customers=customers,
        taxes=rated.taxes,
        ledger=zone.ledger,
        clock=zone.clock,
        settings=zone.settings,
    )
    answers = [provider(inner) for provider in repeated]
    targets: dict[str, dict[str, Side]] = {}
    findings: dict[str, tuple[Finding, ...]] = {}
    for each in closed:
        customer = each.customer
        asked = Asked(
            customer=customer,
            terms=terms[customer.key],
            lines=rated.rating.lines[customer.key],
            # Leases settle their own past: they count here as they were billed.
            charges=each.charged("lease"),
        )
        given = [answer(asked) for answer in answers]
        sides = [_side_of_line(line, roots) for line in asked.lines]
        sides += [_side_of_charge(charge) for one in given for charge in one.charges]
        targets[customer.key] = _summed(sides)
        own = (*_unbillable(rated.rating, customer.key), *(each for one in given for each in one.findings))
        findings[customer.key] = tuple(each.of(str(period.month)) for each in own)
    return Again(period=period, targets=targets, findings=findings)


def _summed(sides: Iterable[tuple[str, Side]]) -> dict[str, Side]:
    sums: dict[str, Side] = {}
    for digest, side in sides:
        sums[digest] = sums[digest].plus(side) if digest in sums else side
    return sums


def _side_of_line(line: RatedLine, roots: dict[int, int]) -> tuple[str, Side]:
    key = line.key
    digest = Key("usage", str(roots[line.price.id]), key.model, key.band, key.tier, key.tax_category).digest
    return digest, Side(
        amount=line.amount.amount,
        quantity_us=line.quantity_us,
        name=key.model,
        taxes=line.taxes,
        includes_tax=line.price.includes_tax,
    )


def _side_of_charge(charge: Charge) -> tuple[str, Side]:
    digest = Key(charge.kind, charge.source, charge.model, "", "", charge.tax_category).digest
    return digest, Side(
        amount=charge.amount.amount,
        quantity_us=charge.quantity_us,
        name=charge.description,
        taxes=charge.taxes,
        includes_tax=charge.includes_tax,
    )


def _unbillable(rating: Rating, customer: str) -> Iterator[Finding]:
    for each in rating.unpriced:
        if each.customer == customer:
            yield noted("no_price", hours=hours_said(each.quantity_us), model=each.model, currency=each.currency)
    for untaxed in rating.untaxed:
        if untaxed.customer == customer:
            yield noted("no_tax", model=untaxed.model)
