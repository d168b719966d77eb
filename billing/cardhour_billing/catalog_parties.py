"""Issuer and customers of a catalog file against the store. Owns which columns a table sets, and their defaults."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cardhour_billing.catalog_change import Change, party_change
from cardhour_billing.catalog_file import CatalogFile, CustomerTable, IssuerTable
from cardhour_billing.models import Customer, Invoice, Issuer


def issuer_changes(file: CatalogFile) -> Iterator[Change]:
    """The change to the issuer, where the file names one that differs."""
    if file.issuer is None:
        return
    table = file.issuer.table
    known = Issuer.objects.filter(key=table.id).values().first()
    if change := party_change("issuer", table.id, known, _issuer_columns(table)):
        yield change


def customer_changes(file: CatalogFile, issuer: IssuerTable | Issuer, problems: list[str]) -> Iterator[Change]:
    """The changes to customers; a time zone that cannot change any more is added to ``problems``."""
    known = {row["key"]: row for row in Customer.objects.values()}
    seen: set[str] = set()
    for located in file.customers:
        table = located.table
        if table.id in seen:
            problems.append(f"{located.where}: customer '{table.id}' is in this file twice")
        seen.add(table.id)
        stored = known.get(table.id)
        wanted = _customer_columns(table, issuer)
        if stored and stored["timezone"] != wanted["timezone"] and _issued(table.id):
            # Months in the old zone and months in the new one would overlap or leave a gap of hours between them.
            problems.append(
                f"{located.where}: the time zone of '{table.id}' cannot change from {stored['timezone']} to "
                f"{wanted['timezone']} after months were issued in it"
            )
        if change := party_change("customer", table.id, stored, wanted):
            yield change


def _issued(customer: str) -> bool:
    return Invoice.objects.filter(customer__key=customer, state=Invoice.State.ISSUED).exists()


def _issuer_columns(table: IssuerTable) -> dict[str, Any]:
    return {
        "name": table.name,
        "legal_name": table.legal_name,
        "address": _lines(table.address),
        "tax_id": table.tax_id,
        "bank_account_name": table.bank.account_name,
        "bank": table.bank.bank,
        "bank_account": table.bank.account,
        "currency": table.currency,
        "timezone": table.timezone,
        "number_prefix": table.number_prefix,
    }


def _customer_columns(table: CustomerTable, issuer: IssuerTable | Issuer) -> dict[str, Any]:
    return {
        "name": table.name,
        "legal_name": table.legal_name,
        "address": _lines(table.address),
        "tax_id": table.tax_id,
        "po_number": table.po_number,
        "language": table.language.lower(),
        "currency": table.currency or issuer.currency,
        "timezone": table.timezone or issuer.timezone,
        "terms_days": table.terms_days,
    }


def _lines(address: str | list[str]) -> str:
    lines = address.splitlines() if isinstance(address, str) else address
    return "\n".join(line.strip() for line in lines if line.strip())
