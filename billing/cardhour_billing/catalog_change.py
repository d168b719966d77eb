"""One change to the catalog, as it is shown before it is applied."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal, TypeVar

from msgspec import Struct

from cardhour_billing.binding import BindingRow
from cardhour_billing.money import UnitPrice
from cardhour_billing.price import PriceRow
from cardhour_billing.tax import TaxRule
from cardhour_contract.moment import format_rfc3339

Row = TypeVar("Row", BindingRow, PriceRow, TaxRule)


class Change(Struct, frozen=True, kw_only=True):
    """One row to write."""

    kind: Literal["issuer", "customer", "binding", "price", "tax"]
    action: Literal["add", "change"]
    subject: str
    detail: str
    """What differs, as ``field before → after``; for a new row, what it says."""
    fields: dict[str, Any] = {}
    """For issuer and customer: the columns to set."""
    row: BindingRow | PriceRow | TaxRule | None = None
    """For binding, price and tax: the row to record."""
    supersedes: int | None = None
    """Id of the binding, price or tax rule that ``row`` replaces."""


def party_change(
    kind: Literal["issuer", "customer"], subject: str, known: Mapping[str, Any] | None, wanted: dict[str, Any]
) -> Change | None:
    """The change from the stored columns to the wanted ones; ``None`` where they agree."""
    if known is None:
        shown = ", ".join(f"{key} {_shown(value)}" for key, value in wanted.items() if value)
        return Change(kind=kind, action="add", subject=subject, detail=shown, fields=wanted)
    differ = {key: value for key, value in wanted.items() if known[key] != value}
    if not differ:
        return None
    detail = ", ".join(f"{key} {_shown(known[key])} → {_shown(value)}" for key, value in differ.items())
    return Change(kind=kind, action="change", subject=subject, detail=detail, fields=differ)


def row_change(
    kind: Literal["binding", "price", "tax"], row: Row, known: Row | None, text: Callable[[Row], tuple[str, str]]
) -> Change:
    """The change that records ``row``, superseding ``known`` where there is one. ``text`` gives subject and detail."""
    subject, detail = text(row)
    if known is None:
        return Change(kind=kind, action="add", subject=subject, detail=detail, row=row)
    detail = f"{text(known)[1]} → {detail}"
    return Change(kind=kind, action="change", subject=subject, detail=detail, row=row, supersedes=known.id)


def binding_text(row: BindingRow) -> tuple[str, str]:
    """Subject and detail of a binding."""
    place = ", ".join(f"{level} {name}" for level in ("cluster", "node", "card") if (name := getattr(row, level)))
    project = f" / {row.project}" if row.project else ""
    subject = f"{row.owner} on {place}" if place else row.owner
    return subject, f"{row.customer}{project}, {_validity(row.from_ms, row.to_ms)}"


def price_text(row: PriceRow) -> tuple[str, str]:
    """Subject and detail of a price."""
    price = UnitPrice(nano=row.nano, currency=row.currency)
    subject = row.model if row.book == "list" else f"{row.model} in book {row.book}"
    taxed = " with tax" if row.includes_tax else ""
    return subject, f"{price} {row.currency} per card-hour{taxed}, {_validity(row.from_ms, row.to_ms)}"


def tax_text(row: TaxRule) -> tuple[str, str]:
    """Subject and detail of a tax rule."""
    whom = f"customer {row.customer}" if row.customer else "everybody"
    subject = f"{row.model} for {whom}" if row.model else whom
    note = f" ({row.note})" if row.note else ""
    return subject, f"{row.category} {row.percent}%{note}, {_validity(row.from_ms, row.to_ms)}"


def _validity(from_ms: int, to_ms: int | None) -> str:
    return f"from {format_rfc3339(from_ms)}" + (f" to {format_rfc3339(to_ms)}" if to_ms is not None else "")


def _shown(value: Any) -> str:
    return repr(value) if isinstance(value, str) else str(value)
