"""``cardhour close``: a month's invoices, drafted or issued, and the checklist beside them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from cardhour_billing.figures import grouped
from cardhour_billing.money import card_hours
from cardhour_billing.store import answering, open_store
from cardhour_billing.table import console, format_option, notes, print_rows

if TYPE_CHECKING:
    from cardhour_billing.close import CloseReport
    from cardhour_billing.rendering import Told

LINE_COLUMNS = (
    "customer", "number", "state", "currency", "total", "position", "kind", "source", "model", "description",
    "quantity_us", "quantity", "unit", "unit_price", "amount",
)  # fmt: skip

UNASSIGNED_SHOWN = 20
"""Largest unassigned uses in the printed checklist: more than a screen of them is read as a file."""


@click.command()
@click.argument("month", metavar="YYYY-MM")
@click.option("--issue", is_flag=True, help="Issue: take numbers and freeze. It cannot be undone, only credited.")
@click.option("--customer", metavar="ID", default="", help="Only this customer.")
@click.option("--within-grace", is_flag=True, help="Issue although late usage may still come in (grace_hours).")
@format_option
def close(month: str, issue: bool, customer: str, within_grace: bool, form: str) -> None:
    """Draft, or issue, every customer's invoice for a month.

    A draft is recomputed each time. Issued invoices stay as they are, however often this runs.
    """
    config = open_store()
    from cardhour_billing.audit import login_name
    from cardhour_billing.close import CloseOrder, close_month
    from cardhour_billing.ledger import WarehouseLedger
    from cardhour_billing.month import parse_month
    from cardhour_billing.usage_store import opened_warehouse
    from cardhour_contract.clock import SystemClock

    order = CloseOrder(
        month=parse_month(month), who=login_name(), customer=customer, issue=issue, within_grace=within_grace
    )
    with answering(), opened_warehouse(config) as warehouse, _progress() as told:
        report = close_month(
            order, ledger=WarehouseLedger(warehouse), clock=SystemClock(), settings=config.billing, progress=told
        )
    if form == "table":
        _print_report(report)
    elif form == "csv":
        print_rows(_line_rows(report), "csv", columns=LINE_COLUMNS)
    else:
        print_rows([_invoice_json(each) for each in report.invoices], "json")
    for warning in report.warnings:
        notes().print(f"Note: {warning}.")
    if issue and report.blocked:
        names = ", ".join(each.customer for each in report.blocked)
        raise click.ClickException(f"not issued, for want of prices or tax data: {names}; add them and run this again")


def _invoice_json(closed: Any) -> dict[str, Any]:
    document = closed.document
    return {
        "customer": closed.customer,
        "number": document.number,
        "state": document.state,
        "currency": document.currency,
        "net": document.net,
        "tax": [{"category": row.category, "rate_percent": row.rate_percent, "tax": row.tax} for row in document.tax],
        "total": document.total,
        "lines": [
            {
                "kind": line.kind,
                "source": line.source,
                "model": line.model,
                "description": line.description,
                "quantity_us": line.quantity_us,
                "printed_quantity": line.printed_quantity,
                "unit": line.unit,
                "unit_price": line.unit_price,
                "amount": line.amount,
            }
            for line in document.lines
        ],
        "findings": list(closed.findings),
        "warnings": list(closed.warnings),
    }


def _line_rows(report: CloseReport) -> list[dict[str, Any]]:
    return [
        {
            "customer": each.customer,
            "number": each.document.number,
            "state": each.document.state,
            "currency": each.document.currency,
            "total": each.document.total,
            "position": line.position,
            "kind": line.kind,
            "source": line.source,
            "model": line.model,
            "description": line.description,
            "quantity_us": line.quantity_us,
            "quantity": line.printed_quantity,
            "unit": line.unit,
            "unit_price": line.unit_price,
            "amount": line.amount,
        }
        for each in report.invoices
        for line in each.document.lines
    ]


def _print_report(report: CloseReport) -> None:
    rows = [
        {
            "customer": each.customer,
            "number": each.document.number,
            "state": "blocked" if each.findings else each.document.state,
            "lines": len(each.document.lines),
            "card-hours": _hours(sum(line.quantity_us for line in each.document.lines)),
            "total": f"{grouped(each.document.total)} {each.document.currency}",
        }
        for each in report.invoices
    ]
    columns = ("customer", "number", "state", "lines", "card-hours", "total")
    print_rows(rows, "table", columns=columns, right=("card-hours", "total"), title=f"Invoices of {report.month}")
    out = console()
    for each in report.blocked:
        for finding in each.findings:
            out.print(f"  {each.customer}: {finding}")
    for each in report.invoices:
        for warning in each.warnings:
            out.print(f"  Note on {each.customer}: {warning}")
    if report.without_usage:
        out.print(f"Nothing to bill, so without invoice: {', '.join(report.without_usage)}")
    _print_checklist(report)


def _print_checklist(report: CloseReport) -> None:
    out = console()
    if report.unassigned:
        largest = sorted(report.unassigned, key=lambda each: -each.quantity_us)
        rows = [
            {
                "owner": each.owner,
                "model": each.model,
                "card-hours": _hours(each.quantity_us),
                "list value": f"{grouped(str(each.list_value))} {each.list_value.currency}"
                if each.list_value
                else None,
            }
            for each in largest[:UNASSIGNED_SHOWN]
        ]
        whole = _hours(sum(each.quantity_us for each in largest))
        out.print("")
        title = f"Unassigned usage: {whole} card-hours that no binding covers"
        print_rows(rows, "table", right=("card-hours", "list value"), title=title)
        if len(largest) > UNASSIGNED_SHOWN:
            out.print(f"… and {len(largest) - UNASSIGNED_SHOWN} more")
    if report.coverage is not None and report.coverage.cards:
        seen = report.coverage
        out.print("")
        out.print(
            f"{seen.cards:,} cards; not observed {_hours(seen.unobserved_us)} card-hours, "
            f"faulted {_hours(seen.faulted_us)} card-hours; unread messages (dead letters) {seen.dead_letters:,}"
        )
        if seen.breached_pages:
            out.print(f"{seen.breached_pages:,} ledger pages do not add up: nothing of this month can be issued")


def _hours(quantity_us: int) -> str:
    return grouped(card_hours(quantity_us, decimals=2))


@contextmanager
def _progress() -> Iterator[Told]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=notes(), transient=True) as bar:
        task = bar.add_task("", total=None)

        def told(what: str, done: int, of: int) -> None:
            bar.update(task, description=what, completed=done, total=of)

        yield told
