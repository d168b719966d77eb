"""``cardhour balance``: where every card's time went."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from cardhour_billing.money import card_hours
from cardhour_billing.span import span_options
from cardhour_billing.store import answering, open_store
from cardhour_billing.table import console, format_option, print_rows
from cardhour_billing.usage.store import opened_warehouse
from cardhour_contract.errors import InvariantBroken
from cardhour_contract.moment import format_rfc3339, parse_rfc3339

if TYPE_CHECKING:
    from cardhour_ingest.warehouse.balance import CardTime, Unobserved

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
    was to account for: of a card from its first sight until it is retired, of an imported one all of it. A leased
    card's time is leased, whatever was done with it, but for what was faulted. Unobserved time is listed with its node,
    its reason, and since when, of leased cards too.
    """
    from_ms, until_ms = parse_rfc3339(from_), parse_rfc3339(to)
    config = open_store()
    with answering(), opened_warehouse(config) as warehouse:
        from cardhour_billing.catalog.current_terms import current_leases
        from cardhour_billing.leases.cover import Leases
        from cardhour_billing.leases.leased_time import leased_times
        from cardhour_contract.clock import SystemClock
        from cardhour_ingest.warehouse import balance as ledger
        from cardhour_ingest.warehouse.rollup import roll_up

        roll_up(warehouse)
        now_ms = SystemClock().now_ms()
        of_cards = leased_times(
            lambda start_ms, end_ms: ledger.decompose(warehouse, start_ms, end_ms, now_ms),
            Leases(current_leases()),
            from_ms,
            until_ms,
        )
        times = ledger.summed(of_cards, ledger.By(by))
        want_stretches = only_unobserved or form == "table"
        found = ledger.unobserved(warehouse, from_ms, until_ms, now_ms) if want_stretches else []
    if only_unobserved:
        print_rows([_stretch(each) for each in found], form, columns=STRETCH_COLUMNS)
        return
    print_rows([_row(each, by) for each in times], form, columns=(by, "span_us", *TERMS))
    if form == "table" and found:
        _print_longest(found)


def _row(time: CardTime, by: str) -> dict[str, Any]:
    name = getattr(time, by)
    if time.terms_us != time.span_us:
        raise InvariantBroken(f"the terms of {by} {name} add up to {time.terms_us}, and its time is {time.span_us}")
    return {by: name, "span_us": time.span_us} | {term: getattr(time, term) for term in TERMS}


def _stretch(each: Unobserved) -> dict[str, Any]:
    return {
        "card": each.card,
        "node": each.node,
        "model": each.model,
        "reason": each.reason,
        "since": format_rfc3339(each.since_ms),
        "until": format_rfc3339(each.until_ms),
        "unobserved_us": each.unobserved_us,
    }


def _print_longest(found: Sequence[Unobserved]) -> None:
    """The longest stretches, in the order of the list."""
    longest = sorted(range(len(found)), key=lambda at: -found[at].unobserved_us)[:STRETCHES_SHOWN]
    whole = card_hours(sum(each.unobserved_us for each in found), decimals=2)
    console().print("")
    shown = [_stretch(found[at]) for at in sorted(longest)]
    print_rows(shown, "table", columns=STRETCH_COLUMNS, title=f"Unobserved: {whole} card-hours")
    if len(found) > len(shown):
        console().print(f"… and {len(found) - len(shown)} more: --unobserved lists them all")
