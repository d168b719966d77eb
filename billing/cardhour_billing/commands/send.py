"""``cardhour send``: issued invoices by e-mail, once each."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import click

from cardhour_billing.store import answering, open_store
from cardhour_billing.table import format_option, notes, print_rows
from cardhour_contract.errors import CardHourError, Refuse
from cardhour_contract.moment import format_rfc3339

if TYPE_CHECKING:
    from cardhour_billing.models import Invoice
    from cardhour_billing.sending.mailing import Fate

COLUMNS = ("number", "customer", "to", "state", "at", "detail")
MONTH = re.compile(r"\d{4}-\d\d")


@click.command()
@click.argument("what", metavar="YYYY-MM|INVOICE...", nargs=-1, required=True)
@click.option("--dry-run", is_flag=True, help="Show what would be sent, and send nothing.")
@click.option("--again", is_flag=True, help="Also what was sent before, or may have been.")
@click.option("--yes", is_flag=True, help="Send without asking.")
@format_option
def send(what: tuple[str, ...], dry_run: bool, again: bool, yes: bool, form: str) -> None:
    """Send issued invoices by e-mail, with their PDF: of a month, or by number.

    What was sent is not sent again; what was refused is. Each mail and the server's answer are kept.
    """
    config = open_store()
    from cardhour_billing.audit.log import login_name
    from cardhour_billing.einvoice.gate import broken
    from cardhour_billing.sending.invoice_mail import invoice_letter, kept_xml, key_of
    from cardhour_billing.sending.mailing import check_sendable, fate_of, send
    from cardhour_contract.clock import SystemClock

    check_sendable(config.mail)
    with answering():
        found = [invoice for each in what for invoice in _invoices(each)]
        rows, ready = [], []
        wrong = broken(kept_xml(found))
        for invoice in found:
            fate = fate_of(key_of(str(invoice.number)))
            try:
                letter = invoice_letter(invoice)
                if str(invoice.number) in wrong:
                    raise Refuse(wrong[str(invoice.number)])
            except Refuse as error:
                rows.append(_row(invoice, "cannot be sent", detail=str(error)))
                continue
            if fate.open or again:
                ready.append((invoice, letter))
                rows.append(_row(invoice, "to send", detail=f"last try: {fate.detail}" if fate.detail else ""))
            else:
                rows.append(_row(invoice, fate.state, fate))
        if dry_run or not ready or not yes:
            print_rows(rows, form, columns=COLUMNS)
        if dry_run or not ready:
            notes().print(f"{len(ready)} of {len(found)} invoices to send.")
            return
        if not yes:
            click.confirm(f"Send {len(ready)} invoices?", abort=True, err=True)
        sent: list[dict[str, Any]] = []
        for invoice, letter in ready:
            try:
                fate = send(invoice.customer, letter, config.mail, clock=SystemClock(), who=login_name(), again=again)
            except CardHourError as error:
                sent.append(_row(invoice, "cannot be sent", detail=str(error)))
            else:
                sent.append(_row(invoice, fate.state, fate))
            notes().print(f"{invoice.number}: {sent[-1]['state']}")
    done = {row["number"]: row for row in sent}
    print_rows([done.get(row["number"], row) for row in rows], form, columns=COLUMNS)
    _finish([done.get(row["number"], row) for row in rows])


def _finish(rows: list[dict[str, Any]]) -> None:
    wrong = [row["number"] for row in rows if row["state"] != "sent"]
    if wrong:
        raise click.ClickException(f"not known to be sent: {', '.join(wrong)}; the detail says why")


def _invoices(what: str) -> list[Invoice]:
    from cardhour_billing.documents.invoice_files import find_invoice
    from cardhour_billing.models import Invoice
    from cardhour_billing.month import parse_month

    if not MONTH.fullmatch(what):
        return [find_invoice(what)]
    month = str(parse_month(what))
    issued = Invoice.objects.filter(period=month, state=Invoice.State.ISSUED)
    found = list(issued.select_related("customer", "issuer").order_by("number"))
    if not found:
        raise Refuse(f"no invoice of {month} is issued yet: cardhour close {month} --issue does it")
    return found


def _row(invoice: Invoice, state: str, fate: Fate | None = None, detail: str = "") -> dict[str, Any]:
    from cardhour_billing.sending.invoice_mail import addresses

    return {
        "number": invoice.number,
        "customer": invoice.customer.key,
        "to": ", ".join(addresses(invoice.customer)) or None,
        "state": state,
        "at": format_rfc3339(fate.at_ms) if fate and fate.at_ms is not None else None,
        "detail": (fate.detail if fate else detail) or None,
    }
