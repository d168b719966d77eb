"""``cardhour credit-note``: what is given back of an issued invoice."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from cardhour_billing.commands.asking import asked
from cardhour_billing.figures import grouped
from cardhour_billing.store import answering, open_store
from cardhour_billing.table import console, format_option, notes, print_rows
from cardhour_contract.errors import Refuse

if TYPE_CHECKING:
    from cardhour_billing.frozen.credit_line import CreditLine
    from cardhour_billing.invoices.crediting import Creditable
    from cardhour_billing.models import Invoice

REASONS = ("correction", "goodwill", "sla")
COLUMNS = ("number", "customer", "original", "reason", "state", "issue_date", "currency", "net", "tax", "total", "left")
LINE_COLUMNS = ("line", "what", "billed", "credited_before", "credit")
FIGURES = ("net", "tax", "total", "left")


@click.group("credit-note")
def credit_note() -> None:
    """Credit notes: what is given back of an issued invoice, and why."""


@credit_note.command("list")
@click.option("--customer", metavar="ID", default="", help="Only this customer.")
@format_option
def list_(customer: str, form: str) -> None:
    """Drafted and issued credit notes, newest last, with what is left of each to use."""
    open_store()
    from cardhour_billing.models import Invoice

    with answering():
        found = Invoice.objects.filter(kind=Invoice.Kind.CREDIT_NOTE).select_related("customer", "original")
        found = found.filter(customer__key=customer) if customer else found
        rows = [_row(each) for each in found.order_by("pk")]
    print_rows(rows, form, columns=COLUMNS, right=FIGURES)


@credit_note.command()
@click.argument("number", metavar="INVOICE")
@click.option("--line", "lines", metavar="N[=AMOUNT]", multiple=True, help="Give back this line, or so much of it.")
@click.option("--all", "everything", is_flag=True, help="Give back all that is left.")
@click.option("--reason", type=click.Choice(REASONS), required=True, help="Why.")
@format_option
def draft(number: str, lines: Sequence[str], everything: bool, reason: str, form: str) -> None:
    """Draft a credit note for INVOICE, in place of an earlier draft of it.

    Amounts are as the line has them: with tax where its price includes it. ``correction``: it was billed wrongly, and
    later months count from the corrected figure. ``goodwill`` and ``sla`` leave what was billed as it was.
    """
    if everything == bool(lines):
        raise click.UsageError("name the lines to give back, or give --all")
    open_store()
    from cardhour_billing.audit.log import login_name
    from cardhour_billing.documents.invoice_files import find_invoice
    from cardhour_billing.invoices.crediting import creditable, draft_credit
    from cardhour_contract.clock import SystemClock

    with answering():
        whole = creditable(find_invoice(number))
        wanted = whole.rest if everything else _lines(whole, lines)
        note = draft_credit(whole.invoice, wanted, reason, clock=SystemClock(), who=login_name())
        _show(note, whole, form)
    notes().print(f"Drafted. Issue it with: cardhour credit-note issue {number}")


@credit_note.command()
@click.argument("number", metavar="INVOICE")
@click.option("--yes", is_flag=True, help="Issue without asking.")
@format_option
def issue(number: str, yes: bool, form: str) -> None:
    """Issue the drafted credit note of INVOICE: it takes a number, and cannot be taken back.

    It is used for what is open of INVOICE; the rest stays with the customer (``cardhour payment allocate``).
    """
    open_store()
    from cardhour_billing.audit.log import login_name
    from cardhour_billing.documents.invoice_files import find_invoice
    from cardhour_billing.documents.rendering import render_missing
    from cardhour_billing.invoices.crediting import creditable, find_draft, issue_credit
    from cardhour_contract.clock import SystemClock

    clock, who = SystemClock(), login_name()
    with answering():
        invoice = find_invoice(number)
        drafted = find_draft(invoice)
        if drafted.reason == "correction":
            notes().print("Note: usage that is not retracted or bound otherwise is billed again with the next month.")
        whole = creditable(invoice)
        note = asked(
            lambda: issue_credit(find_draft(invoice), clock=clock, who=who),
            lambda rehearsed: _show(rehearsed, whole, form),
            "Issue it?",
            yes=yes,
        )
        render_missing(clock, who=who)
    notes().print(f"Issued as {note.number}.")
    if form != "table":
        print_rows([_row(note)], form)


@credit_note.command()
@click.argument("number", metavar="INVOICE")
def discard(number: str) -> None:
    """Throw the draft of a credit note for INVOICE away."""
    open_store()
    from cardhour_billing.documents.invoice_files import find_invoice
    from cardhour_billing.invoices.crediting import find_draft

    with answering():
        find_draft(find_invoice(number)).delete()
    notes().print(f"The draft of a credit note for {number} is gone.")


def _lines(whole: Creditable, wanted: Sequence[str]) -> list[CreditLine]:
    """``N`` or ``N=AMOUNT`` of each; without an amount all that is left of the line."""
    from cardhour_billing.frozen.credit_line import CreditLine
    from cardhour_billing.money import read_amount

    shown = {str(line.position): line for line in whole.document.lines}
    found = []
    for each in wanted:
        name, given, text = each.partition("=")
        line = shown.get(name)
        if line is None:
            raise Refuse(f"{whole.document.number} has no line '{name}': it has {len(shown)}")
        amount = read_amount(text, whole.document.currency) if given else whole.left(line)
        found.append(CreditLine(position=line.position, amount=amount))
    return found


def _show(note: Invoice, whole: Creditable, form: str) -> None:
    """What the note gives back, line by line."""
    if form == "json":
        return
    shown = {line.source: line for line in _document(note).lines}
    rows = [
        {
            "line": line.position,
            "what": line.model or line.description,
            "billed": grouped(line.amount),
            "credited_before": grouped(str(whole.earlier[line.position])),
            "credit": grouped(credit.amount),
        }
        for line in whole.document.lines
        if (credit := shown.get(f"credit:{whole.document.number}:{line.position}"))
    ]
    title = f"Credit note for {whole.document.number}, {note.reason}, {note.currency}"
    print_rows(rows, form, columns=LINE_COLUMNS, right=LINE_COLUMNS[2:], title=title)
    if form == "table":
        row = _row(note)
        console().print(f"Net {grouped(row['net'])}, tax {grouped(row['tax'])}, total {grouped(row['total'])}")


def _document(note: Invoice) -> Any:
    from cardhour_billing.frozen.document import decode

    return decode(bytes(note.frozen))


def _row(note: Invoice) -> dict[str, Any]:
    from cardhour_billing.money import Money
    from cardhour_billing.receivables.allocating import left_of

    return {
        "number": note.number,
        "customer": note.customer.key,
        "original": note.original.number if note.original else None,
        "reason": note.reason or None,
        "state": note.state,
        "issue_date": note.issue_date.isoformat() if note.issue_date else None,
        "currency": note.currency,
        **{name: str(Money(amount=getattr(note, name), currency=note.currency)) for name in ("net", "tax", "total")},
        "left": str(left_of(note)) if note.state == "issued" else None,
    }
