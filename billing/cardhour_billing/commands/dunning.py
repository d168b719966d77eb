"""``cardhour dunning``: reminders that are due, their words, and what was sent."""

from __future__ import annotations

from typing import Any

import click

from cardhour_billing.figures import grouped
from cardhour_billing.store import answering, open_store
from cardhour_billing.table import console, format_option, notes, print_rows
from cardhour_contract.moment import format_rfc3339

DUE_COLUMNS = ("customer", "invoice", "due_date", "days_overdue", "level", "currency", "open")
MAIL_COLUMNS = ("customer", "level", "invoices", "to", "state", "detail")
SENT_COLUMNS = ("customer", "invoice", "level", "day", "currency", "open", "sent_to", "sent_at", "who")


@click.group()
def dunning() -> None:
    """Reminders of overdue invoices: which are due, what they say, what was sent."""


@dunning.command()
@click.option("--customer", metavar="ID", default="", help="Only this customer.")
@format_option
def due(customer: str, form: str) -> None:
    """Invoices that a reminder is due for, with its level: as many as days of dunning_days have passed."""
    config = open_store()
    from cardhour_billing.dunning.due import due_reminders
    from cardhour_billing.receivables.standing import today
    from cardhour_contract.clock import SystemClock

    with answering():
        found = due_reminders(today(SystemClock()), config.billing.dunning_days, customer)
    rows: list[dict[str, Any]] = [
        {
            "customer": each.invoice.customer.key,
            "invoice": each.invoice.number,
            "due_date": each.invoice.due_date.isoformat() if each.invoice.due_date else None,
            "days_overdue": each.days_overdue,
            "level": each.level,
            "currency": each.left.currency,
            "open": grouped(str(each.left)) if form == "table" else str(each.left),
        }
        for each in found
    ]
    print_rows(rows, form, columns=DUE_COLUMNS, right=("open",))


@dunning.command()
@click.option("--customer", metavar="ID", default="", help="Only this customer.")
def text(customer: str) -> None:
    """What would be sent, a message for each customer and currency, in the customer's language."""
    config = open_store()
    from cardhour_billing.dunning.due import due_messages
    from cardhour_billing.receivables.standing import today
    from cardhour_contract.clock import SystemClock

    with answering():
        for message in due_messages(today(SystemClock()), config.billing.dunning_days, customer):
            console().print(f"== {message.customer.key}: {message.subject}", "", message.text, sep="\n")


@dunning.command()
@click.argument("customer", metavar="CUSTOMER")
@click.option("--to", "sent_to", metavar="TEXT", required=True, help="Where it was sent: an address, 'by phone'.")
@click.option("--yes", is_flag=True, help="Record it without asking.")
def record(customer: str, sent_to: str, yes: bool) -> None:
    """Keep that CUSTOMER was reminded of all that is due today by other means. Each level is reminded of once."""
    config = open_store()
    from cardhour_billing.audit.log import login_name
    from cardhour_billing.dunning.due import due_messages, record_sent
    from cardhour_billing.receivables.standing import today
    from cardhour_contract.clock import SystemClock
    from cardhour_contract.errors import Refuse

    clock = SystemClock()
    with answering():
        day = today(clock)
        messages = list(due_messages(day, config.billing.dunning_days, customer))
        if not messages:
            raise Refuse(f"no reminder is due for '{customer}': cardhour dunning due shows those that are")
        for message in messages:
            notes().print(f"{message.subject}: {', '.join(str(each.invoice.number) for each in message.reminders)}")
        if not yes:
            click.confirm("Record them as sent?", abort=True, err=True)
        for message in messages:
            record_sent(message, sent_to=sent_to, day=day, clock=clock, who=login_name())


@dunning.command()
@click.option("--customer", metavar="ID", default="", help="Only this customer.")
@format_option
def sent(customer: str, form: str) -> None:
    """Reminders that were sent, oldest first."""
    open_store()
    from cardhour_billing.models import Reminder
    from cardhour_billing.money import Money

    with answering():
        found = Reminder.objects.select_related("invoice__customer").order_by("pk")
        found = found.filter(invoice__customer__key=customer) if customer else found
        rows: list[dict[str, Any]] = [
            {
                "customer": each.invoice.customer.key,
                "invoice": each.invoice.number,
                "level": each.level,
                "day": each.day.isoformat(),
                "currency": each.invoice.currency,
                "open": str(Money(amount=each.left, currency=each.invoice.currency)),
                "sent_to": each.sent_to,
                "sent_at": format_rfc3339(each.sent_at_ms),
                "who": each.who,
            }
            for each in found
        ]
    print_rows(rows, form, columns=SENT_COLUMNS, right=("open",))


@dunning.command()
@click.option("--customer", metavar="ID", default="", help="Only this customer.")
@click.option("--dry-run", is_flag=True, help="Show what would be sent, and send nothing.")
@click.option("--yes", is_flag=True, help="Send without asking.")
@format_option
def send(customer: str, dry_run: bool, yes: bool, form: str) -> None:
    """Send what is due by e-mail, a message for each customer and currency, with the invoices it is about."""
    config = open_store()
    from cardhour_billing.audit.log import login_name
    from cardhour_billing.dunning.due import due_messages
    from cardhour_billing.dunning.mail import reminder_letter, send_reminder
    from cardhour_billing.receivables.standing import today
    from cardhour_billing.sending.mailing import check_sendable
    from cardhour_contract.clock import SystemClock
    from cardhour_contract.errors import CardHourError

    clock = SystemClock()
    check_sendable(config.mail)
    with answering():
        day = today(clock)
        rows: list[dict[str, Any]] = []
        ready = []
        for message in due_messages(day, config.billing.dunning_days, customer):
            row = {
                "customer": message.customer.key,
                "level": message.level,
                "invoices": ", ".join(str(each.invoice.number) for each in message.reminders),
            }
            rows.append(row)
            try:
                row["to"] = ", ".join(reminder_letter(message).recipients)
            except CardHourError as error:
                row |= {"state": "cannot be sent", "detail": str(error)}
            else:
                row["state"] = "to send"
                ready.append((message, row))
        if dry_run or not ready or not yes:
            print_rows(rows, form, columns=MAIL_COLUMNS)
        if dry_run or not ready:
            return
        if not yes:
            click.confirm(f"Send {len(ready)} reminders?", abort=True, err=True)
        for message, row in ready:
            try:
                fate = send_reminder(message, config.mail, day=day, clock=clock, who=login_name())
            except CardHourError as error:
                row |= {"state": "cannot be sent", "detail": str(error)}
            else:
                row |= {"state": fate.state, "detail": fate.detail}
    print_rows(rows, form, columns=MAIL_COLUMNS)
    wrong = [row["customer"] for row in rows if row["state"] != "sent"]
    if wrong:
        raise click.ClickException(f"not known to be sent: {', '.join(wrong)}; the detail says why")
