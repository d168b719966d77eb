"""``cardhour usage``: exact quantities out of the ledger."""

from __future__ import annotations

import click

from cardhour_billing.config import load_config
from cardhour_billing.money import card_hours
from cardhour_billing.table import format_option, print_rows
from cardhour_billing.usage.store import opened_warehouse
from cardhour_contract.moment import parse_rfc3339

GROUPS = ("owner", "model", "cluster", "node", "card", "workload", "day")


@click.command()
@click.option("--from", "from_", metavar="T", required=True, help="Start, RFC 3339 with offset, on a quarter hour.")
@click.option("--to", metavar="T", required=True, help="End, exclusive, likewise.")
@click.option("--by", default="owner", show_default=True, help=f"What to group by, with commas: {', '.join(GROUPS)}.")
@click.option("--timezone", default="UTC", show_default=True, help="Where days begin, with --by day.")
@format_option
def usage(from_: str, to: str, by: str, timezone: str, form: str) -> None:
    """Exact usage between two times, in card-microseconds and card-hours.

    held_us is the time on cards; billable_us is that time after sharing; active_us is the time the cards computed.
    """
    from_ms, until_ms = parse_rfc3339(from_), parse_rfc3339(to)
    groups = tuple(dict.fromkeys(each.strip() for each in by.split(",") if each.strip()))
    with opened_warehouse(load_config()) as warehouse:
        from cardhour_ingest.warehouse.rollup import roll_up
        from cardhour_ingest.warehouse.usage import usage as query

        roll_up(warehouse)
        rows = query(warehouse, from_ms, until_ms, by=groups, timezone=timezone)
    shown = [{**row, "card_hours": card_hours(row["billable_us"])} for row in rows]
    columns = (*groups, "held_us", "billable_us", "active_us", "card_hours")
    print_rows(shown, form, columns=columns, right=("card_hours",))
