"""``[[add-on]]`` of a catalog: what a customer pays for beside cards. Owns what a table must say."""

from __future__ import annotations

from datetime import datetime

import msgspec
from msgspec import Struct

from cardhour_billing.catalog.change import Change, RowPlan, validity_text
from cardhour_billing.catalog.checks import a_name, an_id, check, times, validity
from cardhour_billing.catalog.current_terms import current_add_ons
from cardhour_billing.catalog.noun import Noun, Planning
from cardhour_billing.catalog.recurring import a_price, currency_of, named_once, recurring_columns, same_customer
from cardhour_billing.leases.addon import AddOnRow, AddOnUnit
from cardhour_billing.leases.proration import Cycle
from cardhour_billing.leases.recurring import Billing
from cardhour_billing.models import AddOn, Customer
from cardhour_billing.money import parse_nano, parse_price
from cardhour_billing.printed import nano_text
from cardhour_contract.errors import Refuse


class AddOnTable(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[[add-on]]``: storage, network, software; each month or once."""

    id: str
    customer: str
    name: str
    per: AddOnUnit
    amount: str
    from_: datetime = msgspec.field(name="from")
    to: datetime | None = None
    quantity: str = "1"
    unit: str = ""
    includes_tax: bool = False
    period: Cycle = "calendar"
    billed: Billing = "arrears"
    non_refundable: bool = False


def _problems(table: AddOnTable) -> list[str]:
    found = check((an_id, table.id), (a_name, table.name), (a_price, table.amount), (_quantity, table.quantity))
    if len(table.unit) > 16 or table.unit.strip() != table.unit:
        found.append(f"unit: '{table.unit}' is longer than 16 characters or has space around it")
    if table.per == "once" and (table.billed != "arrears" or table.period != "calendar" or table.to):
        found.append("per: what is paid once is billed with the month of its from; leave out to, period and billed")
    if table.non_refundable and table.billed != "advance":
        found.append('non_refundable: means something only with billed = "advance"')
    return found + times(table.from_, table.to)


def _quantity(text: str) -> int:
    nano = parse_nano(text)
    if nano <= 0:
        raise Refuse(f"quantity: '{text}' is not above zero")
    return nano


def _changes(planning: Planning) -> list[Change]:
    rows = RowPlan("add-on", current_add_ons(), key=lambda row: (row.key,), text=_text)
    for located in planning.file.of(AddOnTable):
        table = located.table
        planning.known_customer(located, table.customer)
        try:
            price = parse_price(table.amount, currency_of(planning, table.customer))
            quantity_nano, (from_ms, to_ms) = _quantity(table.quantity), validity(table)
        except Refuse:
            continue  # reported with the table
        row = AddOnRow(
            id=rows.new_id(), key=table.id, customer=table.customer, name=table.name, unit=table.unit, per=table.per,
            quantity_nano=quantity_nano, currency=price.currency, nano=price.nano, includes_tax=table.includes_tax,
            cycle=table.period, billing=table.billed, non_refundable=table.non_refundable, from_ms=from_ms, to_ms=to_ms,
        )  # fmt: skip
        same_customer(planning, located, rows.add(located.where, row), row)
    named_once(planning, planning.file.of(AddOnTable))
    return rows.changes


def _text(row: AddOnRow) -> tuple[str, str]:
    how = "once" if row.per == "once" else f"a month, {row.cycle} months, in {row.billing}"
    count = f"{nano_text(row.quantity_nano)} {row.unit}".strip()
    extras = (" with tax" if row.includes_tax else "") + (", non-refundable" if row.non_refundable else "")
    price = f"{count} × {row.unit_price} {row.currency}{extras}"
    return row.key, f"{row.customer}: {row.name}, {price}, {how}, {validity_text(row)}"


def _write(change: Change, recorded_at_ms: int) -> None:
    row: AddOnRow = change.row
    AddOn.objects.create(
        customer=Customer.objects.get(key=row.customer),
        name=row.name,
        per=row.per,
        unit=row.unit,
        quantity_nano=row.quantity_nano,
        recorded_at_ms=recorded_at_ms,
        supersedes_id=change.supersedes,
        **recurring_columns(row),
    )


ADD_ON = Noun(name="add-on", table=AddOnTable, problems=_problems, changes=_changes, write=_write, text=_text)
