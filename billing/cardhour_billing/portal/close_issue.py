"""Issuing from the portal: what a person is shown before, and that exactly this is issued.

Owns the preview of what would be issued and its digest. Does not own issuing. The digest goes into the form: where the
drafts have changed while a person read, the form is shown again; and what comes to another total when it is rated for
the last time stays a draft (``CloseOrder.confirmed``).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from django.db.models import QuerySet
from msgspec import Struct

from cardhour_billing.closing.close import when_settled
from cardhour_billing.config import BillingSettings
from cardhour_billing.models import Customer, Invoice, Issuer
from cardhour_billing.month import billing_period, parse_month
from cardhour_billing.portal.closing import CloseRow, CloseSum, ready_of, rows_of, sums_of
from cardhour_contract.clock import Clock

SHOWN_MAX = 100
"""Invoices listed before issuing; the others are in the sums."""


class ToIssue(Struct, frozen=True, kw_only=True):
    """What a person is asked to confirm."""

    month: str
    customers: tuple[str, ...]
    """Ids, where only some are meant."""
    count: int
    rows: tuple[CloseRow, ...]
    sums: tuple[CloseSum, ...]
    totals: dict[str, int]
    digest: str


class Settled(Struct, frozen=True, kw_only=True):
    """Whether the month may be issued yet."""

    ended: bool
    grace_over: bool
    settled_at_ms: int


def to_issue(month: str, customers: Sequence[str]) -> ToIssue:
    """The drafts of ``month`` that can be issued: of ``customers``, or all."""
    ready: QuerySet[Invoice] = ready_of(month)
    if customers:
        ready = ready.filter(customer__key__in=customers)
    ready = ready.order_by("currency", "customer__name", "revision")
    totals = dict(ready.values_list("customer__key", "total"))
    previous = str(parse_month(month).minus(1))
    return ToIssue(
        month=month,
        customers=tuple(sorted(totals)) if customers else (),
        count=len(totals),
        rows=tuple(rows_of(ready[:SHOWN_MAX], previous)),
        sums=sums_of(ready, previous),
        totals=totals,
        digest=_digest(month, totals),
    )


def settled(month: str, settings: BillingSettings, clock: Clock) -> Settled:
    """Whether ``month`` has ended, and whether late usage may still come in."""
    of_customers = Customer.objects.order_by().values_list("timezone", flat=True)
    zones = set(of_customers.union(Issuer.objects.order_by().values_list("timezone", flat=True)))
    periods = [billing_period(parse_month(month), zone) for zone in zones or {"UTC"}]
    end_ms, settled_ms = when_settled(periods, settings)
    now_ms = clock.now_ms()
    return Settled(ended=now_ms >= end_ms, grace_over=now_ms >= settled_ms, settled_at_ms=settled_ms)


def _digest(month: str, totals: dict[str, int]) -> str:
    """Of what was shown: which customers, and to what each comes."""
    text = "\n".join([month, *(f"{key}\t{total}" for key, total in sorted(totals.items()))])
    return hashlib.sha256(text.encode()).hexdigest()
