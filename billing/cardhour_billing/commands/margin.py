"""``cardhour margin``: what cards earned and cost in a month, and what a price cut would do."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import click

from cardhour_billing.figures import grouped
from cardhour_billing.money import PPM, card_hours, parse_percent
from cardhour_billing.store import answering, open_store
from cardhour_billing.table import console, format_option, notes, print_rows
from cardhour_contract.moment import format_rfc3339

if TYPE_CHECKING:
    from cardhour_billing.margin.margin import Margin
    from cardhour_billing.margin.month import MonthMargin


@click.command()
@click.option("--month", "months", metavar="YYYY-MM", multiple=True, required=True, help="May be given several times.")
@click.option(
    "--by", type=click.Choice(["model", "month"]), default="model", show_default=True, help="What a row is of."
)
@click.option("--price-cut", metavar="PERCENT", default="", help="Also: the same hours at prices so much lower.")
@format_option
def margin(months: tuple[str, ...], by: str, price_cut: str, form: str) -> None:
    """What cards earned and cost: card-hours, revenue, cost, gross margin, break-even utilisation.

    Costs are the [[cost]] tables of the catalog; revenue is what the month earned, without tax. docs/margin.md says
    what each figure means.
    """
    cut = Fraction(parse_percent(price_cut, below=100), PPM) if price_cut else None
    config = open_store()
    from cardhour_billing.margin.month import month_margin
    from cardhour_billing.margin.rows import CUT, HOURS, MONEY, figures
    from cardhour_billing.month import parse_month
    from cardhour_billing.usage.ledger import WarehouseLedger
    from cardhour_billing.usage.store import opened_warehouse
    from cardhour_contract.clock import SystemClock

    wanted = [parse_month(month) for month in dict.fromkeys(months)]
    with answering(), opened_warehouse(config) as warehouse:
        ledger, clock = WarehouseLedger(warehouse), SystemClock()
        ledger.settle()
        found = [month_margin(month, ledger, clock) for month in wanted]
    named = [
        {"month": str(each.month)} | _named(row, by) | figures(row, cut) for each in found for row in _of(each, by)
    ]
    keys = ("month", "model") if by == "model" else ("month",)
    if form == "table":
        _print(named, keys, HOURS, "Card-hours")
        _print(named, (*keys, "currency"), MONEY, "Money")
        if cut is not None:
            _print(named, keys, CUT, f"The same hours at prices {price_cut}% lower")
    else:
        print_rows(named, form, columns=(*keys, *HOURS, "currency", *MONEY, *(CUT if cut is not None else ())))
    for each in found:
        _note(each)


def _of(found: MonthMargin, by: str) -> Sequence[Margin]:
    """The rows of a month: its models, or all of them together."""
    from cardhour_billing.margin.margin import together

    if by == "model" or not found.margins:
        return found.margins
    return [together(str(found.month), found.margins)]


def _named(row: Margin, by: str) -> dict[str, str]:
    return {"model": row.name} if by == "model" else {}


def _print(rows: Sequence[dict[str, Any]], keys: Sequence[str], figures: Sequence[str], title: str) -> None:
    """One table of the figures named, for people: card-hours with two decimals, money grouped."""
    shown = [
        {key: row[key] for key in keys} | {_heading(name): _figure(name, row[name]) for name in figures} for row in rows
    ]
    print_rows(
        shown, "table", columns=(*keys, *map(_heading, figures)), right=tuple(map(_heading, figures)), title=title
    )
    console().print("")


def _heading(name: str) -> str:
    return name.removesuffix("_us").replace("_percent", " %").replace("_", " ")


def _figure(name: str, value: Any) -> str | None:
    if value is None:
        return None
    return grouped(card_hours(value, decimals=2) if name.endswith("_us") else value)


def _note(found: MonthMargin) -> None:
    if not found.ended:
        notes().print(f"Note: {found.month} has not ended: it is counted until {format_rfc3339(found.until_ms)}.")
    without = [each.name for each in found.margins if each.expense is None]
    if without:
        notes().print(
            f"Note: {found.month} has no [[cost]] for {', '.join(without)}: nothing can be said of its margin."
        )
    for currency, amount in sorted(found.other_currencies.items()):
        notes().print(f"Note: {found.month} also earned {grouped(str(amount))} {currency}, which is in no figure.")
