"""``cardhour ledger``: is the ledger what raw facts give, and what was left out of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from cardhour_billing.config import load_config
from cardhour_billing.span import span_options
from cardhour_billing.table import format_option, notes, print_rows
from cardhour_billing.usage.store import opened_warehouse
from cardhour_contract.moment import HOUR_MS, format_rfc3339, parse_rfc3339


@click.group()
def ledger() -> None:
    """The ledger's pages beside the raw facts they were computed from."""


@ledger.command()
@span_options("an hour")
@format_option
def rebuild(from_: str, to: str, form: str) -> None:
    """Compute every page between two times anew from raw.

    A rebuild of settled hours gives identical pages. Pages whose raw rows have expired are kept as they are.
    """
    from_ms, until_ms = parse_rfc3339(from_), parse_rfc3339(to)
    with opened_warehouse(load_config()) as warehouse, _bar("computing pages") as told:
        from cardhour_ingest.warehouse import compare as pages

        done = pages.rebuild(warehouse, from_ms, until_ms, progress=told)
    columns = ("pages", "changed", "sealed", "breached")
    print_rows([{name: getattr(done, name) for name in columns}], form, columns=columns)
    if done.breached:
        raise click.ClickException(f"{done.breached} pages do not add up: they were left as they were")


@ledger.command()
@span_options("an hour")
@format_option
def compare(from_: str, to: str, form: str) -> None:
    """Compare every page between two times with what raw gives now, and change none.

    Differences are printed and recorded; the exit code is 1 where there are any. `cardhour ledger rebuild` mends them.
    """
    from_ms, until_ms = parse_rfc3339(from_), parse_rfc3339(to)
    with opened_warehouse(load_config()) as warehouse, _bar("comparing pages") as told:
        from cardhour_ingest.warehouse import compare as pages
        from cardhour_ingest.warehouse.rollup import roll_up

        roll_up(warehouse)
        found = pages.compare(warehouse, from_ms, until_ms, progress=told)
    rows = [
        {"hour": format_rfc3339(each.hour * HOUR_MS), "card": each.card, "ledger": each.ledger, "raw": each.raw}
        for each in found
    ]
    print_rows(rows, form, columns=("hour", "card", "ledger", "raw"))
    if found:
        raise click.ClickException(
            f"{len(found)} pages are not what raw gives: run cardhour ledger rebuild, after a look"
        )


@ledger.command()
@span_options("an hour")
@format_option
def conflicts(from_: str, to: str, form: str) -> None:
    """What nodes said of cards that were at home on another node.

    None of it counts. `cardhour card move` decides where a card is at home.
    """
    from_ms, until_ms = parse_rfc3339(from_), parse_rfc3339(to)
    with opened_warehouse(load_config()) as warehouse:
        from cardhour_ingest.warehouse import conflicts as claims

        found = claims.conflicts(warehouse, from_ms, until_ms)
    rows = [
        {
            "card": each.card,
            "node": each.node,
            "home": each.home,
            "from": format_rfc3339(each.from_ms),
            "to": format_rfc3339(each.to_ms),
            "usage_rows": each.usage_rows,
            "card_rows": each.card_rows,
            "held_us": each.held_us,
        }
        for each in found
    ]
    print_rows(rows, form, columns=("card", "node", "home", "from", "to", "usage_rows", "card_rows", "held_us"))


@ledger.command()
@click.option("--dry-run", is_flag=True, help="Say what would go, and drop nothing.")
@format_option
def expire(dry_run: bool, form: str) -> None:
    """Drop raw rows that arrived longer ago than [ingest] raw_days. Pages stay, and can then no longer be corrected.

    `cardhour-ingest run` does this once a day.
    """
    with opened_warehouse(load_config()) as warehouse:
        from cardhour_contract.clock import SystemClock
        from cardhour_ingest.retention import expire_raw

        days = expire_raw(warehouse, SystemClock(), dry_run=dry_run)
    rows = [
        {
            "day": each.day.isoformat(),
            "usage_rows": each.usage_rows,
            "card_rows": each.card_rows,
        }
        for each in days
    ]
    print_rows(rows, form, columns=("day", "usage_rows", "card_rows"))
    notes().print(f"{len(days)} days of raw rows {'would go' if dry_run else 'are gone'}.")


@contextmanager
def _bar(what: str) -> Iterator[Callable[[int, int], None]]:
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=notes(), transient=True) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, of: bar.update(task, completed=done, total=of)
