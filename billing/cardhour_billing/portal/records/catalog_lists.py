"""The lists of the catalog: customers, bindings, prices, contracts, commitments, tax rules.

Owns what each shows. Does not own what a row means (``catalog_<noun>``).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from cardhour_billing.catalog.binding import BINDING
from cardhour_billing.catalog.commitment import COMMITMENT
from cardhour_billing.catalog.contract import CONTRACT
from cardhour_billing.catalog.current import binding_row, commitment_row, contract_row, price_row, tax_rule
from cardhour_billing.catalog.price import PRICE
from cardhour_billing.catalog.tax import TAX
from cardhour_billing.figures import grouped
from cardhour_billing.models import Binding, Commitment, Contract, Customer, Price, PriceBook, TaxRule
from cardhour_billing.money import percent_text
from cardhour_billing.portal.records.noun import Column, Fact, Filter, Look, Noun, Related, Words
from cardhour_billing.portal.records.texts import amount, instant, price, rfc3339, state
from cardhour_billing.rating.price import NEGOTIATED
from cardhour_billing.rating.rate_scheme import hours_text

CHOICES_MAX = 500
"""Customers offered to choose from; beyond that the search finds them."""


def customers() -> Sequence[tuple[str, str]]:
    return list(Customer.objects.order_by("name").values_list("key", "name")[:CHOICES_MAX])


def by_customer(path: str = "customer__key") -> Filter:
    return Filter(key="customer", label=_("Customer"), choices=customers, match=lambda value: Q(**{path: value}))


def of_customer(*, wide: bool = False) -> Column:
    """Whose it is; ``wide``: on a phone the first column says so."""
    return Column(
        key="customer", head=_("Customer"), text=lambda row, _look: row.customer.name,
        raw=lambda row, _look: row.customer.key, order=("customer__name",), leads="customers",
        target=lambda row: row.customer_id, wide=wide,
    )  # fmt: skip


def validity() -> tuple[Column, ...]:
    """When it holds, and whether it does now."""
    return (
        Column(
            key="from", head=_("Valid from"), text=lambda row, look: instant(row.valid_from_ms, look),
            raw=lambda row, _look: rfc3339(row.valid_from_ms), order=("valid_from_ms",), wide=True,
        ),
        Column(
            key="to", head=_("Valid to"), text=lambda row, look: instant(row.valid_to_ms, look),
            raw=lambda row, _look: rfc3339(row.valid_to_ms), order=("valid_to_ms",), wide=True,
        ),
        Column(key="state", head=_("State"), text=state, pill=True),
    )  # fmt: skip


def recorded() -> tuple[Fact, ...]:
    return (
        Fact(name=_("Valid from"), text=lambda row, look: instant(row.valid_from_ms, look)),
        Fact(name=_("Valid to"), text=lambda row, look: instant(row.valid_to_ms, look)),
        Fact(name=_("Recorded"), text=lambda row, look: instant(row.recorded_at_ms, look)),
    )


def yes_no() -> Sequence[tuple[str, Words]]:
    return [("yes", _("Yes")), ("no", _("No"))]


def plain(name: str) -> Callable[[Any, Look], str]:
    """A column of the table as it is."""
    return lambda row, _look: str(getattr(row, name))


def _place(row: Binding, _look: Look) -> str:
    return ", ".join(name for name in (row.cluster, row.node, row.card) if name)


def _price_text(row: Price, _look: Look) -> str:
    return price(row.unit_nano, row.currency)


def in_words(row: Price) -> bool:
    """Whether a price has more to say than one amount: tiers, bands, models of a group."""
    price = price_row(row)
    return bool(price.tiers or price.bands or price.models)


def _scheme(row: Price, _look: Look) -> str:
    """Tiers and bands in words; nothing where the price is one amount."""
    return PRICE.text(price_row(row))[1].rpartition(", from ")[0] if in_words(row) else ""


def _book(row: Price, _look: Look) -> str:
    return row.book.key.removeprefix(NEGOTIATED)


def _committed(row: Commitment, _look: Look) -> str:
    if row.quantity_us is not None:
        return f"{grouped(hours_text(row.quantity_us))} h"
    return f"{amount(row.amount or 0, row.currency)} {row.currency}"


def _books() -> Sequence[tuple[str, str]]:
    keys = PriceBook.objects.order_by("key").values_list("key", flat=True)[:CHOICES_MAX]
    return [(key, key.removeprefix(NEGOTIATED)) for key in keys]


def _currencies() -> Sequence[tuple[str, str]]:
    found = Customer.objects.order_by("currency").values_list("currency", flat=True).distinct()
    return [(code, code) for code in found]


CUSTOMERS = Noun(
    slug="customers", group="catalog", title=_("Customers"), one=_("Customer"), changes="customer",
    help=_("Who pays. Names and addresses are today’s; an invoice keeps its own copy."),
    empty=_("No customers yet. Apply a catalog, or add one."),
    rows=lambda: Customer.objects.select_related("issuer"),
    search=("key", "name", "legal_name", "tax_id", "email"), order="name",
    columns=(
        Column(key="name", head=_("Name"), text=plain("name"), narrow=plain("key"), order=("name",)),
        Column(key="id", head=_("Id"), text=plain("key"), order=("key",), mono=True, wide=True),
        Column(key="currency", head=_("Currency"), text=plain("currency"), order=("currency",)),
        Column(key="timezone", head=_("Time zone"), text=plain("timezone"), order=("timezone",), wide=True),
        Column(key="terms_days", head=_("Days to pay"), text=plain("terms_days"), raw=lambda row, _look: row.terms_days,
               order=("terms_days",), number=True, wide=True),
        Column(key="email", head=_("E-mail"), text=lambda row, _look: row.email.replace("\n", ", "), wide=True),
        Column(key="prepaid", head=_("Prepaid"), text=lambda row, _look: "yes" if row.prepaid else "no", pill=True),
    ),
    filters=(
        Filter(key="currency", label=_("Currency"), choices=_currencies, match=lambda value: Q(currency=value)),
        Filter(key="prepaid", label=_("Prepaid"), choices=yes_no, match=lambda value: Q(prepaid=value == "yes")),
    ),
    audited=lambda row: f"customer {row.key}",
    facts=(
        Fact(name=_("Id"), text=plain("key"), mono=True),
        Fact(name=_("Legal name"), text=plain("legal_name")),
        Fact(name=_("Address"), text=plain("address")),
        Fact(name=_("Country"), text=plain("country")),
        Fact(name=_("Tax no."), text=plain("tax_id")),
        Fact(name=_("Electronic address"), text=plain("endpoint")),
        Fact(name=_("Buyer reference"), text=plain("buyer_reference")),
        Fact(name=_("Purchase order"), text=plain("po_number")),
        Fact(name=_("E-mail"), text=lambda row, _look: row.email.replace("\n", ", ")),
        Fact(name=_("Language"), text=plain("language"), pill=True),
        Fact(name=_("Currency"), text=plain("currency")),
        Fact(name=_("Time zone"), text=plain("timezone")),
        Fact(name=_("Issuer"), text=lambda row, _look: row.issuer.name),
        Fact(name=_("Days to pay"), text=plain("terms_days")),
        Fact(name=_("Smallest invoice"), text=lambda row, _look: amount(row.minimum_invoice, row.currency)
             if row.minimum_invoice is not None else ""),
        Fact(name=_("Low balance"), text=lambda row, _look: amount(row.low_balance, row.currency)
             if row.low_balance is not None else ""),
    ),
    related=tuple(
        Related(slug=slug, query=lambda row: {"customer": row.key})
        for slug in ("bindings", "contracts", "leases", "add-ons", "prepaid", "grants", "payments")
    ),
)  # fmt: skip

BINDINGS = Noun(
    slug="bindings", group="catalog", title=_("Bindings"), one=_("Binding"), changes="binding",
    help=_("Whose usage is whose. Usage that no binding covers is billed to nobody."),
    empty=_("No bindings yet. Apply a catalog, or add one."),
    rows=lambda: Binding.objects.select_related("customer", "project"),
    search=("owner", "cluster", "node", "card", "customer__name", "customer__key", "project__key"), order="owner",
    columns=(
        Column(key="owner", head=_("Owner"), text=plain("owner"), narrow=_place, order=("owner",), mono=True),
        Column(key="cluster", head=_("Cluster"), text=plain("cluster"), order=("cluster",), wide=True),
        Column(key="node", head=_("Node"), text=plain("node"), order=("node",), wide=True),
        Column(key="card", head=_("Card"), text=plain("card"), order=("card",), wide=True, mono=True),
        of_customer(),
        Column(key="project", head=_("Project"), text=lambda row, _look: row.project.key if row.project else "",
               order=("project__key",), wide=True),
        *validity(),
    ),
    filters=(by_customer(),),
    same=lambda row: Q(owner=row.owner, cluster=row.cluster, node=row.node, card=row.card),
    audited=lambda row: f"binding {BINDING.text(binding_row(row))[0]}",
    facts=(
        Fact(name=_("Owner"), text=plain("owner"), mono=True),
        Fact(name=_("Customer"), text=lambda row, _look: row.customer.name),
        Fact(name=_("Project"), text=lambda row, _look: row.project.key if row.project else ""),
        Fact(name=_("Place"), text=_place), *recorded(),
    ),
)  # fmt: skip

PRICES = Noun(
    slug="prices", group="catalog", title=_("Prices"), one=_("Price"), changes="price",
    help=_("What a card-hour costs, by price book. A price that an invoice was issued with is ended, never edited."),
    empty=_("No prices yet. Apply a catalog, or add a price."),
    rows=lambda: Price.objects.select_related("book"), search=("model", "book__key", "currency"), order="model",
    columns=(
        Column(key="model", head=_("Model"), text=plain("model"), small=_scheme, order=("model",)),
        Column(key="book", head=_("Price book"), text=_book, raw=lambda row, _look: row.book.key, order=("book__key",),
               wide=True),
        Column(key="price", head=_("Per card-hour"), text=_price_text, raw=lambda row, _look: _price_text(row, _look)
               .replace(",", ""), narrow=plain("currency"), order=("unit_nano",), number=True),
        Column(key="currency", head=_("Currency"), text=plain("currency"), order=("currency",), wide=True),
        Column(key="includes_tax", head=_("With tax"), text=lambda row, _look: "yes" if row.includes_tax else "no",
               pill=True, wide=True),
        *validity(),
    ),
    filters=(
        Filter(key="book", label=_("Price book"), choices=_books, match=lambda value: Q(book__key=value)),
        Filter(key="currency", label=_("Currency"), choices=_currencies, match=lambda value: Q(currency=value)),
    ),
    same=lambda row: Q(book=row.book_id, model=row.model, currency=row.currency),
    audited=lambda row: f"price {PRICE.text(price_row(row))[0]}",
    facts=(
        Fact(name=_("Model"), text=plain("model")), Fact(name=_("Price book"), text=_book),
        Fact(name=_("Per card-hour"), text=lambda row, look: f"{_price_text(row, look)} {row.currency}"),
        Fact(name=_("Tiers and bands"), text=_scheme), *recorded(),
    ),
)  # fmt: skip

CONTRACTS = Noun(
    slug="contracts", group="catalog", title=_("Contracts"), one=_("Contract"), changes="contract",
    help=_("By which book a customer pays, and less how much."),
    empty=_("No contracts yet: every customer pays the list price. Add one, or apply a catalog."),
    rows=lambda: Contract.objects.select_related("customer", "book"),
    search=("key", "customer__name", "customer__key", "book__key"), order="contract",
    columns=(
        Column(key="contract", head=_("Contract"), text=plain("key"), order=("key",)), of_customer(),
        Column(key="book", head=_("Price book"), text=lambda row, _look: row.book.key, order=("book__key",), wide=True),
        Column(key="discount", head=_("Discount, %"), text=lambda row, _look: percent_text(row.discount_ppm),
               order=("discount_ppm",), number=True),
        *validity(),
    ),
    filters=(by_customer(),), same=lambda row: Q(key=row.key),
    audited=lambda row: f"contract {CONTRACT.text(contract_row(row))[0]}",
    facts=(
        Fact(name=_("Customer"), text=lambda row, _look: row.customer.name),
        Fact(name=_("Price book"), text=lambda row, _look: row.book.key),
        Fact(name=_("Discount, %"), text=lambda row, _look: percent_text(row.discount_ppm)), *recorded(),
    ),
    related=(
        Related(slug="commitments", query=lambda row: {"q": row.key}),
        Related(slug="prices", query=lambda row: {"q": row.key}),
    ),
)  # fmt: skip

COMMITMENTS = Noun(
    slug="commitments", group="catalog", title=_("Commitments"), one=_("Commitment"), changes="commitment",
    help=_("What a contract’s customer has promised to use in each term."),
    empty=_("No commitments yet. Add one, or apply a catalog."),
    rows=Commitment.objects.all, search=("key", "contract"), order="commitment",
    columns=(
        Column(key="commitment", head=_("Commitment"), text=plain("key"), order=("key",)),
        Column(key="contract", head=_("Contract"), text=plain("contract"), order=("contract",)),
        Column(key="term", head=_("Term"), text=plain("term"), order=("term",), pill=True),
        Column(key="committed", head=_("Committed"), text=_committed, raw=lambda row, look: _committed(row, look)
               .replace(",", ""), number=True),
        Column(key="covers", head=_("Covers"), text=lambda row, _look: ", ".join(row.covers), wide=True),
        *validity(),
    ),
    same=lambda row: Q(key=row.key, contract=row.contract),
    audited=lambda row: f"commitment {COMMITMENT.text(commitment_row(row))[0]}",
    facts=(
        Fact(name=_("Contract"), text=plain("contract")), Fact(name=_("Committed"), text=_committed),
        Fact(name=_("Covers"), text=lambda row, _look: ", ".join(row.covers)), *recorded(),
    ),
)  # fmt: skip

TAXES = Noun(
    slug="taxes", group="catalog", title=_("Tax rules"), one=_("Tax rule"), changes="tax",
    help=_("How sales are taxed: of everything to everybody, of a model, to a customer."),
    empty=_("No tax rules yet: nothing is taxed. Add one, or apply a catalog."),
    rows=lambda: TaxRule.objects.select_related("customer"),
    search=("model", "customer__name", "customer__key", "note"), order="category",
    columns=(
        Column(key="category", head=_("Category"), text=plain("category"), order=("category",), pill=True),
        Column(key="rate", head=_("Rate, %"), text=lambda row, _look: percent_text(row.rate_ppm), order=("rate_ppm",),
               number=True),
        Column(key="model", head=_("Model"), text=plain("model"), order=("model",)),
        Column(key="customer", head=_("Customer"), text=lambda row, _look: row.customer.name if row.customer else ""),
        Column(key="note", head=_("Note"), text=plain("note"), wide=True), *validity(),
    ),
    filters=(by_customer(),), same=lambda row: Q(customer=row.customer_id, model=row.model),
    audited=lambda row: f"tax {TAX.text(tax_rule(row))[0]}",
    facts=(Fact(name=_("Note"), text=plain("note")), *recorded()),
)  # fmt: skip
