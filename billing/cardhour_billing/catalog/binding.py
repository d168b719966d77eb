"""``[[binding]]`` of a catalog: whose usage is whose. Owns what makes two bindings the same one, and that customers are
bound."""

from __future__ import annotations

from datetime import datetime

import msgspec
from msgspec import Struct

from cardhour_billing.catalog.change import Change, RowPlan, validity_text
from cardhour_billing.catalog.checks import a_name, an_id, an_owner, check, times, validity
from cardhour_billing.catalog.current import current_bindings
from cardhour_billing.catalog.customer import CustomerTable
from cardhour_billing.catalog.lease import having_leases
from cardhour_billing.catalog.noun import Noun, Planning
from cardhour_billing.models import Binding, Customer, Project
from cardhour_billing.rating.binding import BindingRow, overlaps
from cardhour_contract.errors import Refuse


class BindingTable(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[[binding]]``: an owner, anywhere or in a named place, is a customer."""

    owner: str
    customer: str
    from_: datetime = msgspec.field(name="from")
    to: datetime | None = None
    project: str = ""
    cluster: str = ""
    node: str = ""
    card: str = ""


def _problems(table: BindingTable) -> list[str]:
    found = check((an_owner, table.owner), *((an_id, each) for each in (table.project,) if each))
    found += check(*((a_name, each) for each in (table.cluster, table.node, table.card) if each))
    return found + times(table.from_, table.to)


def _changes(planning: Planning) -> list[Change]:
    rows = RowPlan("binding", current_bindings(), key=_key, text=_text)
    for located in planning.file.of(BindingTable):
        table = located.table
        planning.known_customer(located, table.customer)
        try:
            from_ms, to_ms = validity(table)
        except Refuse:
            continue  # reported with the table
        row = BindingRow(
            id=rows.new_id(), customer=table.customer, project=table.project, owner=table.owner, cluster=table.cluster,
            node=table.node, card=table.card, from_ms=from_ms, to_ms=to_ms,
        )  # fmt: skip
        rows.add(located.where, row)
    for one, other in overlaps(rows.after):
        planning.problems.append(rows.overlap(one, other, f"owner '{one.owner}' is bound twice at one time"))
    billed = {row.customer for row in rows.after} | having_leases(planning.file)
    for customer in planning.file.of(CustomerTable):
        if customer.table.id not in billed:
            sentence = f"customer '{customer.table.id}' has no binding, lease or add-on, so nothing would be billed"
            planning.problems.append(f"{customer.where}: {sentence}")
    return rows.changes


def _key(row: BindingRow) -> tuple[str | int, ...]:
    return row.owner, row.cluster, row.node, row.card, row.from_ms


def _text(row: BindingRow) -> tuple[str, str]:
    place = ", ".join(f"{level} {name}" for level in ("cluster", "node", "card") if (name := getattr(row, level)))
    project = f" / {row.project}" if row.project else ""
    subject = f"{row.owner} on {place}" if place else row.owner
    return subject, f"{row.customer}{project}, {validity_text(row)}"


def _write(change: Change, recorded_at_ms: int) -> None:
    row: BindingRow = change.row
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
        supersedes_id=change.supersedes,
    )


BINDING = Noun(name="binding", table=BindingTable, problems=_problems, changes=_changes, write=_write, text=_text)
