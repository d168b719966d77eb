"""``cardhour report-mail``: the usage report that a login is mailed each month."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cardhour_billing.store import answering, open_store
from cardhour_billing.table import format_option, notes, print_rows

if TYPE_CHECKING:
    from cardhour_billing.models import ReportSubscription

COLUMNS = ("subscription", "login", "customer", "to", "rows", "format", "language", "since", "last")


@click.group("report-mail")
def report_mail() -> None:
    """Monthly usage reports by mail. The scheduler sends each once its month is closed."""


@report_mail.command("list")
@format_option
def list_(form: str) -> None:
    """Subscriptions, and what became of each one's last letter."""
    open_store()
    from cardhour_billing.usage_report.subscription import subscriptions

    with answering():
        rows = [_row(each) for each in subscriptions()]
    print_rows(rows, form, columns=COLUMNS)


@report_mail.command()
@click.argument("number", type=int)
@click.option("--month", metavar="YYYY-MM", help="Which month. [default: the last one]")
@click.option("--output", type=click.Path(path_type=Path), help="Write the report that would be attached there.")
def preview(number: int, month: str | None, output: Path | None) -> None:
    """Make the report of subscription NUMBER, and print the letter. Sends nothing."""
    config = open_store()
    from cardhour_billing.usage.store import opened_warehouse
    from cardhour_billing.usage_report.letter import report_letter
    from cardhour_billing.usage_report.mailing import key_of, report_of
    from cardhour_billing.usage_report.subscription import find_subscription
    from cardhour_contract.clock import SystemClock

    with answering():
        found = find_subscription(number)
        wanted = _month(found, month)
        made = report_of(found, wanted, config, lambda: opened_warehouse(config), SystemClock())
        letter = report_letter(key_of(found, wanted), found, made, config)
    click.echo(f"To: {', '.join(letter.recipients)}\nSubject: {letter.subject}\n\n{letter.text}")
    if output is not None:
        if made.content is None:
            raise click.ClickException(f"the report has {made.size:,} bytes: it goes as a link, and is not written")
        output.write_bytes(made.content)
    notes().print(f"{made.size:,} bytes; sent as {'an attachment' if made.content is not None else 'a link'}.")


@report_mail.command()
@click.argument("number", type=int)
@click.option("--month", metavar="YYYY-MM", help="Which month. [default: the last one]")
@click.option("--again", is_flag=True, help="Also what was sent before, or may have been.")
def send(number: int, month: str | None, again: bool) -> None:
    """Send the report of subscription NUMBER now, closed or not."""
    config = open_store()
    from cardhour_billing.audit.log import login_name
    from cardhour_billing.sending.mailing import check_sendable, send
    from cardhour_billing.usage.store import opened_warehouse
    from cardhour_billing.usage_report.letter import report_letter
    from cardhour_billing.usage_report.mailing import key_of, report_of
    from cardhour_billing.usage_report.subscription import find_subscription
    from cardhour_contract.clock import SystemClock

    with answering():
        check_sendable(config.mail)
        found, clock = find_subscription(number), SystemClock()
        wanted = _month(found, month)
        made = report_of(found, wanted, config, lambda: opened_warehouse(config), clock)
        letter = report_letter(key_of(found, wanted), found, made, config)
        fate = send(made.order.customer, letter, config.mail, clock=clock, who=login_name(), again=again)
    if fate.state != "sent":
        raise click.ClickException(f"not known to be sent: {fate.state}, {fate.detail}")
    click.echo(f"{wanted} to {found.user.email}: {fate.state}, {fate.detail}.")


@report_mail.command()
@click.argument("number", type=int)
def end(number: int) -> None:
    """End subscription NUMBER. What was sent stays in the log."""
    open_store()
    from cardhour_billing.audit.log import login_name
    from cardhour_billing.usage_report.subscription import find_subscription, unsubscribe
    from cardhour_contract.clock import SystemClock

    with answering():
        found = find_subscription(number)
        unsubscribe(found, clock=SystemClock(), who=login_name())
    click.echo(f"Ended subscription {number}.")


def _month(found: ReportSubscription, text: str | None) -> Any:
    from cardhour_billing.month import parse_month
    from cardhour_billing.usage_report.mailing import last_month
    from cardhour_billing.usage_report.subscription import customer_of
    from cardhour_contract.clock import SystemClock
    from cardhour_contract.errors import Refuse

    customer = customer_of(found)
    if customer is None:
        raise Refuse(f"{found.user.username} belongs to no customer any more")
    return parse_month(text) if text else last_month(customer, SystemClock())


def _row(each: ReportSubscription) -> dict[str, Any]:
    from cardhour_billing.sending.mailing import fate_of
    from cardhour_billing.usage_report.mailing import letters_of
    from cardhour_billing.usage_report.subscription import customer_of

    customer, last = customer_of(each), letters_of(each).first()
    return {
        "subscription": each.pk,
        "login": each.user.username,
        "customer": customer.key if customer else None,
        "to": each.user.email or None,
        "rows": each.grouping,
        "format": each.form,
        "language": each.language,
        "since": each.since,
        "last": f"{last.key[-7:]}: {fate_of(last.key).state}" if last else None,
    }
