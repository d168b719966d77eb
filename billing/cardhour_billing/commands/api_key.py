"""``cardhour api-key``: which programs may call the API, and for whom."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from cardhour_billing.store import answering, open_store
from cardhour_billing.table import format_option, notes, print_rows
from cardhour_contract.errors import Refuse
from cardhour_contract.moment import format_rfc3339

if TYPE_CHECKING:
    from django.contrib.auth.models import User

    from cardhour_billing.models import ApiKey, Customer

COLUMNS = ("key", "name", "owner", "scopes", "state", "created_at", "created_by", "expires_at", "last_used_at")


@click.group("api-key")
def api_key() -> None:
    """Keys of the API: which programs may ask, for whom, and what."""


@api_key.command()
@click.argument("name")
@click.option("--customer", metavar="ID", help="The key sees this customer.")
@click.option("--staff", metavar="LOGIN", help="The key sees every customer, reads only, and ends with this login.")
@click.option("--scope", "scopes", metavar="SCOPE", multiple=True, help="What it may do. May be repeated.")
@click.option("--days", default=365, show_default=True, help="How many days it is good for.")
def add(name: str, customer: str | None, staff: str | None, scopes: Sequence[str], days: int) -> None:
    """Make a key called NAME and print its token, once: it is kept nowhere."""
    if bool(customer) == bool(staff):
        raise click.UsageError("say either --customer ID or --staff LOGIN")
    open_store()
    from cardhour_billing.audit.log import login_name
    from cardhour_billing.logins.api_keys import add_key
    from cardhour_contract.clock import SystemClock

    with answering():
        owner = _owner(customer, staff)
        made, token = add_key(name, scopes, owner=owner, days=days, clock=SystemClock(), who=login_name())
    click.echo(token)
    notes().print(
        f"This is the only time that the token is shown. It is good until {format_rfc3339(made.expires_at_ms)}; "
        f"cardhour api-key revoke {made.prefix} ends it sooner."
    )


@api_key.command("list")
@click.option("--customer", metavar="ID", help="Only keys of this customer.")
@click.option("--staff", metavar="LOGIN", help="Only keys of this member of staff.")
@click.option("--all", "ended", is_flag=True, help="Also those that were revoked or have expired.")
@format_option
def list_(customer: str | None, staff: str | None, ended: bool, form: str) -> None:
    """Keys that are good, with what they may do and when they were used last."""
    open_store()
    from cardhour_billing.logins.api_keys import keys_of, state_of_key
    from cardhour_billing.models import ApiKey
    from cardhour_contract.clock import SystemClock

    with answering():
        found = keys_of(_owner(customer, staff)) if customer or staff else ApiKey.objects.order_by("-id")
        now_ms = SystemClock().now_ms()
        keys = [(each, state_of_key(each, now_ms)) for each in found.select_related("customer", "user")]
    print_rows([_row(each, state) for each, state in keys if ended or state == "good"], form, columns=COLUMNS)


@api_key.command()
@click.argument("key")
def revoke(key: str) -> None:
    """End KEY now, for good. KEY is the beginning of the token, as the list shows it."""
    open_store()
    from cardhour_billing.audit.log import login_name
    from cardhour_billing.logins.api_keys import find_key, revoke_key
    from cardhour_contract.clock import SystemClock

    with answering():
        found = find_key(key)
        if not revoke_key(found, clock=SystemClock(), who=login_name()):
            raise Refuse(f"{found.prefix} was revoked already")
    click.echo(f"Revoked {found.prefix}, '{found.name}'.")


def _owner(customer: str | None, staff: str | None) -> Customer | User:
    from django.contrib.auth.models import User

    from cardhour_billing.models import Customer

    if customer:
        found = Customer.objects.filter(key=customer).first()
        if found is None:
            raise Refuse(f"there is no customer '{customer}': cardhour catalog apply adds one")
        return found
    login = User.objects.filter(username=staff, is_staff=True).first()
    if login is None:
        raise Refuse(f"'{staff}' is no login of staff: cardhour user add {staff} --staff adds one")
    return login


def _row(key: ApiKey, state: str) -> dict[str, str | None]:
    used = key.last_used_at_ms
    return {
        "key": key.prefix,
        "name": key.name,
        "owner": key.customer.key if key.customer else f"staff {key.user}",
        "scopes": " ".join(key.scopes),
        "state": state,
        "created_at": format_rfc3339(key.created_at_ms),
        "created_by": key.created_by,
        "expires_at": format_rfc3339(key.expires_at_ms),
        "last_used_at": None if used is None else format_rfc3339(used),
    }
