"""``cardhour balance``: where every card's time went."""

from __future__ import annotations

import click

from cardhour_billing.config import load_config
from cardhour_billing.money import card_hours
from cardhour_billing.span import span_options
from cardhour_billing.table import console, format_option, print_rows
from cardhour_billing.usage_store import opened_warehouse
from cardhour_contract.errors import InvariantBroken
from cardhour_contract.moment import format_rfc3339, parse_rfc3339

TERMS = ("billable_us", "leased_us", "idle_us", "faulted_us", "unobserved_us", "rounding_us")
STRETCH_COLUMNS = ("card", "node", "model", "reason", "since", "until", "unobserved_us")
STRETCHES_SHOWN = 20
"""Longest unobserved stretches under the printed balance: more than a screen of them is read with --unobserved."""


@click.command()
@span_options("a quarter hour")
@click.option(
    "--by",
    type=click.Choice(["card", "node", "model"]),
    default="card",
    show_default=True,
    help="What to sum by.",
)
@click.option("--unobserved", "only_unobserved", is_flag=True, help="The unobserved stretches in place of the balance.")
@format_option
def balance(from_: str, to: str, by: str, only_unobserved: bool, form: str) -> None:
    """Where the time of every card went between two times, in card-microseconds.

    billable_us, leased_us, idle_us, faulted_us, unobserved_us and rounding_us add up to span_us, the time that there
    was to account for: of a card from its first sight until it is retired, of an imported one all of it. Unobserved
    time is listed with its node, its reason, and since when.
    """
    from_ms, until_ms = parse_rfc3339(from_), parse_rfc3339(to)
    with opened_warehouse(load_config()) as warehouse:
        from cardhour_contract.clock import SystemClock
        from cardhour_ingest.warehouse import balance as ledger
        from cardhour_ingest.warehouse.rollup import roll_up

        roll_up(warehouse)
        now_ms = SystemClock().now_ms()
        times = ledger.summed(ledger.decompose(warehouse, from_ms, until_ms, now_ms), ledger.By(by))
        want_stretches = only_unobserved or form == "table"
        found = ledger.unobserved(warehouse, from_ms, until_ms, now_ms) if want_stretches else []
    wrong = [each for each in times if each.terms_us != each.span_us]
    if wrong:
        raise InvariantBroken(
            f"the terms of {getattr(wrong[0], by)} add up to {wrong[0].terms_us}, not {wrong[0].span_us}"
        )
    rows = [
        {by: getattr(each, by), "span_us": each.span_us} | {name: getattr(each, name) for name in TERMS}
        for each in times
    ]
    stretches = [
        {
            "card": each.card,
            "node": each.node,
            "model": each.model,
            "reason": each.reason,
            "since": format_rfc3339(each.since_ms),
            "until": format_rfc3339(each.until_ms),
            "unobserved_us": each.unobserved_us,
        }
        for each in found
    ]
    if not only_unobserved:
        print_rows(rows, form, columns=(by, "span_us", *TERMS))
    if only_unobserved:
        print_rows(stretches, form, columns=STRETCH_COLUMNS)
    elif form == "table" and stretches:
        longest = sorted(found, key=lambda each: -each.unobserved_us)[:STRETCHES_SHOWN]
        shown = [row for row, each in zip(stretches, found, strict=True) if each in longest]
        whole = card_hours(sum(each.unobserved_us for each in found), decimals=2)
        console().print("")
        print_rows(shown, form, columns=STRETCH_COLUMNS, title=f"Unobserved: {whole} card-hours")
        if len(stretches) > len(shown):
            console().print(f"… and {len(stretches) - len(shown)} more: --unobserved lists them all")
