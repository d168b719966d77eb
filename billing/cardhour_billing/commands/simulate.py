"""``cardhour simulate``: what every customer would have paid for a month under another catalog."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cardhour_billing.figures import grouped
from cardhour_billing.store import answering, open_store
from cardhour_billing.table import format_option, notes, print_rows
from cardhour_billing.usage.store import opened_warehouse

if TYPE_CHECKING:
    from cardhour_billing.effects.simulation import Simulated, Simulation

COLUMNS = ("customer", "currency", "quantity_us", "net_now", "net_then", "total_now", "total_then", "difference")
SHOWN = ("customer", "currency", "card-hours", "total_now", "total_then", "difference")
CHANGES_SHOWN = 20
"""Changes named in the notes: more are read with ``cardhour catalog apply``, which asks before it applies."""


@click.command()
@click.option("--catalog", "file", type=click.Path(path_type=Path), required=True, help="The other catalog (TOML).")
@click.option("--month", metavar="YYYY-MM", required=True, help="The month to rate.")
@format_option
def simulate(file: Path, month: str, form: str) -> None:
    """What every customer would have paid for a month under another catalog, beside what it pays now.

    FILE says what differs, as for `catalog apply`; what it does not name stays as it is. A price that was billed may
    change here. Nothing is written; an invoice that was issued stays what it is.
    """
    config = open_store()
    from cardhour_billing.catalog.file import read_catalog
    from cardhour_billing.effects.simulation import simulate as simulated
    from cardhour_billing.month import parse_month
    from cardhour_billing.usage.ledger import WarehouseLedger
    from cardhour_contract.clock import SystemClock

    read, wanted = read_catalog(file), parse_month(month)
    with answering(), opened_warehouse(config) as warehouse:
        found = simulated(read, wanted, ledger=WarehouseLedger(warehouse), clock=SystemClock())
    rows = [_row(each) for each in found.customers]
    if form == "table":
        _print_table(found, rows, month)
    else:
        print_rows(rows, form, columns=COLUMNS)


def _row(each: Simulated) -> dict[str, Any]:
    from cardhour_billing.effects.simulation import difference

    now, then = each.now, each.then
    return {
        "customer": each.customer,
        "currency": difference(each).currency,
        "quantity_us": max(bill.quantity_us for bill in (now, then) if bill),
        "net_now": str(now.net) if now else None,
        "net_then": str(then.net) if then else None,
        "total_now": str(now.total) if now else None,
        "total_then": str(then.total) if then else None,
        "difference": str(difference(each)),
        "findings": [str(each) for each in then.findings] if then else [],
    }


def _print_table(found: Simulation, rows: list[dict[str, Any]], month: str) -> None:
    from cardhour_billing.money import card_hours

    shown = [
        {
            **row,
            "card-hours": grouped(card_hours(row["quantity_us"], decimals=2)),
            **{key: grouped(row[key]) if row[key] else "" for key in ("total_now", "total_then", "difference")},
        }
        for row in rows
    ]
    print_rows(shown, "table", columns=SHOWN, right=SHOWN[2:], title=f"{month}, now and then")
    out = notes()
    if not found.changes:
        out.print("The catalog would change nothing.")
    for change in found.changes[:CHANGES_SHOWN]:
        out.print(f"{change.action} {change.kind} {change.subject}: {change.detail}")
    if len(found.changes) > CHANGES_SHOWN:
        out.print(f"and {len(found.changes) - CHANGES_SHOWN} more changes")
    for row in rows:
        for finding in row["findings"]:
            out.print(f"{row['customer']}: {finding}")
    out.print("Nothing was written.")
