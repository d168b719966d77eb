"""Forms for one record of the catalog: what they ask for, and the catalog text that they say.

A form writes the same TOML that a file has, which is then read, checked and previewed as a file is. Owns the fields.
Does not own any check: those are the catalog's.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext_lazy as _

from cardhour_billing.catalog.text import instant, table_text
from cardhour_billing.models import Binding, Customer, Lease, Price
from cardhour_billing.money import UnitPrice, percent_text
from cardhour_billing.portal.catalog.fields import FROM, TO, VALID, Field, Form, minor, moment_ms, times
from cardhour_billing.portal.catalog.terms import TERMS
from cardhour_billing.portal.records.catalog_lists import customers
from cardhour_billing.portal.records.noun import Words
from cardhour_billing.rating.price import LIST_BOOK, NEGOTIATED
from cardhour_contract.errors import Refuse

FIELD_CHARS_MAX = 4_000


LEASE_UNITS = ("card-month", "server-month", "card-hour")
SINCE = "since"
"""The day on which a change begins, where that is not the record's own beginning."""


def _binding(row: Binding, timezone: str) -> dict[str, str]:
    return {
        "owner": row.owner, "customer": row.customer.key, "project": row.project.key if row.project else "",
        "cluster": row.cluster, "node": row.node, "card": row.card, **times(row, timezone),
    }  # fmt: skip


def _price(row: Price, timezone: str) -> dict[str, str]:
    book = row.book.key
    return {
        "model": row.model, "book": "" if book == LIST_BOOK or book.startswith(NEGOTIATED) else book,
        "contract": book.removeprefix(NEGOTIATED) if book.startswith(NEGOTIATED) else "", "currency": row.currency,
        "amount": str(UnitPrice(nano=row.unit_nano, currency=row.currency)),
        "includes_tax": "yes" if row.includes_tax else "", **times(row, timezone),
    }  # fmt: skip


def _lease(row: Lease, timezone: str) -> dict[str, str]:
    return {
        "id": row.key, "customer": row.customer.key, "model": row.model, "cards": "\n".join(row.cards),
        "nodes": "\n".join(row.nodes), "count": str(row.count), "servers": str(row.servers) if row.servers > 1 else "",
        "per": row.per, "amount": str(UnitPrice(nano=row.unit_nano, currency=row.currency)),
        "includes_tax": "yes" if row.includes_tax else "", "period": row.cycle, "billed": row.billing,
        "non_refundable": "yes" if row.non_refundable else "",
        "sla_credit": percent_text(row.sla_ppm) if row.sla_ppm else "", **times(row, timezone),
    }  # fmt: skip


def _customer(row: Customer, _timezone: str) -> dict[str, str]:
    texts = ("name", "legal_name", "address", "tax_id", "country", "endpoint", "buyer_reference", "po_number", "email",
             "language", "currency", "timezone")  # fmt: skip
    low, smallest = row.low_balance, row.minimum_invoice
    return {
        "id": row.key, "issuer": row.issuer.key, **{name: getattr(row, name) for name in texts},
        "terms_days": str(row.terms_days),
        "minimum_invoice": minor(smallest, row.currency) if smallest is not None else "",
        "prepaid": "yes" if row.prepaid else "", "low_balance": minor(low, row.currency) if low is not None else "",
    }  # fmt: skip


FORMS = {
    form.name: form
    for form in (
        Form(
            name="binding", slug="bindings", values=_binding, divided=True,
            fields=(
                Field(key="owner", label=_("Owner"), required=True, fixed=True,
                      help=_("As nodes report it: k8s:team-a. A * at the end means every one that begins so.")),
                Field(key="customer", label=_("Customer"), kind="customer", required=True),
                Field(key="project", label=_("Project")),
                Field(key="cluster", label=_("Cluster"), fixed=True, help=_("Empty: anywhere.")),
                Field(key="node", label=_("Node"), fixed=True), Field(key="card", label=_("Card"), fixed=True), *VALID,
            ),
        ),
        Form(
            name="price", slug="prices", values=_price, divided=True,
            fields=(
                Field(key="model", label=_("Model"), required=True, fixed=True),
                Field(key="amount", label=_("Per card-hour"), required=True, help=_("At most nine decimals.")),
                Field(key="currency", label=_("Currency"), fixed=True, help=_("Empty: the issuer’s.")),
                Field(key="book", label=_("Price book"), fixed=True, help=_("Empty: the list price.")),
                Field(key="contract", label=_("Contract"), fixed=True, help=_("Only for a negotiated price.")),
                Field(key="includes_tax", label=_("With tax"), kind="flag"), *VALID,
            ),
        ),
        Form(
            name="lease", slug="leases", values=_lease,
            fields=(
                Field(key="id", label=_("Id"), required=True, fixed=True),
                Field(key="customer", label=_("Customer"), kind="customer", required=True),
                Field(key="model", label=_("Model"), required=True),
                Field(key="nodes", label=_("Nodes"), kind="lines", help=_("One a line. Neither: a pool.")),
                Field(key="cards", label=_("Named cards"), kind="lines", help=_("One a line.")),
                Field(key="count", label=_("Number of cards"), kind="number"),
                Field(key="servers", label=_("Number of servers"), kind="number", help=_("For a price per server.")),
                Field(key="amount", label=_("Price"), required=True),
                Field(key="per", label=_("Per"), kind="choice", choices=LEASE_UNITS, required=True),
                Field(key="includes_tax", label=_("With tax"), kind="flag"),
                Field(key="period", label=_("Billing months"), kind="choice", choices=("calendar", "anniversary")),
                Field(key="billed", label=_("Billed in"), kind="choice", choices=("arrears", "advance")),
                Field(key="non_refundable", label=_("Not refundable"), kind="flag"),
                Field(key="sla_credit", label=_("SLA credit, %")), FROM, TO,
            ),
        ),
        Form(
            name="customer", slug="customers", values=_customer,
            fields=(
                Field(key="id", label=_("Id"), required=True, fixed=True),
                Field(key="name", label=_("Name"), required=True), Field(key="legal_name", label=_("Legal name")),
                Field(key="address", label=_("Address"), kind="lines"), Field(key="country", label=_("Country"),
                      help=_("Two letters, such as CN.")), Field(key="tax_id", label=_("Tax no.")),
                Field(key="endpoint", label=_("Electronic address")),
                Field(key="buyer_reference", label=_("Buyer reference")),
                Field(key="po_number", label=_("Purchase order")),
                Field(key="email", label=_("E-mail"), kind="lines", help=_("One a line.")),
                Field(key="language", label=_("Language"), kind="choice", choices=("zh-hans", "en")),
                Field(key="issuer", label=_("Issuer"), help=_("Its id. Empty: the first.")),
                Field(key="currency", label=_("Currency"), help=_("Empty: the issuer’s.")),
                Field(key="timezone", label=_("Time zone"), help=_("Empty: the issuer’s.")),
                Field(key="terms_days", label=_("Days to pay"), kind="number"),
                Field(key="minimum_invoice", label=_("Smallest invoice"),
                      help=_("A smaller month is carried forward. Empty: as for everybody; 0: never.")),
                Field(key="prepaid", label=_("Prepaid"), kind="flag"), Field(key="low_balance", label=_("Low balance")),
            ),
        ),
        *TERMS,
    )
}  # fmt: skip


def typed(form: Form, posted: Mapping[str, str]) -> dict[str, str]:
    """What was typed, cut to what a field may hold."""
    names = [*(field.key for field in form.fields), SINCE]
    return {name: posted.get(name, "").replace("\x00", "").replace("\r\n", "\n")[:FIELD_CHARS_MAX] for name in names}


def catalog_of(form: Form, values: Mapping[str, str], row: Any, timezone: str) -> str:
    """The catalog text that the form says. ``row`` is what is changed, or None. Raises Refuse for what is no value."""
    wanted = _table(form, values, timezone)
    since = values.get(SINCE, "").strip()
    if not (form.divided and row is not None and since):
        return table_text(form.name, wanted)
    at = instant(moment_ms(since, str(_("Begins on")), timezone), timezone)
    before = _table(form, form.values(row, timezone), timezone)
    return table_text(form.name, before | {"to": at}) + "\n" + table_text(form.name, wanted | {"from": at})


def options(field: Field) -> list[tuple[str, Words]]:
    """What a choice offers."""
    return list(customers()) if field.kind == "customer" else [(each, each) for each in field.choices]


def _table(form: Form, values: Mapping[str, str], timezone: str) -> dict[str, Any]:
    problems: list[str] = []
    found: dict[str, Any] = {}
    for field in form.fields:
        try:
            found[field.key] = _value(field, values.get(field.key, "").strip(), timezone)
        except Refuse as error:
            problems += error.problems
    if problems:
        raise Refuse(*problems)
    return found | ({"per": "card-hour"} if form.name == "price" else {})


def _value(field: Field, text: str, timezone: str) -> Any:
    if field.required and not text:
        raise Refuse(f"{field.label}: " + str(_("this is needed")))
    if field.kind == "moment":
        return instant(moment_ms(text, str(field.label), timezone), timezone) if text else ""
    if field.kind == "lines":
        return [line.strip() for line in text.split("\n") if line.strip()]
    if field.kind == "flag":
        return text == "yes"
    if field.kind == "number" and text:
        if not (text.isascii() and text.isdigit() and len(text) < 10):
            raise Refuse(f"{field.label}: " + str(_("write a whole number")))
        return int(text)
    return text
