"""The rows of the catalog, as plain values for rating. Owns that translation alone."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from msgspec import Struct

from cardhour_billing.models import Binding, Commitment, Contract, Customer, Price
from cardhour_billing.models import TaxRule as RecordedTax
from cardhour_billing.models.bitemporal import NOT_SUPERSEDED
from cardhour_billing.month import BillingPeriod
from cardhour_billing.rating.binding import BindingRow, times_meet
from cardhour_billing.rating.commitment import CommitmentRow, Term
from cardhour_billing.rating.price import ContractRow, PriceRow
from cardhour_billing.rating.rate import Terms
from cardhour_billing.rating.rate_scheme import Band, Kind, Tier
from cardhour_billing.rating.tax import TaxRule


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


class Scheme(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a price has beside one amount: the JSON of its ``scheme`` column."""

    kind: Kind = "per-unit"
    tiers: tuple[Tier, ...] = ()
    bands: tuple[Band, ...] = ()
    models: tuple[str, ...] = ()


def scheme_json(row: PriceRow) -> dict[str, object] | None:
    """The ``scheme`` column of a price; nothing where it has one amount at all hours for one model."""
    scheme = Scheme(kind=row.kind, tiers=row.tiers, bands=row.bands, models=row.models)
    return msgspec.to_builtins(scheme) or None


def price_row(row: Price) -> PriceRow:
    """A recorded price as rating knows it."""
    scheme = msgspec.convert(row.scheme or {}, Scheme)
    return PriceRow(
        kind=scheme.kind,
        tiers=scheme.tiers,
        bands=scheme.bands,
        models=scheme.models,
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


def current_contracts() -> list[ContractRow]:
    """Contracts that no other row supersedes, oldest first."""
    rows = Contract.objects.filter(NOT_SUPERSEDED).select_related("customer", "book").order_by("id")
    return [contract_row(row) for row in rows]


def contract_row(row: Contract) -> ContractRow:
    """A recorded contract as rating knows it."""
    return ContractRow(
        id=row.pk,
        key=row.key,
        customer=row.customer.key,
        book=row.book.key,
        discount_ppm=row.discount_ppm,
        from_ms=row.valid_from_ms,
        to_ms=row.valid_to_ms,
    )


def terms_of(
    customers: Iterable[Customer], period: BillingPeriod, contracts: Iterable[ContractRow] | None = None
) -> dict[str, Terms]:
    """What rating must know of each customer in a period, by key. ``contracts`` instead of the current ones."""
    by_customer: dict[str, list[ContractRow]] = {}
    for row in current_contracts() if contracts is None else contracts:
        if times_meet(row.from_ms, row.to_ms, period.start_ms, period.end_ms):
            by_customer.setdefault(row.customer, []).append(row)
    return {
        each.key: Terms(customer=each.key, currency=each.currency, contracts=tuple(by_customer.get(each.key, ())))
        for each in customers
    }


def current_commitments() -> list[CommitmentRow]:
    """Commitments that no other row supersedes, oldest first."""
    return [commitment_row(row) for row in Commitment.objects.filter(NOT_SUPERSEDED).order_by("id")]


def commitment_row(row: Commitment) -> CommitmentRow:
    """A recorded commitment as its charge knows it."""
    return CommitmentRow(
        id=row.pk,
        key=row.key,
        contract=row.contract,
        term=msgspec.convert(row.term, Term),
        covers=tuple(row.covers),
        quantity_us=row.quantity_us,
        amount=row.amount,
        currency=row.currency,
        true_up_nano=row.true_up_nano,
        overage_nano=row.overage_nano,
        includes_tax=row.includes_tax,
        less_faults=row.less_faults,
        from_ms=row.valid_from_ms,
        to_ms=row.valid_to_ms,
    )
