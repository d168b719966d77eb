"""Ageing: what customers owe, by how long it has been due.

Owns the buckets and the sums. Does not own how a document stands (``standing``) nor reminding of it (``dunning``).
Currencies are never added. Credit that is not used is shown beside, and is not taken off: whose money pays what is
decided by an allocation, not by a report.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import date

from django.db.models import F, Q, Sum
from msgspec import Struct

from cardhour_billing.models import Allocation, Invoice, Payment
from cardhour_billing.money import Money
from cardhour_billing.receivables.standing import standing, with_standing

BUCKETS = ((30, "0-30"), (60, "31-60"), (90, "61-90"))
"""Last day overdue of each bucket, and its name; what is later is ``over_90``."""
OVER = "over_90"
NOT_DUE = "not_due"
NAMES = (NOT_DUE, *(name for _, name in BUCKETS), OVER)


Account = tuple[str, str]
"""Customer and currency."""


class Aged(Struct, frozen=True, kw_only=True):
    """What one customer owes in one currency."""

    customer: str
    currency: str
    buckets: dict[str, Money]
    """By name, of ``NAMES``."""
    unused: Money
    """Payments and credit notes that pay nothing yet."""

    @property
    def owed(self) -> Money:
        return _sum(self.buckets.values(), self.currency)


def aged(day: date, customer: str = "") -> list[Aged]:
    """What each customer owes on ``day``, and has unused, by customer and currency; nothing where both are nothing."""
    owed: dict[Account, dict[str, int]] = defaultdict(dict)
    unused: dict[Account, int] = _unused_payments()
    documents = with_standing(Invoice.objects.filter(state=Invoice.State.ISSUED)).select_related("customer")
    for document in documents.filter(Q(voided=False)):
        account, stands = (document.customer.key, document.currency), standing(document, day)
        if document.kind == Invoice.Kind.CREDIT_NOTE:
            unused[account] += stands.left.amount
        elif stands.left.amount:
            name = bucket(stands.days_overdue)
            owed[account][name] = owed[account].get(name, 0) + stands.left.amount
    accounts = owed.keys() | {account for account, amount in unused.items() if amount}
    return [
        Aged(
            customer=key,
            currency=currency,
            buckets={name: Money(amount=owed[key, currency].get(name, 0), currency=currency) for name in NAMES},
            unused=Money(amount=unused[key, currency], currency=currency),
        )
        for key, currency in sorted(accounts)
        if customer in ("", key)
    ]


def _unused_payments() -> dict[Account, int]:
    """What came in, less what went back and what pays something."""
    found: dict[Account, int] = defaultdict(int)
    moved = Payment.objects.filter(of_credit__isnull=True).order_by().values_list("customer__key", "currency")
    for key, currency, amount in moved.annotate(sum=Sum(F("amount") + F("fee") + F("write_off"))):
        found[key, currency] += amount
    used = Allocation.objects.filter(payment__isnull=False).order_by()
    for key, currency, amount in used.values_list("invoice__customer__key", "invoice__currency").annotate(
        sum=Sum("amount")
    ):
        found[key, currency] -= amount
    return found


def bucket(days_overdue: int) -> str:
    """The bucket of what is overdue so many days."""
    if days_overdue <= 0:
        return NOT_DUE
    return next((name for last, name in BUCKETS if days_overdue <= last), OVER)


def _sum(amounts: Iterable[Money], currency: str) -> Money:
    return Money(amount=sum(each.amount for each in amounts), currency=currency)
