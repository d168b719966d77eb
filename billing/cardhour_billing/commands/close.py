"""``cardhour close``: a month's invoices, drafted or issued, and the checklist beside them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from cardhour_billing.commands.close_printing import LINE_COLUMNS, check_rows, invoice_json, line_rows, print_report
from cardhour_billing.store import answering, open_store
from cardhour_billing.table import format_option, notes, print_rows

if TYPE_CHECKING:
    from cardhour_billing.documents.rendering import Told

CHECK_COLUMNS = ("severity", "check", "what", "do")


@click.command()
@click.argument("month", metavar="YYYY-MM")
@click.option("--issue", is_flag=True, help="Issue: take numbers and freeze. It cannot be undone, only credited.")
@click.option("--customer", metavar="ID", default="", help="Only this customer.")
@click.option("--within-grace", is_flag=True, help="Issue although late usage may still come in (grace_hours).")
@click.option("--checklist", is_flag=True, help="Print the checklist in place of the invoices.")
@format_option
def close(month: str, issue: bool, customer: str, within_grace: bool, checklist: bool, form: str) -> None:
    """Draft, or issue, every customer's invoice for a month, and print the checklist.

    A draft is recomputed each time. Issued invoices stay as they are, however often this runs: a close that was
    interrupted goes on where it was.
    """
    config = open_store()
    from cardhour_billing.audit.log import login_name
    from cardhour_billing.closing.close import CloseOrder, close_month
    from cardhour_billing.closing.run import keep_report
    from cardhour_billing.month import parse_month
    from cardhour_billing.usage.ledger import WarehouseLedger
    from cardhour_billing.usage.store import opened_warehouse
    from cardhour_contract.clock import SystemClock

    order = CloseOrder(
        month=parse_month(month),
        who=login_name(),
        customers=(customer,) if customer else (),
        issue=issue,
        within_grace=within_grace,
    )
    with answering(), opened_warehouse(config) as warehouse, _progress() as told:
        report = close_month(
            order, ledger=WarehouseLedger(warehouse), clock=SystemClock(), settings=config.billing, progress=told
        )
        keep_report(order, report, clock=SystemClock())
    if checklist:
        print_rows(check_rows(report), form, columns=CHECK_COLUMNS)
    elif form == "table":
        print_report(report)
    elif form == "csv":
        print_rows(line_rows(report), "csv", columns=LINE_COLUMNS)
    else:
        print_rows([invoice_json(each) for each in report.invoices], "json")
    if form != "table":
        for warning in report.warnings:
            notes().print(f"Note: {warning}.")
    if issue and report.blocked:
        names = ", ".join(each.customer for each in report.blocked)
        raise click.ClickException(f"not issued: {names}; the checklist says why and what to do")


@contextmanager
def _progress() -> Iterator[Told]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=notes(), transient=True) as bar:
        task = bar.add_task("", total=None)

        def told(what: str, done: int, of: int) -> None:
            bar.update(task, description=what, completed=done, total=of)

        yield told
