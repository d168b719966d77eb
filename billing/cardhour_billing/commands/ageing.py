"""``cardhour ageing``: who owes what, and since when."""

from __future__ import annotations

from typing import Any

import click

from cardhour_billing.figures import grouped
from cardhour_billing.store import answering, open_store
from cardhour_billing.table import format_option, print_rows

COLUMNS = ("customer", "currency", "not_due", "0-30", "31-60", "61-90", "over_90", "owed", "unused")


@click.command()
@click.option("--customer", metavar="ID", default="", help="Only this customer.")
@format_option
def ageing(customer: str, form: str) -> None:
    """What customers owe today, by how many days it has been due, and their money that pays nothing yet."""
    open_store()
    from cardhour_billing.receivables.ageing import aged
    from cardhour_billing.receivables.standing import today
    from cardhour_contract.clock import SystemClock

    with answering():
        found = aged(today(SystemClock()), customer)
    write = grouped if form == "table" else str
    rows: list[dict[str, Any]] = [
        {
            "customer": each.customer,
            "currency": each.currency,
            **{name: write(str(amount)) for name, amount in each.buckets.items()},
            "owed": write(str(each.owed)),
            "unused": write(str(each.unused)),
        }
        for each in found
    ]
    print_rows(rows, form, columns=COLUMNS, right=COLUMNS[2:])
