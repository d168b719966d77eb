"""Grants as charges: each pays lines of a document before its tax, as a line below zero.

Owns asking for the grants of a month, and drawing on them when the document is issued. Does not own how they are shared
out (``grant_use``) nor their accounts (``credit``). A grant pays for a month in which it holds for a moment at least.
"""

from __future__ import annotations

from collections.abc import Sequence

from cardhour_billing.charges.provider import Answer, Asked, Charges, ZoneMonth
from cardhour_billing.models import CreditAccount, CreditGrant, Customer
from cardhour_billing.money import Money
from cardhour_billing.month import BillingPeriod
from cardhour_billing.rating.charge import Charge
from cardhour_billing.rating.grant_use import Allowance, Taken, take
from cardhour_billing.receivables.credit import granted_in, use_grants
from cardhour_contract.clock import Clock


def grants(zone: ZoneMonth) -> Answer:
    """What the grants of a zone's customers pay in a month."""
    by_customer: dict[int, list[CreditGrant]] = {}
    for grant in granted_in(zone.customers, zone.period.start_ms, zone.period.end_ms):
        by_customer.setdefault(grant.customer_id, []).append(grant)

    def answer(asked: Asked) -> Charges:
        own = [each for each in by_customer.get(asked.customer.pk, ()) if each.currency == asked.customer.currency]
        if not own:
            return Charges()
        allowances = [
            Allowance(grant=each.pk, category=each.category, model=each.model, left=_left(each, zone)) for each in own
        ]
        reasons = {each.pk: each.reason for each in own}
        taken = take(allowances, (*asked.lines, *asked.charges))
        return Charges(charges=_charges(taken, reasons, zone.period, asked.customer.currency))

    return answer


def _left(grant: CreditGrant, zone: ZoneMonth) -> int:
    return max(0, grant.account.balance - zone.spent.get(grant.pk, 0))


def moved(charges: Sequence[Charge]) -> bool:
    """Whether a grant has another balance than it had when ``charges`` were computed."""
    then: dict[int, int] = {}
    for charge in _of_grants(charges):
        then.setdefault(charge.inputs["grant"], charge.inputs["left"])
    now = dict(CreditAccount.objects.filter(grant__in=then).values_list("grant", "balance"))
    return now != then


def taken_by(charges: Sequence[Charge]) -> dict[int, int]:
    """Minor units that ``charges`` take, by grant."""
    taken: dict[int, int] = {}
    for charge in _of_grants(charges):
        taken[charge.inputs["grant"]] = taken.get(charge.inputs["grant"], 0) - charge.amount.amount
    return taken


def draw(customer: Customer, charges: Sequence[Charge], number: str, *, clock: Clock, who: str) -> None:
    """Take what an invoice's charges took. Within the transaction that issues it."""
    taken = {
        grant: Money(amount=amount, currency=customer.currency) for grant, amount in taken_by(charges).items() if amount
    }
    use_grants(customer, taken, number, clock=clock, who=who)


def _of_grants(charges: Sequence[Charge]) -> list[Charge]:
    return [charge for charge in charges if charge.kind == "grant"]


def _charges(
    taken: Sequence[Taken], reasons: dict[int, str], period: BillingPeriod, currency: str
) -> tuple[Charge, ...]:
    charges: list[Charge] = []
    for each in taken:
        amount = Money(amount=-each.amount, currency=currency)
        nth = sum(charge.inputs["grant"] == each.grant for charge in charges)
        charges.append(
            Charge(
                kind="grant",
                source=f"grant:{each.grant}:{period.month}" + (f":{nth + 1}" if nth else ""),
                description=f"Grant 赠金: {reasons[each.grant]}",
                first_day=period.month.first_day,
                last_day=period.last_day,
                unit_price=str(amount),
                amount=amount,
                taxes=each.taxes,
                includes_tax=each.group.included,
                inputs={"grant": each.grant, "left": each.left, "payable": each.payable, "currency": currency},
            )
        )
    return tuple(charges)
