"""``cardhour events``: what happened that somebody outside should hear of, and whether they did."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click
import msgspec

from cardhour_billing.store import answering, open_store
from cardhour_billing.table import format_option, notes, print_rows
from cardhour_contract.errors import Refuse
from cardhour_contract.moment import format_rfc3339

if TYPE_CHECKING:
    from cardhour_billing.sending.events import Told

COLUMNS = ("id", "at", "customer", "kind", "detail", "state", "attempts", "outcome", "next_at")


@click.group()
def events() -> None:
    """What happened that somebody outside should hear of, and whether they did."""


@events.command("list")
@click.option("--customer", metavar="ID", default="", help="Only this customer.")
@click.option("--undelivered", is_flag=True, help="Only those that nobody has heard of yet.")
@format_option
def list_(customer: str, undelivered: bool, form: str) -> None:
    """Events, oldest first: low and exhausted balances, and what became of telling them."""
    open_store()
    from cardhour_billing.models import Event
    from cardhour_billing.sending.events import told
    from cardhour_contract.clock import SystemClock

    with answering():
        found = Event.objects.select_related("customer").order_by("id")
        found = found.filter(customer__key=customer) if customer else found
        rows = [
            _row(each, form)
            for each in told(list(found), SystemClock().now_ms())
            if not (undelivered and each.delivered)
        ]
    print_rows(rows, form, columns=COLUMNS)


@events.command()
@click.argument("ids", metavar="[ID]...", nargs=-1, type=int)
@format_option
def retry(ids: tuple[int, ...], form: str) -> None:
    """Tell events again now: those named, or all that nobody has heard of, also those that were given up."""
    config = open_store()
    from cardhour_billing.models import Event
    from cardhour_billing.sending.events import tell_now, told
    from cardhour_contract.clock import SystemClock

    if not config.webhook.url:
        raise Refuse("there is nobody to tell: set url and secret in [webhook]")
    with answering():
        found = Event.objects.select_related("customer").order_by("id")
        chosen = list(found.filter(pk__in=ids) if ids else found)
        missing = [str(each) for each in ids if each not in {event.pk for event in chosen}]
        if missing:
            raise Refuse(f"there is no event {', '.join(missing)}: cardhour events list shows those there are")
        wanting = [each.event for each in told(chosen, SystemClock().now_ms()) if ids or not each.delivered]
        done = [tell_now(each, config.webhook, SystemClock()) for each in wanting]
    print_rows([_row(each, form) for each in done], form, columns=COLUMNS)
    left = sum(not each.delivered for each in done)
    notes().print(f"{len(done) - left} of {len(done)} events delivered.")
    if left:
        raise click.ClickException(f"{left} events were not heard, with the outcomes above")


def _row(told: Told, form: str) -> dict[str, Any]:
    detail = told.event.detail
    return {
        "id": told.event.pk,
        "at": format_rfc3339(told.event.at_ms),
        "customer": told.event.customer.key,
        "kind": told.event.kind,
        "detail": detail if form == "json" else msgspec.json.encode(detail, order="sorted").decode(),
        "state": told.state,
        "attempts": told.attempts,
        "outcome": told.outcome or None,
        "next_at": format_rfc3339(told.next_at_ms) if told.next_at_ms is not None else None,
    }
