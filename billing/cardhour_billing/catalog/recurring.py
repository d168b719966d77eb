"""What ``[[lease]]`` and ``[[add-on]]`` of a catalog have in common: their price, their customer, their id."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from cardhour_billing.catalog.customer import CustomerTable
from cardhour_billing.catalog.noun import Located, Planning
from cardhour_billing.leases.recurring import Recurring
from cardhour_billing.models import Customer
from cardhour_billing.money import parse_price


def a_price(text: str) -> None:
    """A price by its text alone: the plan reads it again in the customer's currency, whose decimals may be fewer."""
    parse_price(text, "USD")


def currency_of(planning: Planning, customer: str) -> str:
    """What a customer is billed in: by the file, by the store, or as its issuer."""
    for located in planning.file.of(CustomerTable):
        if located.table.id == customer:
            issuer = planning.issuers.get(located.table.issuer, planning.issuer)
            return located.table.currency or issuer.currency
    stored = Customer.objects.filter(key=customer).first()
    return stored.currency if stored else planning.issuer.currency


def same_customer(planning: Planning, located: Located[Any], known: Recurring | None, row: Recurring) -> None:
    """Complain where what one customer has would become another's."""
    if known and known.customer != row.customer:
        planning.problems.append(
            f"{located.where}: '{row.key}' is {known.customer}'s: end it with a to, and give the new one another id"
        )


def named_once(planning: Planning, tables: Iterable[Located[Any]]) -> None:
    """Complain where an id stands twice in a file."""
    seen: dict[str, str] = {}
    for located in tables:
        if located.table.id in seen:
            planning.problems.append(f"{located.where}: '{located.table.id}' is also at {seen[located.table.id]}")
        seen.setdefault(located.table.id, located.where)


def recurring_columns(row: Recurring) -> dict[str, Any]:
    """The columns that both have, but for what makes a row supersede another."""
    return {
        "key": row.key,
        "currency": row.currency,
        "unit_nano": row.nano,
        "includes_tax": row.includes_tax,
        "cycle": row.cycle,
        "billing": row.billing,
        "non_refundable": row.non_refundable,
        "valid_from_ms": row.from_ms,
        "valid_to_ms": row.to_ms,
    }
