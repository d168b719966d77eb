"""``cardhour verify``: does an issued invoice still rest on what it was computed from?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from cardhour_billing.figures import grouped
from cardhour_billing.money import card_hours
from cardhour_billing.store import answering, open_store
from cardhour_billing.table import format_option, notes, print_rows
from cardhour_billing.usage.store import opened_warehouse

if TYPE_CHECKING:
    from cardhour_billing.answers.known_today import Difference

TODAY_COLUMNS = ("line", "model", "unit_price", "billed_card_hours", "billed", "card_hours_now", "now", "difference")


@click.command()
@click.argument("number", metavar="INVOICE")
@click.option("--now", is_flag=True, help="Show what is known today beside what was billed, line by line, instead.")
@format_option
def verify(number: str, now: bool, form: str) -> None:
    """Compute an issued invoice again from what it froze, and compare to the minor unit.

    Also checks every digest: of the frozen inputs, of the frozen quarters in the warehouse, of the PDF and the CSV.
    Exit code 1 where anything differs, each difference named.
    """
    config = open_store()
    from cardhour_billing.answers.known_today import known_today
    from cardhour_billing.answers.verification import verify as checks_of
    from cardhour_billing.documents.invoice_files import find_invoice
    from cardhour_billing.usage.ledger import WarehouseLedger

    with answering(), opened_warehouse(config) as warehouse:
        invoice, ledger = find_invoice(number), WarehouseLedger(warehouse)
        if now:
            _print_today([_row(each) for each in known_today(invoice, ledger)], form, invoice.currency)
            return
        checks = checks_of(invoice, ledger)
    rows = [
        {"check": each.what, "state": "agrees" if each.agrees else "differs", "finding": finding}
        for each in checks
        for finding in each.findings or ("",)
    ]
    print_rows(rows, form)
    differ = [each.what for each in checks if not each.agrees]
    if differ:
        raise click.ClickException(f"{number} does not verify: {len(differ)} of {len(checks)} checks differ")
    notes().print(f"{number} verifies: {len(checks)} checks agree.")


def _row(each: Difference) -> dict[str, Any]:
    return {
        "line": each.position,
        "model": each.model,
        "unit_price": each.unit_price,
        "billed_card_hours": card_hours(each.billed_us),
        "billed": str(each.billed),
        "card_hours_now": card_hours(each.now_us),
        "now": str(each.now),
        "difference": str(each.difference),
    }


def _print_today(rows: list[dict[str, Any]], form: str, currency: str) -> None:
    if form == "table":
        rows = [{**row, **{name: grouped(row[name]) for name in ("billed", "now", "difference")}} for row in rows]
    title = f"Billed, and known today, {currency}"
    print_rows(rows, form, columns=TODAY_COLUMNS, right=TODAY_COLUMNS[2:], title=title)
