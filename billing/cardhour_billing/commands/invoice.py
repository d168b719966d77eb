"""``cardhour invoice``: invoices by number: which there are, what one says, its files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cardhour_billing.figures import grouped
from cardhour_billing.store import answering, open_store
from cardhour_billing.table import console, format_option, notes, print_rows
from cardhour_contract.errors import Refuse

if TYPE_CHECKING:
    from datetime import date

    from cardhour_billing.frozen.document import InvoiceDocument
    from cardhour_billing.models import Invoice

STATES = ("draft", "open", "part-paid", "paid", "overdue", "void")

COLUMNS = (
    "number", "kind", "customer", "month", "state", "issue_date", "due_date", "currency", "net", "tax", "total", "open",
)  # fmt: skip
AMOUNTS = ("net", "tax", "total")
REISSUED_COLUMNS = ("customer", "month", "number", "state", "currency", "total", "instead_of")
LINE_COLUMNS = ("position", "kind", "what", "quantity", "unit", "unit_price", "amount", "days", "cards")


@click.group()
def invoice() -> None:
    """Invoices: which there are, what one says, its files."""


@invoice.command("list")
@click.option("--month", metavar="YYYY-MM", default="", help="Only this month.")
@click.option("--customer", metavar="ID", default="", help="Only this customer.")
@click.option("--state", type=click.Choice(STATES), help="Only what stands so today.")
@format_option
def list_(month: str, customer: str, state: str | None, form: str) -> None:
    """Drafts, invoices and credit notes, newest month first, with how each stands today."""
    open_store()
    from cardhour_billing.models import Invoice
    from cardhour_billing.receivables.standing import in_state, today, with_standing
    from cardhour_contract.clock import SystemClock

    with answering():
        found = with_standing(Invoice.objects.select_related("customer"))
        found = found.order_by("-period", "number", "customer__key")
        found = found.filter(period=month) if month else found
        found = found.filter(customer__key=customer) if customer else found
        day = today(SystemClock())
        found = in_state(found, state, day) if state else found
        rows = [_listed(each, day) for each in found]
    print_rows(rows, form, columns=COLUMNS, right=(*AMOUNTS, "open"))


def _listed(invoice: Invoice, day: date) -> dict[str, Any]:
    from cardhour_billing.money import Money
    from cardhour_billing.receivables.standing import standing

    stands = standing(invoice, day)
    return {
        "number": invoice.number,
        "kind": invoice.kind,
        "customer": invoice.customer.key,
        "month": invoice.period,
        "state": stands.state,
        "issue_date": invoice.issue_date.isoformat() if invoice.issue_date else None,
        "due_date": invoice.due_date.isoformat() if invoice.due_date else None,
        "currency": invoice.currency,
        **{name: str(Money(amount=getattr(invoice, name), currency=invoice.currency)) for name in AMOUNTS},
        "open": str(stands.left) if stands.state != "draft" else None,
    }


@invoice.command()
@click.argument("number", metavar="NUMBER")
@format_option
def show(number: str, form: str) -> None:
    """What an issued invoice says, line by line."""
    open_store()
    from cardhour_billing.documents.invoice_files import absent, find_invoice
    from cardhour_billing.frozen.document import decode
    from cardhour_billing.models import RenderedDocument

    with answering():
        found = find_invoice(number)
        lacking = absent(found)
        files = [(each.format, each.sha256) for each in RenderedDocument.objects.filter(invoice=found)]
    document = decode(bytes(found.frozen))
    rows: list[dict[str, Any]] = [
        {
            "position": line.position,
            "kind": line.kind,
            "what": line.model if line.kind == "usage" else line.description,
            "source": line.source,
            "quantity": line.printed_quantity,
            "unit": line.unit,
            "unit_price": line.unit_price,
            "amount": line.amount,
            "days": len(line.days),
            "cards": len(line.cards) or None,
        }
        for line in document.lines
    ]
    title = f"{number}, {document.customer.name}, {document.period.first_day} to {document.period.last_day}"
    print_rows(rows, form, columns=LINE_COLUMNS, right=("quantity", "unit_price", "amount"), title=title)
    if form == "table":
        _print_sums(document)
        for name, sha256 in files:
            if name in lacking:
                console().print(f"{name}: none, because {lacking[name]}")
                continue
            console().print(f"{name}: SHA-256 {sha256}")


def _print_sums(document: InvoiceDocument) -> None:
    out = console()
    out.print(f"Net {grouped(document.net)} {document.currency}")
    for row in document.tax:
        out.print(f"Tax {row.rate_percent}% of {grouped(row.net)}: {grouped(row.tax)} {document.currency}")
    out.print(f"Total {grouped(document.total)} {document.currency}, due {document.due_date}")


@invoice.command()
@click.argument("number", metavar="NUMBER")
@click.option("--to", "folder", metavar="DIR", type=click.Path(path_type=Path), default=".", help="Folder to write to.")
@format_option
def save(number: str, folder: Path, form: str) -> None:
    """Write the files of an issued invoice: PDF, CSV and XML byte for byte as they were issued, and a workbook.

    XML is EN 16931 in UBL 2.1; where a document cannot be said in it, the reason is told.
    """
    open_store()
    from cardhour_billing.audit.log import login_name
    from cardhour_billing.documents.invoice_files import absent, find_invoice, save_files
    from cardhour_contract.clock import SystemClock

    with answering():
        found = find_invoice(number)
        files = save_files(found, folder, SystemClock(), who=login_name())
        lacking = absent(found)
    print_rows([{"file": str(file), "bytes": file.stat().st_size} for file in files], form)
    for name, why in lacking.items():
        notes().print(f"No {name}: {why}")


@invoice.command()
@click.argument("numbers", metavar="[NUMBER]...", nargs=-1)
@click.option("--month", metavar="YYYY-MM", default="", help="Every invoice of this month, drafts too.")
@click.option("--file", "files", multiple=True, type=click.Path(path_type=Path), help="An XML file, of any origin.")
@format_option
def check(numbers: tuple[str, ...], month: str, files: tuple[Path, ...], form: str) -> None:
    """Check electronic invoices (UBL 2.1) against the official rules of EN 16931, and against ours.

    Named by number, by month or as files. A draft is checked as if it were issued today, so that what is missing is
    known before. Exit code 1 where one breaks a rule or cannot be said in EN 16931.
    """
    open_store()
    from cardhour_billing.einvoice.checking import checked
    from cardhour_billing.einvoice.finding import Finding

    if not (numbers or month or files):
        raise Refuse("name what to check: invoice numbers, --month or --file")
    with answering():
        rows = [
            {"document": name, "severity": each.severity, "rule": each.rule, "finding": each.text}
            for name, findings in checked(numbers, month, files)
            for each in findings or [Finding(rule="", severity="passed", text="")]
        ]
    print_rows(rows, form, columns=("document", "severity", "rule", "finding"))
    bad = {row["document"] for row in rows if row["severity"] == "fatal"}
    if bad:
        raise click.ClickException(f"{len(bad)} of {len({row['document'] for row in rows})} documents do not pass")


@invoice.command()
@click.argument("number", metavar="NUMBER")
@click.option("--because", metavar="TEXT", default="", help="Why: it is kept in the audit log.")
@click.option("--yes", is_flag=True, help="Void it without asking.")
@format_option
def void(number: str, because: str, yes: bool, form: str) -> None:
    """Give back all of an issued invoice, as if it had never been: a credit note over the whole of it.

    What paid it is free again. It cannot be undone; the month can be issued again (``cardhour invoice reissue``).
    """
    open_store()
    from cardhour_billing.audit.log import login_name
    from cardhour_billing.commands.asking import asked
    from cardhour_billing.documents.invoice_files import find_invoice
    from cardhour_billing.documents.rendering import render_missing
    from cardhour_billing.invoices.crediting import void as give_back
    from cardhour_billing.receivables.allocating import name_of, payers_of
    from cardhour_contract.clock import SystemClock

    clock, who = SystemClock(), login_name()
    with answering():
        found = find_invoice(number)
        paid_by = {name_of(source): str(amount) for source, amount in payers_of(found)}
        gifts = list(found.credit_notes.filter(reason__in=("goodwill", "sla"), state="issued"))
        note = asked(
            lambda: give_back(found, because=because, clock=clock, who=who),
            lambda rehearsed: _show_void(rehearsed, found, paid_by, gifts),
            f"Void {number}?",
            yes=yes,
        )
        render_missing(clock, who=who)
    print_rows([{"invoice": number, "state": "void", "credit_note": note.number}], form)


@invoice.command()
@click.argument("number", metavar="NUMBER")
@click.option("--yes", is_flag=True, help="Issue it; otherwise it is drafted and shown.")
@format_option
def reissue(number: str, yes: bool, form: str) -> None:
    """Draft the month of a void invoice again from what is known today, and with --yes issue it."""
    config = open_store()
    from cardhour_billing.audit.log import login_name
    from cardhour_billing.charges.finding import joined
    from cardhour_billing.closing.close import CloseOrder, close_month
    from cardhour_billing.documents.invoice_files import find_invoice
    from cardhour_billing.invoices.reissuing import reopen
    from cardhour_billing.month import parse_month
    from cardhour_billing.usage.ledger import WarehouseLedger
    from cardhour_billing.usage.store import opened_warehouse
    from cardhour_contract.clock import SystemClock

    clock, who = SystemClock(), login_name()
    with answering(), opened_warehouse(config) as warehouse:
        void_one = find_invoice(number)
        reopen(void_one, clock=clock, who=who)
        order = CloseOrder(
            month=parse_month(void_one.period),
            who=who,
            customers=(void_one.customer.key,),
            issue=yes,
            within_grace=True,
        )
        report = close_month(order, ledger=WarehouseLedger(warehouse), clock=clock, settings=config.billing)
    rows = [
        {
            "customer": each.customer,
            "month": void_one.period,
            "number": each.document.number,
            "state": each.document.state,
            "currency": each.document.currency,
            "total": each.document.total,
            "instead_of": number,
        }
        for each in report.invoices
    ]
    print_rows(rows, form, columns=REISSUED_COLUMNS, right=("total",))
    for each in report.blocked:
        raise click.ClickException(f"not issued: {joined(each.findings)}")
    if not rows:
        notes().print(f"There is nothing to bill for {void_one.period} any more.")
    elif not yes:
        notes().print(f"Drafted. Issue it with: cardhour invoice reissue {number} --yes")


def _show_void(note: Invoice, found: Invoice, paid_by: dict[str, str], gifts: list[Invoice]) -> None:
    from cardhour_billing.money import Money

    total = Money(amount=-note.total, currency=note.currency)
    notes().print(f"{found.number} of {found.customer.key}: {grouped(str(total))} {note.currency} is given back.")
    for name, amount in paid_by.items():
        notes().print(f"{name} paid {grouped(amount)} of it, which is free again as far as nothing else is credited.")
    for gift in gifts:
        notes().print(f"{gift.number} ({gift.reason}) goes with it: give it again on the re-issue if it still holds.")
