"""``[[tax]]`` of a catalog: how sales are taxed. Owns what makes two rules the same one, and what may not overlap."""

from __future__ import annotations

from datetime import datetime

import msgspec
from msgspec import Struct

from cardhour_billing.catalog.change import Change, RowPlan, validity_text
from cardhour_billing.catalog.checks import an_owner, check, times, validity
from cardhour_billing.catalog.current import current_taxes
from cardhour_billing.catalog.noun import Noun, Planning
from cardhour_billing.models import Customer
from cardhour_billing.models import TaxRule as RecordedTax
from cardhour_billing.money import parse_rate
from cardhour_billing.rating.tax import RATED, Category, TaxRule, overlaps
from cardhour_contract.errors import Refuse


class TaxTable(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[[tax]]``: how sales are taxed: of everything to everybody, of a model, to a customer."""

    category: Category
    rate: str = "0"
    from_: datetime = msgspec.field(name="from")
    to: datetime | None = None
    customer: str = ""
    model: str = ""
    note: str = ""


def _problems(table: TaxTable) -> list[str]:
    found = check((parse_rate, table.rate))
    found += check(*((an_owner, each) for each in (table.model,) if each))
    if not found and (parse_rate(table.rate) > 0) != (table.category in RATED):
        rated = table.category in RATED
        found.append(f"rate: {table.category} has a rate above 0" if rated else f"rate: {table.category} has no rate")
    if table.category == "exempt" and not table.note:
        found.append("note: say why nothing is charged; a document must state the reason of an exemption")
    return found + times(table.from_, table.to)


def _changes(planning: Planning) -> list[Change]:
    rows = RowPlan("tax", current_taxes(), key=_key, text=_text)
    for located in planning.file.of(TaxTable):
        table = located.table
        if table.customer:
            planning.known_customer(located, table.customer)
        try:
            from_ms, to_ms = validity(table)
            row = TaxRule(
                id=rows.new_id(), category=table.category, rate_ppm=parse_rate(table.rate), customer=table.customer,
                model=table.model, note=table.note, from_ms=from_ms, to_ms=to_ms,
            )  # fmt: skip
        except Refuse:
            continue  # reported with the table
        rows.add(located.where, row)
    for one, other in overlaps(rows.after):
        planning.problems.append(rows.overlap(one, other, f"{_text(one)[0]} has two tax rules at one time"))
    return rows.changes


def _key(row: TaxRule) -> tuple[str | int, ...]:
    return row.customer, row.model, row.from_ms


def _text(row: TaxRule) -> tuple[str, str]:
    whom = f"customer {row.customer}" if row.customer else "everybody"
    subject = f"{row.model} for {whom}" if row.model else whom
    note = f" ({row.note})" if row.note else ""
    return subject, f"{row.category} {row.percent}%{note}, {validity_text(row)}"


def _write(change: Change, recorded_at_ms: int) -> None:
    row: TaxRule = change.row
    RecordedTax.objects.create(
        customer=Customer.objects.get(key=row.customer) if row.customer else None,
        model=row.model,
        category=row.category,
        rate_ppm=row.rate_ppm,
        note=row.note,
        valid_from_ms=row.from_ms,
        valid_to_ms=row.to_ms,
        recorded_at_ms=recorded_at_ms,
        supersedes_id=change.supersedes,
    )


TAX = Noun(name="tax", table=TaxTable, problems=_problems, changes=_changes, write=_write, text=_text)
