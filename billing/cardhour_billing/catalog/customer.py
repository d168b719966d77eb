"""``[[customer]]`` of a catalog: who pays. Owns which columns a table sets, their defaults, what cannot change."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

from msgspec import Struct

from cardhour_billing.catalog.change import Change, party_change
from cardhour_billing.catalog.checks import a_country, a_name, an_endpoint, an_id, check, emails
from cardhour_billing.catalog.issuer import lines
from cardhour_billing.catalog.noun import Noun, Planning
from cardhour_billing.models import Customer, Invoice, Issuer
from cardhour_billing.money import exponent, read_amount
from cardhour_billing.month import zone
from cardhour_contract.errors import Refuse


class CustomerTable(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[[customer]]``: who pays. Currency and time zone default to the issuer's."""

    id: str
    name: str
    legal_name: str = ""
    address: str | list[str] = ""
    tax_id: str = ""
    country: str = ""
    endpoint: str = ""
    buyer_reference: str = ""
    po_number: str = ""
    email: str | list[str] = ""
    language: Literal["en", "zh-hans", "zh-Hans"] = "en"
    currency: str = ""
    timezone: str = ""
    terms_days: int = 30
    prepaid: bool = False
    low_balance: str = ""


def _problems(table: CustomerTable) -> list[str]:
    found = check((an_id, table.id), (a_name, table.name), (emails, table.email))
    found += check((exponent, table.currency)) if table.currency else []
    found += check((zone, table.timezone)) if table.timezone else []
    if table.low_balance and not table.prepaid:
        found.append("low_balance: says when prepaid money is low, so prepaid must be true")
    found += check((a_country, table.country)) if table.country else []
    found += check((an_endpoint, table.endpoint)) if table.endpoint else []
    return found if 0 <= table.terms_days <= 3650 else [*found, "terms_days is from 0 to 3650"]


def _changes(planning: Planning) -> Iterator[Change]:
    known = {row["key"]: row for row in Customer.objects.values()}
    issued = set(Invoice.objects.filter(state=Invoice.State.ISSUED).values_list("customer__key", flat=True).distinct())
    seen: set[str] = set()
    for located in planning.file.of(CustomerTable):
        table = located.table
        if table.id in seen:
            planning.problems.append(f"{located.where}: customer '{table.id}' is in this file twice")
        seen.add(table.id)
        stored = known.get(table.id)
        try:
            wanted = _columns(table, planning.issuer)
        except Refuse as error:  # only here is it known how many decimals the currency has
            planning.problems.append(f"{located.where}: low_balance: {error}")
            continue
        if stored and stored["timezone"] != wanted["timezone"] and table.id in issued:
            # Months in the old zone and months in the new one would overlap or leave a gap of hours between them.
            planning.problems.append(
                f"{located.where}: the time zone of '{table.id}' cannot change from {stored['timezone']} to "
                f"{wanted['timezone']} after months were issued in it"
            )
        if change := party_change("customer", table.id, stored, wanted):
            yield change


def _columns(table: CustomerTable, issuer: Issuer) -> dict[str, Any]:
    currency = table.currency or issuer.currency
    return {
        "name": table.name,
        "legal_name": table.legal_name,
        "address": lines(table.address),
        "tax_id": table.tax_id,
        "country": table.country,
        "endpoint": table.endpoint,
        "buyer_reference": table.buyer_reference,
        "po_number": table.po_number,
        "email": lines(table.email),
        "language": table.language.lower(),
        "currency": currency,
        "timezone": table.timezone or issuer.timezone,
        "terms_days": table.terms_days,
        "prepaid": table.prepaid,
        "low_balance": read_amount(table.low_balance, currency).amount if table.low_balance else None,
    }


def _write(change: Change, recorded_at_ms: int) -> None:
    Customer.objects.update_or_create(key=change.subject, defaults={**change.fields, "issuer": Issuer.objects.get()})


CUSTOMER = Noun(name="customer", table=CustomerTable, problems=_problems, changes=_changes, write=_write)
