"""The rows of the catalog, as plain values for rating. Owns that translation alone."""

from __future__ import annotations

from cardhour_billing.binding import BindingRow
from cardhour_billing.models import Binding, Customer, Price
from cardhour_billing.models import TaxRule as RecordedTax
from cardhour_billing.models.bitemporal import NOT_SUPERSEDED
from cardhour_billing.price import PriceRow
from cardhour_billing.rating import Terms
from cardhour_billing.tax import TaxRule


def current_bindings() -> list[BindingRow]:
    """Bindings that no other row supersedes, oldest first."""
    rows = Binding.objects.filter(NOT_SUPERSEDED).select_related("customer", "project").order_by("id")
    return [binding_row(row) for row in rows]


def current_prices() -> list[PriceRow]:
    """Prices that no other row supersedes, oldest first."""
    return [price_row(row) for row in Price.objects.filter(NOT_SUPERSEDED).select_related("book").order_by("id")]


def binding_row(row: Binding) -> BindingRow:
    """A recorded binding as rating knows it."""
    return BindingRow(
        id=row.pk,
        customer=row.customer.key,
        project=row.project.key if row.project else "",
        owner=row.owner,
        cluster=row.cluster,
        node=row.node,
        card=row.card,
        from_ms=row.valid_from_ms,
        to_ms=row.valid_to_ms,
    )


def price_row(row: Price) -> PriceRow:
    """A recorded price as rating knows it."""
    return PriceRow(
        id=row.pk,
        book=row.book.key,
        model=row.model,
        currency=row.currency,
        nano=row.unit_nano,
        from_ms=row.valid_from_ms,
        to_ms=row.valid_to_ms,
        includes_tax=row.includes_tax,
    )


def current_taxes() -> list[TaxRule]:
    """Tax rules that no other row supersedes, oldest first."""
    rows = RecordedTax.objects.filter(NOT_SUPERSEDED).select_related("customer").order_by("id")
    return [tax_rule(row) for row in rows]


def tax_rule(row: RecordedTax) -> TaxRule:
    """A recorded tax rule as rating knows it."""
    return TaxRule(
        id=row.pk,
        category=row.category,
        rate_ppm=row.rate_ppm,
        customer=row.customer.key if row.customer else "",
        model=row.model,
        note=row.note,
        from_ms=row.valid_from_ms,
        to_ms=row.valid_to_ms,
    )


def terms_of(customer: Customer) -> Terms:
    """What rating must know of ``customer``."""
    return Terms(customer=customer.key, currency=customer.currency)
