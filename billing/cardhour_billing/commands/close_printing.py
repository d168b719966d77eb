"""How a close is printed: its invoices, and the checklist by severity. Owns the forms; ``close`` has the command."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cardhour_billing.figures import grouped
from cardhour_billing.money import card_hours
from cardhour_billing.table import console, print_rows

if TYPE_CHECKING:
    from cardhour_billing.closing.close import CloseReport
    from cardhour_billing.closing.zone_close import ClosedInvoice

LINE_COLUMNS = (
    "customer", "number", "state", "currency", "total", "position", "kind", "source", "model", "description",
    "quantity_us", "quantity", "unit", "unit_price", "amount",
)  # fmt: skip

UNASSIGNED_SHOWN = 20
"""Largest unassigned uses in the printed checklist: more than a screen of them is read as a file."""

SEVERITIES = ("blocking", "warning", "fine")
HEADINGS = {
    "blocking": "Blocking: what these name cannot be issued",
    "warning": "Look at these before you issue",
    "fine": "Checked",
}
MARKS = {"blocking": "✗", "warning": "!", "fine": "✓"}


def invoice_json(closed: ClosedInvoice) -> dict[str, Any]:
    """One invoice, as the close prints it for programs."""
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
        "findings": [str(each) for each in closed.findings],
        "warnings": [str(each) for each in closed.warnings],
    }


def line_rows(report: CloseReport) -> list[dict[str, Any]]:
    """Every line of every invoice."""
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


def check_rows(report: CloseReport) -> list[dict[str, str]]:
    """The checklist, as the close prints it for programs."""
    return [
        {
            "severity": each.severity, "check": each.check, "what": each.what, "do": each.do, "customer": each.customer,
            "worth": each.worth, "card_hours": each.card_hours,
        }
        for each in report.checks
    ]  # fmt: skip


def print_report(report: CloseReport) -> None:
    """The invoices as a table, then the checklist."""
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
    if report.without_usage:
        console().print(f"Nothing to bill, so without invoice: {', '.join(report.without_usage)}")
    for customer, total in report.carried.items():
        sentence = (
            f"{grouped(str(total))} {total.currency} of {customer} is below the smallest invoice: carried forward"
        )
        console().print(sentence)
    _print_checks(report)
    _print_unassigned(report)


def _print_checks(report: CloseReport) -> None:
    """By severity; what to do stands under what was found."""
    out = console()
    for severity in SEVERITIES:
        own = [each for each in report.checks if each.severity == severity]
        if own:
            out.print(f"\n{HEADINGS[severity]}")
        for each in own:
            out.print(f"  {MARKS[severity]} {each.check}: {each.what}", soft_wrap=True)
            if each.do:
                out.print(f"    → {each.do}", soft_wrap=True)


def _print_unassigned(report: CloseReport) -> None:
    if not report.unassigned:
        return
    largest = sorted(report.unassigned, key=lambda each: -each.quantity_us)
    rows = [
        {
            "owner": each.owner,
            "model": each.model,
            "card-hours": _hours(each.quantity_us),
            "list value": f"{grouped(str(each.list_value))} {each.list_value.currency}" if each.list_value else None,
        }
        for each in largest[:UNASSIGNED_SHOWN]
    ]
    out = console()
    out.print("")
    whole = _hours(sum(each.quantity_us for each in largest))
    out.print(f"Unassigned usage: {whole} card-hours that no binding covers")
    print_rows(rows, "table", right=("card-hours", "list value"))
    if len(largest) > UNASSIGNED_SHOWN:
        out.print(f"… and {len(largest) - UNASSIGNED_SHOWN} more")


def _hours(quantity_us: int) -> str:
    return grouped(card_hours(quantity_us, decimals=2))
