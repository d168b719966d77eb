"""Leases, add-ons and costs as the store has them, as plain values. Owns that translation alone."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from cardhour_billing.cost import CostRow
from cardhour_billing.leases.addon import AddOnRow
from cardhour_billing.leases.lease import LeaseRow
from cardhour_billing.models import AddOn, Cost, Customer, Lease
from cardhour_billing.models.bitemporal import NOT_SUPERSEDED
from cardhour_billing.models.lease import Recurring


def current_leases(customers: Iterable[Customer] | None = None) -> list[LeaseRow]:
    """Leases that no other row supersedes, oldest first; of ``customers``, where they are named."""
    rows = Lease.objects.filter(NOT_SUPERSEDED).select_related("customer").order_by("id")
    return [lease_row(row) for row in (rows if customers is None else rows.filter(customer__in=list(customers)))]


def current_add_ons(customers: Iterable[Customer] | None = None) -> list[AddOnRow]:
    """Add-ons, likewise."""
    rows = AddOn.objects.filter(NOT_SUPERSEDED).select_related("customer").order_by("id")
    return [add_on_row(row) for row in (rows if customers is None else rows.filter(customer__in=list(customers)))]


def current_costs() -> list[CostRow]:
    """Costs, likewise."""
    return [cost_row(row) for row in Cost.objects.filter(NOT_SUPERSEDED).order_by("id")]


def lease_row(row: Lease) -> LeaseRow:
    """A recorded lease as billing knows it."""
    return LeaseRow(
        customer=row.customer.key,
        model=row.model,
        cards=tuple(row.cards),
        nodes=tuple(row.nodes),
        count=row.count,
        servers=row.servers,
        sla_ppm=row.sla_ppm,
        **_terms(row),
    )


def add_on_row(row: AddOn) -> AddOnRow:
    """A recorded add-on as billing knows it."""
    return AddOnRow(
        customer=row.customer.key, name=row.name, unit=row.unit, quantity_nano=row.quantity_nano, **_terms(row)
    )


def cost_row(row: Cost) -> CostRow:
    """A recorded cost as margin knows it."""
    return CostRow(
        id=row.pk,
        model=row.model,
        currency=row.currency,
        cards_per_server=row.cards_per_server,
        purchase_nano=row.purchase_nano,
        depreciation_months=row.depreciation_months,
        hosting_nano=row.hosting_nano,
        power_nano=row.power_nano,
        from_ms=row.valid_from_ms,
        to_ms=row.valid_to_ms,
    )


def _terms(row: Recurring) -> dict[str, Any]:
    return {
        "id": row.pk,
        "key": row.key,
        "per": row.per,
        "currency": row.currency,
        "nano": row.unit_nano,
        "includes_tax": row.includes_tax,
        "cycle": row.cycle,
        "billing": row.billing,
        "non_refundable": row.non_refundable,
        "from_ms": row.valid_from_ms,
        "to_ms": row.valid_to_ms,
    }
