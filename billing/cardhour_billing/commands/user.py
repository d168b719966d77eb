"""``cardhour user``: who may enter the portal."""

from __future__ import annotations

import sys

import click

from cardhour_billing.store import answering, open_store
from cardhour_contract.errors import Refuse


@click.group()
def user() -> None:
    """Logins of the portal."""


@user.command()
@click.argument("name")
@click.option("--customer", metavar="ID", help="The login sees this customer's invoices.")
@click.option("--staff", is_flag=True, help="The login sees every customer, and the month close.")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input instead of asking.")
def add(name: str, customer: str | None, staff: bool, password_stdin: bool) -> None:
    """Add login NAME, for one customer or for staff."""
    if bool(customer) == staff:
        raise click.UsageError("say either --customer ID or --staff")
    open_store()
    from cardhour_billing.audit import login_name
    from cardhour_billing.users import add_user
    from cardhour_contract.clock import SystemClock

    if password_stdin:
        password = sys.stdin.readline().rstrip("\n")
    else:
        password = click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    with answering():
        add_user(name, password, customer=customer, clock=SystemClock(), who=login_name())
    click.echo(f"Added {name}, {'staff' if staff else f'for customer {customer}'}.")


@user.command()
@click.argument("name")
def remove(name: str) -> None:
    """Take login NAME away. What it did stays in the audit log."""
    open_store()
    from cardhour_billing.audit import login_name
    from cardhour_billing.users import remove_user
    from cardhour_contract.clock import SystemClock

    with answering():
        if not remove_user(name, clock=SystemClock(), who=login_name()):
            raise Refuse(f"there is no login '{name}'")
    click.echo(f"Removed {name}.")
