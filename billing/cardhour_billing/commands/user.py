"""``cardhour user``: who may enter the portal, and what each may do there."""

from __future__ import annotations

import sys

import click

from cardhour_billing.store import answering, open_store
from cardhour_billing.table import format_option, print_rows

ROLES = ("viewer", "billing", "admin", "member")
COLUMNS = ("login", "of", "role", "email", "active", "invited_until", "last_sign_in")


@click.group()
def user() -> None:
    """Logins of the portal."""


@user.command("list")
@format_option
def list_(form: str) -> None:
    """Every login, whose it is, and its role."""
    open_store()
    from cardhour_billing.logins.invitation import invited_until_ms
    from cardhour_billing.logins.users import logins, owner_of, role_of
    from cardhour_contract.moment import format_rfc3339

    with answering():
        rows = [
            {
                "login": login.username,
                "of": owner_of(login) or None,
                "role": role_of(login) or None,
                "email": login.email or None,
                "active": login.is_active,
                "invited_until": None if (until := invited_until_ms(login)) is None else format_rfc3339(until),
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


@user.command()
@click.argument("email")
@click.option("--customer", metavar="ID", help="The login will see this customer's pages.")
@click.option("--staff", is_flag=True, help="The login will be of staff.")
@click.option("--role", type=click.Choice(ROLES), help="As in cardhour user add.")
@click.option("--again", is_flag=True, help="Write once more to who was invited; the link before is no good then.")
def invite(email: str, customer: str | None, staff: bool, role: str | None, again: bool) -> None:
    """Invite EMAIL: a login of that name, and a letter with a link to set its password.

    The link is good once, and for a week. It needs [mail], and [web] url to say where the portal is.
    """
    if not again and bool(customer) == staff:
        raise click.UsageError("say either --customer ID or --staff")
    config = open_store()
    from functools import partial

    from cardhour_billing.audit.log import login_name
    from cardhour_billing.logins import invitation
    from cardhour_billing.logins.users import customer_of_login
    from cardhour_billing.models import Customer
    from cardhour_billing.portal_links import portal_link
    from cardhour_contract.clock import SystemClock

    with answering():
        known = invitation.find_invited(email.strip().lower()) if again else None
        owner = customer_of_login(known) if known else Customer.objects.filter(key=customer).first()
        sending = invitation.Sending(
            settings=config.mail, link_of=partial(portal_link, config), language=owner.language if owner else "en"
        )
        if known:
            fate = invitation.invite_again(known, sending=sending, clock=SystemClock(), who=login_name())
        else:
            fate = invitation.invite(
                email, customer=customer, role=role or "", sending=sending, clock=SystemClock(), who=login_name()
            )
    if fate.state != "sent":
        raise click.ClickException(f"{email} is invited, but the letter is {fate.state}: {fate.detail}; use --again")
    click.echo(f"Invited {email}: {fate.detail}.")


@user.command("email")
@click.argument("name")
@click.argument("address")
def email_(name: str, address: str) -> None:
    """Write to login NAME at ADDRESS when it forgot its password; an empty ADDRESS for nowhere."""
    open_store()
    from cardhour_billing.audit.log import login_name
    from cardhour_billing.logins.users import set_email
    from cardhour_contract.clock import SystemClock

    with answering():
        set_email(name, address, clock=SystemClock(), who=login_name())
    click.echo(f"{name} is written to at {address}." if address else f"{name} has no address.")


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
