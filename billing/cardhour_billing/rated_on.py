"""What a rating rested on, so that issuing can see whether it still stands.

Owns the mark: the newest row of each table of the catalog, and how many months and documents of a customer are closed.
These tables are only ever added to, so that a negotiated price, a commitment or an add-on that came in between is
noticed as surely as a row that was superseded. Taken before anything is read, and compared under the lock that a
catalog is written under. Does not own usage, which is compared quarter by quarter (``issuing``), nor what is left of
grants (``granting``).
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from django.db.models import Count, Manager, Model, Subquery
from msgspec import Struct

from cardhour_billing.models import (
    AddOn,
    Binding,
    Commitment,
    Contract,
    Customer,
    Invoice,
    Issuer,
    Lease,
    MonthEntry,
    Price,
    TaxRule,
)

Newest = tuple[int | None, ...]
"""Id of the newest row of each table; ``None`` for an empty one."""


_DECIDING: dict[str, Manager[Any]] = {
    "add_on": AddOn.objects,
    "binding": Binding.objects,
    "commitment": Commitment.objects,
    "contract": Contract.objects,
    "lease": Lease.objects,
    "price": Price.objects,
    "tax": TaxRule.objects,
}


class Mark(Struct, frozen=True, kw_only=True):
    """What a customer's month was rated on."""

    at_ms: int
    """When reading began: what changes later belongs to another rating."""
    catalog: Newest
    closed: int
    """Months and documents of the customer that were closed by then."""


def newest_of_catalog() -> Newest:
    """The newest row of each table whose rows decide what a document says."""
    newest = {f"newest_{name}": Subquery(rows.order_by("-pk").values("pk")[:1]) for name, rows in _DECIDING.items()}
    return tuple(Issuer.objects.order_by("pk").annotate(**newest).values_list(*newest)[:1].get())


def closed_of(customers: Collection[Customer]) -> dict[int, int]:
    """Months and documents that are closed of each customer, by its key in the store."""
    documents = Invoice.objects.filter(customer__in=customers, state=Invoice.State.ISSUED)
    found = {each.pk: 0 for each in customers}
    for rows in (documents, MonthEntry.objects.filter(customer__in=customers)):
        for customer, count in rows.order_by().values("customer").values_list("customer", Count("pk")):
            found[customer] += count
    return found


def same_columns(one: Model, other: Model) -> bool:
    """Whether two readings of a row say the same."""
    return all(getattr(one, each.attname) == getattr(other, each.attname) for each in one._meta.concrete_fields)
