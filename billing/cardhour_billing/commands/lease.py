"""``cardhour lease``: which leases there are, what one says and costs, and moving its end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from cardhour_billing.figures import grouped
from cardhour_billing.store import answering, open_store
from cardhour_billing.table import console, format_option, notes, print_rows
from cardhour_contract.errors import Refuse
from cardhour_contract.moment import format_rfc3339, parse_rfc3339

if TYPE_CHECKING:
    from cardhour_billing.effects.lease_change import LeaseChange
    from cardhour_billing.leases.lease import LeaseRow

LIST_COLUMNS = (
    "lease", "customer", "state", "model", "count", "kind", "per", "amount", "currency", "billed", "from", "to",
)  # fmt: skip
CHANGE_COLUMNS = ("period", "until", "currency", "before", "after", "difference", "billed", "to_bill")


@click.group()
def lease() -> None:
    """Leases: cards that customers pay for by time."""


@lease.command("list")
@click.option("--customer", metavar="ID", default="", help="Only this customer's.")
@click.option("--all", "ended", is_flag=True, help="Those that have ended, too.")
@format_option
def list_(customer: str, ended: bool, form: str) -> None:
    """The leases in force and to come."""
    open_store()
    from cardhour_billing.catalog.current_terms import current_leases
    from cardhour_contract.clock import SystemClock

    now_ms = SystemClock().now_ms()
    with answering():
        rows = [_row(each, now_ms) for each in current_leases() if customer in ("", each.customer)]
    shown = [row for row in rows if ended or row["state"] != "ended"]
    print_rows(shown, form, columns=LIST_COLUMNS, right=("amount",))


@lease.command()
@click.argument("key", metavar="LEASE")
@format_option
def show(key: str, form: str) -> None:
    """What a lease says, and what documents billed of it."""
    open_store()
    from cardhour_billing.catalog.current_terms import lease_row
    from cardhour_billing.catalog.lease import lease_text
    from cardhour_billing.charges.billed_before import lines_of_lease
    from cardhour_billing.effects.lease_change import find_lease, history

    with answering():
        row = find_lease(key)
        lines, versions = lines_of_lease(row), history(row)
        text = lease_text(lease_row(row))[1]
    if form == "table":
        out = console()
        out.print(f"Lease {key}. {text}.", soft_wrap=True)
        for name, places in (("Cards", row.cards), ("Nodes", row.nodes)):
            if places:
                out.print(f"{name}: {', '.join(places)}", soft_wrap=True)
        for version in versions[1:]:
            out.print(f"Before {version.superseded_at}: {lease_text(version.row)[1]}.", soft_wrap=True)
    columns = ("document", "line", "description", "first_day", "last_day", "quantity", "unit", "amount", "currency")
    print_rows(lines, form, columns=columns, right=("quantity", "amount"), title="Billed")


@lease.command()
@click.argument("key", metavar="LEASE")
@click.option("--to", metavar="T", default="", help="The new end, RFC 3339 with offset, on a quarter hour.")
@click.option("--months", type=click.IntRange(min=1, max=1200), help="Or so many months after the present end.")
@click.option("--yes", is_flag=True, help="Extend without asking.")
@format_option
def extend(key: str, to: str, months: int | None, yes: bool, form: str) -> None:
    """Move the end of a lease further on: shows what it will cost, then asks."""
    if bool(to) == bool(months):
        raise Refuse("say until when: --to T, or --months N")
    to_ms = parse_rfc3339(to) if to else None
    open_store()
    from cardhour_billing.effects.lease_change import extension

    with answering():
        _move(extension(key, to_ms=to_ms, months=months or 0), "lease.extend", yes=yes, form=form)


@lease.command()
@click.argument("key", metavar="LEASE")
@click.option("--at", metavar="T", required=True, help="The first instant that is no longer leased, RFC 3339.")
@click.option("--yes", is_flag=True, help="End it without asking.")
@format_option
def terminate(key: str, at: str, yes: bool, form: str) -> None:
    """End a lease early: shows what it gives back, then asks.

    What was billed in advance beyond that instant is credited with the next document, unless the lease is
    non-refundable.
    """
    at_ms = parse_rfc3339(at)
    open_store()
    from cardhour_billing.effects.lease_change import termination

    with answering():
        _move(termination(key, at_ms), "lease.terminate", yes=yes, form=form)


def _move(change: LeaseChange, action: str, *, yes: bool, form: str) -> None:
    from cardhour_billing.audit.log import login_name
    from cardhour_billing.effects.lease_change import record
    from cardhour_contract.clock import SystemClock

    rows = [
        {
            "period": format_rfc3339(each.period.start_ms),
            "until": format_rfc3339(each.period.end_ms),
            "currency": change.before.currency,
            **{
                name: _money(getattr(each, name), form)
                for name in ("before", "after", "difference", "billed", "to_bill")
            },
        }
        for each in change.periods
    ]
    title = f"Lease {change.before.key}: from {_end(change.before)} to {_end(change.after)}"
    print_rows(rows, form, columns=CHANGE_COLUMNS, right=CHANGE_COLUMNS[3:], title=title)
    if not yes:
        click.confirm("Record this?", abort=True, err=True)
    record(change, clock=SystemClock(), who=login_name(), action=action)
    notes().print(f"Recorded. Give the lease to = {_end(change.after)} in your catalog file too, if it is in one.")


def _row(row: LeaseRow, now_ms: int) -> dict[str, Any]:
    state = "to come" if now_ms < row.from_ms else "in force" if row.holds_at(now_ms) else "ended"
    return {
        "lease": row.key,
        "customer": row.customer,
        "state": state,
        "model": row.model,
        "count": row.count,
        "kind": "cards" if row.cards else "nodes" if row.nodes else "pool",
        "per": row.per,
        "amount": str(row.unit_price),
        "currency": row.currency,
        "billed": row.billing,
        "from": format_rfc3339(row.from_ms),
        "to": format_rfc3339(row.to_ms) if row.to_ms is not None else None,
    }


def _end(row: LeaseRow) -> str:
    return format_rfc3339(row.to_ms) if row.to_ms is not None else "no end"


def _money(value: Any, form: str) -> str:
    return grouped(str(value)) if form == "table" else str(value)
