"""``[[customer]]`` of a catalog: who pays. Owns which columns a table sets, their defaults, what cannot change."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

from django.db.models import F
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
    issuer: str = ""
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
    minimum_invoice: str = ""
    prepaid: bool = False
    low_balance: str = ""


def _problems(table: CustomerTable) -> list[str]:
    found = check((an_id, table.id), (a_name, table.name), (emails, table.email))
    found += check((exponent, table.currency)) if table.currency else []
    found += check((zone, table.timezone)) if table.timezone else []
    if table.low_balance and not table.prepaid:
        found.append("low_balance: says when prepaid money is low, so prepaid must be true")
    if table.minimum_invoice.startswith("-"):
        found.append(f"minimum_invoice: {table.minimum_invoice} is below 0")
    found += check((a_country, table.country)) if table.country else []
    found += check((an_endpoint, table.endpoint)) if table.endpoint else []
    return found if 0 <= table.terms_days <= 3650 else [*found, "terms_days is from 0 to 3650"]


def _changes(planning: Planning) -> Iterator[Change]:
    stored_rows = Customer.objects.annotate(whose=F("issuer__key")).values()
    known = {row["key"]: dict[str, Any](row) | {"issuer": row["whose"]} for row in stored_rows}
    issued = set(Invoice.objects.filter(state=Invoice.State.ISSUED).values_list("customer__key", flat=True).distinct())
    seen: set[str] = set()
    for located in planning.file.of(CustomerTable):
        table = located.table
        if table.id in seen:
            planning.problems.append(f"{located.where}: customer '{table.id}' is in this file twice")
        seen.add(table.id)
        stored = known.get(table.id)
        issuer = planning.issuers.get(table.issuer) if table.issuer else planning.issuer
        if issuer is None:
            planning.problems.append(f"{located.where}: issuer '{table.issuer}' is not in this file nor known")
            continue
        try:
            wanted = _columns(table, issuer)
        except Refuse as error:  # only here is it known how many decimals the currency has
            planning.problems.append(f"{located.where}: {error}")
            continue
        if stored and table.id in issued:
            # Months in the old zone and months in the new one would overlap or leave a gap of hours between them; and
            # what was billed by one issuer is not settled by another.
            planning.problems += [
                f"{located.where}: the {what} of '{table.id}' cannot change from {stored[key]} to {wanted[key]} after "
                "months were issued in it"
                for what, key in (("time zone", "timezone"), ("issuer", "issuer"))
                if stored[key] != wanted[key]
            ]
        if len(planning.issuers) == 1:
            del wanted["issuer"]  # says nothing
        if change := party_change("customer", table.id, stored, wanted):
            yield change


def _columns(table: CustomerTable, issuer: Issuer) -> dict[str, Any]:
    currency = table.currency or issuer.currency
    return {
        "issuer": issuer.key,
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
        "minimum_invoice": _minor("minimum_invoice", table.minimum_invoice, currency),
        "low_balance": _minor("low_balance", table.low_balance, currency),
    }


def _minor(name: str, text: str, currency: str) -> int | None:
    """An amount in minor units; nothing where none is given."""
    if not text:
        return None
    try:
        return read_amount(text, currency).amount
    except Refuse as error:
        raise Refuse(f"{name}: {error}") from error


def _write(change: Change, recorded_at_ms: int) -> None:
    fields = dict(change.fields)
    whose = fields.pop("issuer", None)
    if whose:
        fields["issuer"] = Issuer.objects.get(key=whose)
    elif change.action == "add":
        fields["issuer"] = Issuer.objects.get()  # the only one
    Customer.objects.update_or_create(key=change.subject, defaults=fields)


CUSTOMER = Noun(name="customer", table=CustomerTable, problems=_problems, changes=_changes, write=_write)
