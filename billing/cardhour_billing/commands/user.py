"""``cardhour user``: who may enter the portal, and what each may do there."""

from __future__ import annotations

import sys

import click

from cardhour_billing.store import answering, open_store
from cardhour_billing.table import format_option, print_rows

ROLES = ("viewer", "billing", "admin", "member")
COLUMNS = ("login", "of", "role", "active", "last_sign_in")


@click.group()
def user() -> None:
    """Logins of the portal."""


@user.command("list")
@format_option
def list_(form: str) -> None:
    """Every login, whose it is, and its role."""
    open_store()
    from cardhour_billing.logins.users import logins, owner_of, role_of

    with answering():
        rows = [
            {
                "login": login.username,
                "of": owner_of(login) or None,
                "role": role_of(login) or None,
                "active": login.is_active,
                "last_sign_in": login.last_login.isoformat(timespec="seconds") if login.last_login else None,
            }
            for login in logins()
        ]
    print_rows(rows, form, columns=COLUMNS)


@user.command()
@click.argument("name")
@click.option("--customer", metavar="ID", help="The login sees this customer's invoices.")
@click.option("--staff", is_flag=True, help="The login sees every customer, and the month close.")
@click.option(
    "--role",
    type=click.Choice(ROLES),
    help="What it may do. Staff: viewer looks, billing moves money, too (as without this option), admin manages logins "
    "and keys, too. A customer's: member looks (as without this option), admin manages its organisation's logins.",
)
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input instead of asking.")
def add(name: str, customer: str | None, staff: bool, role: str | None, password_stdin: bool) -> None:
    """Add login NAME, for one customer or for staff."""
    if bool(customer) == staff:
        raise click.UsageError("say either --customer ID or --staff")
    open_store()
    from cardhour_billing.audit.log import login_name
    from cardhour_billing.logins.users import add_user, role_of
    from cardhour_contract.clock import SystemClock

    if password_stdin:
        password = sys.stdin.readline().rstrip("\n")
    else:
        password = click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    with answering():
        login = add_user(name, password, customer=customer, role=role or "", clock=SystemClock(), who=login_name())
        given = role_of(login)
    click.echo(f"Added {name}, {'staff' if staff else f'for customer {customer}'}: {given}.")


@user.command("role")
@click.argument("name")
@click.argument("role", type=click.Choice(ROLES))
def role_(name: str, role: str) -> None:
    """Let login NAME do what ROLE may. It holds from the login's next page on."""
    open_store()
    from cardhour_billing.audit.log import login_name
    from cardhour_billing.logins.users import change_role
    from cardhour_contract.clock import SystemClock

    with answering():
        before = change_role(name, role, clock=SystemClock(), who=login_name())
    click.echo(f"{name} is {role} already." if before == role else f"{name} is {role} now; before: {before}.")


@user.command("reset-second-factor")
@click.argument("name")
def reset_second_factor(name: str) -> None:
    """Take the second factor of login NAME away, for whoever lost it. Make sure that it is they who ask."""
    open_store()
    from cardhour_billing.audit.log import login_name
    from cardhour_billing.logins.second_factor import reset
    from cardhour_billing.logins.users import find_login
    from cardhour_contract.clock import SystemClock

    with answering():
        had = reset(find_login(name), clock=SystemClock(), who=login_name())
    gone = f"The second factor of {name} is gone; {name} can set up another."
    click.echo(gone if had else f"{name} has no second factor.")


@user.command()
@click.argument("name")
def remove(name: str) -> None:
    """Take login NAME away. What it did stays in the audit log."""
    open_store()
    from cardhour_billing.audit.log import login_name
    from cardhour_billing.logins.users import remove_user
    from cardhour_contract.clock import SystemClock

    with answering():
        remove_user(name, clock=SystemClock(), who=login_name())
    click.echo(f"Removed {name}.")
