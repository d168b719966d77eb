"""What a rating rested on, so that issuing can see whether it still stands.

Owns the mark: the newest row of each table of the catalog, and how many months and documents of a customer are closed.
These tables are only ever added to, so that a negotiated price, a commitment or an add-on that came in between is
noticed as surely as a row that was superseded. Taken before anything is read, and compared under the lock that a
catalog is written under. Does not own usage, which is compared quarter by quarter (``issuing``), nor what is left of
grants (``charges.grants``).
"""

from __future__ import annotations

from collections.abc import Collection

from django.db import connection
from django.db.models import Count, Model
from msgspec import Struct

from cardhour_billing.models import Customer, Invoice, MonthEntry

Newest = tuple[int | None, ...]
"""Id of the newest row of each table; ``None`` for an empty one."""


_NEWEST = """
SELECT (SELECT max(id) FROM billing_addon), (SELECT max(id) FROM billing_binding),
       (SELECT max(id) FROM billing_commitment), (SELECT max(id) FROM billing_contract),
       (SELECT max(id) FROM billing_lease), (SELECT max(id) FROM billing_price), (SELECT max(id) FROM billing_taxrule)
"""


_CLOSED = """
SELECT (SELECT count(*) FROM billing_invoice WHERE customer_id = %s AND state = 'issued')
       + (SELECT count(*) FROM billing_monthentry WHERE customer_id = %s)
"""
"""Both are asked once for each document, where composing them anew each time took as long as writing the document."""


class Mark(Struct, frozen=True, kw_only=True):
    """What a customer's month was rated on."""

    at_ms: int
    """When reading began: what changes later belongs to another rating."""
    catalog: Newest
    closed: int
    """Months and documents of the customer that were closed by then."""


def newest_of_catalog() -> Newest:
    """The newest row of each table whose rows decide what a document says."""
    with connection.cursor() as cursor:
        cursor.execute(_NEWEST)
        return tuple(cursor.fetchone())


def changed_since(mark: Mark, customer: Customer) -> str:
    """What has changed of a customer's month since ``mark``; empty where nothing has."""
    if newest_of_catalog() != mark.catalog:
        return f"the catalog was changed after {customer.key} was rated"
    with connection.cursor() as cursor:
        cursor.execute(_CLOSED, [customer.pk, customer.pk])
        (closed,) = cursor.fetchone()
    if closed != mark.closed:
        return f"another month of {customer.key} was closed meanwhile, or a credit note issued"
    return ""


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
