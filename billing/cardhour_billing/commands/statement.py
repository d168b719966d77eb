"""``cardhour statement``: what a customer owes and why, to be sent, confirmed or disputed (对账单)."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cardhour_billing.figures import grouped
from cardhour_billing.store import answering, open_store
from cardhour_billing.table import format_option, notes, print_rows
from cardhour_contract.errors import Refuse

if TYPE_CHECKING:
    from cardhour_billing.models import Statement

COLUMNS = (
    "statement", "customer", "first_day", "last_day", "revision", "state", "currency", "opening", "closing", "disputed",
)  # fmt: skip
SUMS = ("opening", "closing")

day = click.DateTime(["%Y-%m-%d"])
key_argument = click.argument("key", metavar="STATEMENT", type=int)


@click.group()
def statement() -> None:
    """Statements of account (对账单): draw up, send, confirm, dispute."""


@statement.command()
@click.option("--customer", required=True, metavar="ID", help="Whose account.")
@click.option("--month", metavar="YYYY-MM", default="", help="A calendar month, in the customer's zone.")
@click.option("--from", "first", type=day, help="First day, instead of a month.")
@click.option("--to", "last", type=day, help="Last day, inclusive.")
@format_option
def draft(customer: str, month: str, first: datetime | None, last: datetime | None, form: str) -> None:
    """Draw up a statement of what is known now: documents whose supply period ends in the range, and payments in it.

    Drawing up again makes another revision; one that was sent stays as it was.
    """
    open_store()
    from cardhour_billing.audit.log import login_name
    from cardhour_billing.models import Customer
    from cardhour_billing.statements.sources import missing_months
    from cardhour_billing.statements.statement import draw_up
    from cardhour_contract.clock import SystemClock

    with answering():
        days = _range(month, first, last)
        found = Customer.objects.select_related("issuer").filter(key=customer).first()
        if found is None:
            raise Refuse(f"there is no customer '{customer}': cardhour catalog apply adds one")
        made = draw_up(found, *days, clock=SystemClock(), who=login_name())
        drafts = missing_months(found, *days)
        print_rows([_row(made, grouping=form == "table")], form, columns=COLUMNS, right=SUMS)
    if drafts:
        notes().print(f"Not in it: {', '.join(drafts)}, whose invoice is only a draft. Issue it with cardhour close.")
    notes().print(f"cardhour statement pdf {made.pk} writes its files.")


@statement.command("send-mark")
@key_argument
@click.option("--to", required=True, help="To whom, such as an e-mail address.")
def send_mark(key: int, to: str) -> None:
    """Record that a statement was sent."""
    open_store()
    from cardhour_billing.audit.log import login_name
    from cardhour_billing.statements.statement import find_statement, mark_sent
    from cardhour_contract.clock import SystemClock

    with answering():
        mark_sent(find_statement(key), to, clock=SystemClock(), who=login_name())
    notes().print(f"Statement {key} was sent to {to}.")


@statement.command()
@click.argument("keys", metavar="STATEMENT...", type=int, nargs=-1, required=True)
@click.option("--dry-run", is_flag=True, help="Show what would be sent, and send nothing.")
@click.option("--again", is_flag=True, help="Also what was sent before, or may have been.")
@click.option("--yes", is_flag=True, help="Send without asking.")
@format_option
def send(keys: tuple[int, ...], dry_run: bool, again: bool, yes: bool, form: str) -> None:
    """Mail statements with PDF and CSV, and a link by which the customer confirms or disputes.

    The link needs [web] url, where customers reach the portal; without it they are asked to answer the mail.
    """
    config = open_store()
    from cardhour_billing.audit.log import login_name
    from cardhour_billing.sending.mailing import check_sendable, fate_of
    from cardhour_billing.statements.mail import key_of, recipients_of, send_statement
    from cardhour_billing.statements.statement import find_statement
    from cardhour_contract.clock import SystemClock
    from cardhour_contract.errors import CardHourError

    clock = SystemClock()
    check_sendable(config.mail)
    with answering():
        found = [find_statement(key) for key in dict.fromkeys(keys)]
        to = {each.pk: ", ".join(recipients_of(each)) for each in found}
        fates = {each.pk: fate_of(key_of(each)) for each in found}
        ready = [each for each in found if fates[each.pk].open or again]
        if ready and not yes and not dry_run:
            for each in ready:
                notes().print(f"Statement {each.pk} to {to[each.pk]}")
            click.confirm(f"Send {len(ready)} statements?", abort=True, err=True)
        rows = []
        for each in found:
            state, detail = str(fates[each.pk].state), fates[each.pk].detail
            if each in ready and dry_run:
                state, detail = "to send", ""
            elif each in ready:
                try:
                    fate = send_statement(each, config.mail, config.web.url, clock=clock, who=login_name(), again=again)
                    state, detail = fate.state, fate.detail
                except CardHourError as error:
                    state, detail = "cannot be sent", str(error)
            row = {"statement": each.pk, "customer": each.customer.key, "to": to[each.pk]}
            rows.append(row | {"state": state, "detail": detail or None})
        print_rows(rows, form, columns=("statement", "customer", "to", "state", "detail"))
    wrong = [str(row["statement"]) for row in rows if row["state"] not in ("sent", "to send")]
    if wrong:
        raise click.ClickException(f"not known to be sent: {', '.join(wrong)}; the detail says why")


@statement.command()
@key_argument
@click.option("--by", required=True, help="Who confirmed it.")
def confirm(key: int, by: str) -> None:
    """Record that the customer agreed to a statement that was sent."""
    open_store()
    from cardhour_billing.audit.log import login_name
    from cardhour_billing.statements import statement as statements
    from cardhour_contract.clock import SystemClock

    with answering():
        statements.confirm(statements.find_statement(key), by, clock=SystemClock(), who=login_name())
    notes().print(f"Statement {key} is confirmed by {by}.")


@statement.command()
@key_argument
@click.option("--line", "lines", type=int, multiple=True, required=True, help="Position of a disputed line.")
@click.option("--reason", required=True, help="What the customer says of it.")
def dispute(key: int, lines: tuple[int, ...], reason: str) -> None:
    """Record that the customer disputes lines of a statement that was sent."""
    open_store()
    from cardhour_billing.audit.log import login_name
    from cardhour_billing.statements import statement as statements
    from cardhour_contract.clock import SystemClock

    with answering():
        statements.dispute(statements.find_statement(key), lines, reason, clock=SystemClock(), who=login_name())
    notes().print(f"Statement {key}: {len(lines)} lines are disputed.")


@statement.command("list")
@click.option("--customer", metavar="ID", default="", help="Only this customer.")
@click.option("--state", type=click.Choice(["draft", "sent", "confirmed", "disputed"]), help="Only these.")
@format_option
def list_(customer: str, state: str | None, form: str) -> None:
    """Statements with their state, by customer and range."""
    open_store()
    from cardhour_billing.models import Statement

    with answering():
        found = Statement.objects.select_related("customer").prefetch_related("events")
        found = found.filter(customer__key=customer) if customer else found
        rows = [row for each in found if state in (None, (row := _row(each, grouping=form == "table"))["state"])]
    print_rows(rows, form, columns=COLUMNS, right=SUMS)


@statement.command()
@key_argument
@click.option("--to", "folder", metavar="DIR", type=click.Path(path_type=Path), default=".", help="Folder to write to.")
@format_option
def pdf(key: int, folder: Path, form: str) -> None:
    """Write the PDF and the CSV of a statement."""
    open_store()
    from cardhour_billing.statements import csv as statement_csv
    from cardhour_billing.statements import pdf as statement_pdf
    from cardhour_billing.statements.statement import document_of, find_statement

    with answering():
        document = document_of(find_statement(key))
    name = f"statement-{document.customer.id}-{document.first_day}-{document.last_day}-r{document.revision}"
    files = {
        folder / f"{name}.pdf": statement_pdf.render(document),
        folder / f"{name}.csv": statement_csv.render(document),
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for file, content in files.items():
            file.write_bytes(content)
    except OSError as error:
        raise Refuse(f"{error.filename or folder} cannot be written: {error.strerror}") from error
    print_rows([{"file": str(file), "bytes": len(content)} for file, content in files.items()], form)


def _range(month: str, first: datetime | None, last: datetime | None) -> tuple[date, date]:
    from datetime import timedelta

    from cardhour_billing.month import parse_month

    if month and not first and not last:
        found = parse_month(month)
        return found.first_day, found.next.first_day - timedelta(days=1)
    if month or not first or not last:
        raise Refuse("give --month, or both --from and --to")
    return first.date(), last.date()


def _row(each: Statement, *, grouping: bool) -> dict[str, Any]:
    from cardhour_billing.money import Money

    events = list(each.events.all())
    sums = {name: str(Money(amount=getattr(each, name), currency=each.currency)) for name in SUMS}
    return {
        "statement": each.pk,
        "customer": each.customer.key,
        "first_day": each.first_day.isoformat(),
        "last_day": each.last_day.isoformat(),
        "revision": each.revision,
        "state": events[-1].kind if events else "draft",
        "currency": each.currency,
        **({name: grouped(text) for name, text in sums.items()} if grouping else sums),
        "disputed": "; ".join(f"{event.line}: {event.note}" for event in events if event.line) or None,
    }
