"""Credit as people see it: what each customer has, and every entry with the balances after it.

Owns reading. Does not own movements (``credit``) nor what unbilled usage will take (``provisional``).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from msgspec import Struct

from cardhour_billing.models import CreditAccount, CreditEntry, CreditGrant, Customer, ProvisionalCharge
from cardhour_billing.money import Money
from cardhour_billing.receivables.credit import spending_order

OWN = (CreditAccount.Kind.PREPAID, CreditAccount.Kind.GRANT)
"""Accounts that are the customer's; the others are where its credit came from or went."""


class Holding(Struct, frozen=True, kw_only=True):
    """What a customer has in one currency: prepaid (``grant`` is ``None``), or what is left of one grant."""

    customer: Customer
    grant: CreditGrant | None
    balance: Money


class Booked(Struct, frozen=True, kw_only=True):
    """One movement seen from the customer: what it added to, or took from, an account of the customer's own."""

    entry: CreditEntry
    account: CreditAccount
    amount: Money
    """Negative where it was taken."""
    balance: Money
    """Of the account, after it."""


def holdings(customers: Iterable[Customer]) -> list[Holding]:
    """What there is: prepaid first, then grants in the order in which they are spent."""
    asked = {each.pk for each in customers}
    accounts = CreditAccount.objects.filter(kind__in=OWN)
    found = [
        Holding(customer=each.customer, grant=each.grant, balance=Money(amount=each.balance, currency=each.currency))
        for each in accounts.select_related("customer", "grant")
        if each.customer_id in asked
    ]
    return sorted(found, key=_place)


def unbilled_of(holding: Holding) -> Money:
    """What the customer had used and not been billed for, when it was looked at last."""
    last = ProvisionalCharge.objects.filter(customer=holding.customer, currency=holding.balance.currency)
    found = last.order_by("-hour_ms").values_list("unbilled", flat=True).first()
    return Money(amount=found or 0, currency=holding.balance.currency)


def bookings(customer: Customer) -> Iterator[Booked]:
    """Every movement of the customer's own accounts, oldest first."""
    balances: dict[int, int] = {}
    for entry in CreditEntry.objects.filter(customer=customer).prefetch_related(
        "movements__source", "movements__target"
    ):
        for movement in entry.movements.all():
            for account, amount in ((movement.source, -movement.amount), (movement.target, movement.amount)):
                if account.kind not in OWN:
                    continue
                balances[account.pk] = balances.get(account.pk, 0) + amount
                yield Booked(
                    entry=entry,
                    account=account,
                    amount=Money(amount=amount, currency=account.currency),
                    balance=Money(amount=balances[account.pk], currency=account.currency),
                )


def _place(holding: Holding) -> tuple[str, str, bool, tuple[int, bool, int, int]]:
    order = spending_order(holding.grant) if holding.grant else (0, False, 0, 0)
    return holding.customer.key, holding.balance.currency, holding.grant is not None, order
