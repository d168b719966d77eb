"""Which usage is a customer's, for handing it out and for erasing it.

Owns whose owners they are and until when they may be erased. Does not own what is stored of them (the warehouse's
``customer_data``). An owner that others are bound to as well is handed out only where it is this customer's, and is not
erased: it is not this customer's alone.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from cardhour_billing.catalog.current import current_bindings
from cardhour_billing.models import Customer, Invoice
from cardhour_billing.rating.binding import BindingRow, Bindings
from cardhour_billing.spreadsheet import guarded
from cardhour_contract.errors import Refuse
from cardhour_contract.moment import HOUR_MS, format_rfc3339

if TYPE_CHECKING:
    from cardhour_ingest.warehouse.client import Warehouse
    from cardhour_ingest.warehouse.usage import BillableUsage


class Owners(Struct, frozen=True, kw_only=True):
    """Owners that a customer is bound to, by name."""

    own: list[str]
    shared: list[str]
    """Also somebody else's, somewhere or at some time."""

    @property
    def all(self) -> list[str]:
        return sorted([*self.own, *self.shared])


def the_customer(key: str) -> Customer:
    found = Customer.objects.filter(key=key).first()
    if found is None:
        raise Refuse(f"there is no customer '{key}': cardhour catalog apply makes them, and the portal lists them")
    return found


def owners_of(warehouse: Warehouse, customer: str, before_ms: int) -> Owners:
    """The owners that anything was reported of and that a binding gives to ``customer``."""
    from cardhour_ingest.warehouse.customer_data import known_owners
    from cardhour_ingest.warehouse.usage import billable

    rows = current_bindings()
    mine = [row for row in rows if row.customer == customer]
    candidates = {owner for owner in known_owners(warehouse) if _bound(owner, mine)}
    cuts = [at_ms for row in rows for at_ms in (row.from_ms, row.to_ms) if at_ms is not None]
    holders = _holders(Bindings(rows), billable(warehouse, 0, before_ms, cuts))
    others = [row for row in rows if row.customer != customer]
    shared = {
        owner for owner in candidates
        if holders.get(owner, {customer}) != {customer} or (owner not in holders and _bound(owner, others))
    }  # fmt: skip
    return Owners(own=sorted(candidates - shared), shared=sorted(shared))


def erasable_until_ms(warehouse: Warehouse, customer: Customer, asked_ms: int | None, owners: Sequence[str]) -> int:
    """Until when usage may be erased: what is not on an issued invoice yet needs its raw rows."""
    from cardhour_ingest.warehouse.usage import billable

    issued = Invoice.objects.filter(customer=customer, state=Invoice.State.ISSUED).order_by("-period_end_ms").first()
    billed_ms = issued.period_end_ms if issued else 0
    if asked_ms is None:
        if not billed_ms:
            raise Refuse(
                f"nothing was issued to '{customer.key}' yet: say with --before until when its usage is settled"
            )
        return billed_ms
    if asked_ms % HOUR_MS:
        raise Refuse(f"--before {format_rfc3339(asked_ms)} is off the hour, and a page is a whole one")
    if asked_ms > billed_ms:
        left = {each.owner for each in billable(warehouse, billed_ms, asked_ms)} & set(owners)
        if left:
            raise Refuse(
                f"{', '.join(sorted(left))} used cards before {format_rfc3339(asked_ms)} that no issued invoice bills: "
                f"close the month first, or say an earlier --before"
            )
    return asked_ms


def export(warehouse: Warehouse, customer: str, folder: Path, from_ms: int, to_ms: int) -> dict[str, int]:
    """Write the customer's ledger and raw rows as CSV into a new folder; returns how many rows each file has."""
    from cardhour_ingest.warehouse.customer_data import ledger_rows, record_rows

    if folder.exists():
        raise Refuse(f"'{folder}' exists already: name a folder that does not, so that nothing is mixed up")
    owners = owners_of(warehouse, customer, to_ms).all
    bindings = Bindings(current_bindings())

    def is_theirs(row: dict[str, Any]) -> bool:
        found = bindings.find(row["owner"], row["cluster"], row["node"], row["card"], row["start_ms"])
        return found is not None and found.customer == customer

    hours = from_ms // HOUR_MS, to_ms // HOUR_MS
    part = folder.with_name(folder.name + ".part")
    part.mkdir(parents=True, exist_ok=True)  # what an export that was cut off left is written over
    counts = {
        "ledger.csv": _write(part / "ledger.csv", ledger_rows(warehouse, owners, *hours), is_theirs),
        "records.csv": _write(part / "records.csv", record_rows(warehouse, owners, *hours), is_theirs),
    }
    part.replace(folder)
    return counts


def _bound(owner: str, rows: Iterable[BindingRow]) -> bool:
    return any(
        owner.startswith(row.owner[:-1]) if row.owner.endswith("*") else owner == row.owner for row in rows
    )  # fmt: skip


def _holders(bindings: Bindings, usage: Iterable[BillableUsage]) -> dict[str, set[str]]:
    """Whose each owner's usage was; an empty name where nobody's."""
    found: dict[str, set[str]] = {}
    for each in usage:
        row = bindings.find(each.owner, each.cluster, each.node, each.card, each.segment_start_ms)
        found.setdefault(each.owner, set()).add(row.customer if row else "")
    return found


def _write(path: Path, tables: Iterable[Any], wanted: Callable[[dict[str, Any]], bool]) -> int:
    """Arrow tables as one CSV file, the rows that are wanted; returns how many."""
    count = 0
    with path.open("w", newline="", encoding="utf-8") as file:
        writer: csv.DictWriter[str] | None = None
        for table in tables:
            for row in filter(wanted, table.to_pylist()):
                shown = {f"{name}_at": format_rfc3339(row.pop(f"{name}_ms")) for name in ("start", "end")} | row
                if writer is None:
                    writer = csv.DictWriter(file, fieldnames=list(shown), lineterminator="\n")
                    writer.writeheader()
                # Tenants chose the names of owners and workloads.
                writer.writerow(
                    {name: guarded(cell) if isinstance(cell, str) else cell for name, cell in shown.items()}
                )
                count += 1
    return count
