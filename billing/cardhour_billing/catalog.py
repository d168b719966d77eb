"""Applying a catalog: customers, bindings, prices and tax rules as code.

Owns writing what ``catalog_plan`` found. Bindings, prices and tax rules are never edited: a changed one is a new row
that supersedes the old. Applying a file twice changes nothing; what a file does not name stays.
"""

from __future__ import annotations

from collections.abc import Sequence

from django.db import transaction

from cardhour_billing.audit import audit
from cardhour_billing.binding import BindingRow
from cardhour_billing.catalog_change import Change
from cardhour_billing.catalog_file import CatalogFile
from cardhour_billing.catalog_plan import plan
from cardhour_billing.models import Binding, Customer, Issuer, Price, PriceBook, Project
from cardhour_billing.models import TaxRule as RecordedTax
from cardhour_billing.price import PriceRow
from cardhour_billing.tax import TaxRule
from cardhour_contract.clock import Clock
from cardhour_contract.errors import InvariantBroken, Refuse


def apply_catalog(file: CatalogFile, shown: Sequence[Change], *, clock: Clock, who: str) -> None:
    """Write the changes that were shown, all or none. Refuses where the store has changed since they were planned."""
    with transaction.atomic():
        Issuer.objects.select_for_update().first()  # one catalog at a time
        changes = plan(file)
        if [_seen(change) for change in changes] != [_seen(change) for change in shown]:
            raise Refuse("the catalog was changed by someone else meanwhile: run the command again")
        recorded_at_ms = clock.now_ms()
        for change in changes:
            _write(change, recorded_at_ms)
        for change in changes:
            audit(
                clock, who, f"catalog.{change.action}", f"{change.kind} {change.subject}"[:256], {"what": change.detail}
            )


def _seen(change: Change) -> tuple[str, ...]:
    return change.kind, change.action, change.subject, change.detail


def _write(change: Change, recorded_at_ms: int) -> None:
    match change.kind:
        case "issuer":
            Issuer.objects.update_or_create(key=change.subject, defaults=change.fields)
        case "customer":
            issuer = Issuer.objects.get()
            Customer.objects.update_or_create(key=change.subject, defaults={**change.fields, "issuer": issuer})
        case "binding" if isinstance(change.row, BindingRow):
            _write_binding(change.row, change.supersedes, recorded_at_ms)
        case "price" if isinstance(change.row, PriceRow):
            _write_price(change.row, change.supersedes, recorded_at_ms)
        case "tax" if isinstance(change.row, TaxRule):
            _write_tax(change.row, change.supersedes, recorded_at_ms)
        case _:
            raise InvariantBroken(f"a {change.kind} change without its row")


def _write_binding(row: BindingRow, supersedes: int | None, recorded_at_ms: int) -> None:
    customer = Customer.objects.get(key=row.customer)
    project = Project.objects.get_or_create(customer=customer, key=row.project)[0] if row.project else None
    Binding.objects.create(
        customer=customer,
        project=project,
        owner=row.owner,
        cluster=row.cluster,
        node=row.node,
        card=row.card,
        valid_from_ms=row.from_ms,
        valid_to_ms=row.to_ms,
        recorded_at_ms=recorded_at_ms,
        supersedes_id=supersedes,
    )


def _write_price(row: PriceRow, supersedes: int | None, recorded_at_ms: int) -> None:
    book, _ = PriceBook.objects.get_or_create(issuer=Issuer.objects.get(), key=row.book)
    Price.objects.create(
        book=book,
        model=row.model,
        currency=row.currency,
        unit_nano=row.nano,
        includes_tax=row.includes_tax,
        valid_from_ms=row.from_ms,
        valid_to_ms=row.to_ms,
        recorded_at_ms=recorded_at_ms,
        supersedes_id=supersedes,
    )


def _write_tax(row: TaxRule, supersedes: int | None, recorded_at_ms: int) -> None:
    RecordedTax.objects.create(
        customer=Customer.objects.get(key=row.customer) if row.customer else None,
        model=row.model,
        category=row.category,
        rate_ppm=row.rate_ppm,
        note=row.note,
        valid_from_ms=row.from_ms,
        valid_to_ms=row.to_ms,
        recorded_at_ms=recorded_at_ms,
        supersedes_id=supersedes,
    )
