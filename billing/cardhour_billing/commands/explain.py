"""``cardhour explain``: from a line of an invoice down to the raw records it rests on."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import click

from cardhour_billing.figures import grouped
from cardhour_billing.money import card_hours
from cardhour_billing.store import answering, open_store
from cardhour_billing.table import format_option, notes, print_rows
from cardhour_billing.usage.store import opened_warehouse
from cardhour_contract.errors import Refuse
from cardhour_contract.moment import parse_rfc3339

if TYPE_CHECKING:
    from cardhour_billing.answers.explanation import Explainer, Explanation


@click.command()
@click.argument("number", metavar="INVOICE")
@click.argument("line", type=int)
@click.option("--day", metavar="YYYY-MM-DD", default="", help="This local day, by card.")
@click.option("--card", default="", help="This card, by day; with --day, by quarter hour.")
@click.option("--quarter", metavar="T", default="", help="With --card: the raw records of the quarter hour T lies in.")
@click.option(
    "--by", type=click.Choice(["day", "card"]), default="day", show_default=True, help="How to divide a line."
)
@format_option
def explain(number: str, line: int, day: str, card: str, quarter: str, by: str, form: str) -> None:
    """Where a line of an issued invoice comes from, level by level; each adds up to the one above it.

    Days of the line, cards of a day, quarter hours of a card, raw records of a quarter hour. A line that is not of
    usage (a lease, a commitment, a grant) is explained by all that decided its amount. Line 0 is what leases cover:
    usage that cost nothing, and the lease that is why.
    """
    if quarter and not card:
        raise Refuse("--quarter shows one card's raw records: name it with --card")
    at_ms = parse_rfc3339(quarter) if quarter else None
    of_day = _day(day) if day else None
    config = open_store()
    from cardhour_billing.answers.explanation import Explainer
    from cardhour_billing.documents.invoice_files import find_invoice
    from cardhour_billing.usage.ledger import WarehouseLedger

    with answering(), opened_warehouse(config) as warehouse:
        explainer = Explainer(find_invoice(number), line, WarehouseLedger(warehouse))
        if charge := explainer.charge:
            inputs = [{"input": name, "value": value} for name, value in explainer.inputs(charge)]
            title = f"{number} line {line}, {charge.description}: {charge.amount} {charge.amount.currency}"
            print_rows(inputs, form, columns=("input", "value"), title=title)
            return
        explained = _explained(explainer, of_day, card, at_ms, by)
    rows = [
        {
            **part.name,
            "quantity_us": part.quantity_us,
            "card_hours": card_hours(part.quantity_us),
            "amount": grouped(str(part.amount)) if form == "table" else str(part.amount),
        }
        for part in explained.parts
    ]
    print_rows(rows, form, right=("share", "card_hours", "amount"), title=_title(explained))
    if explained.note:
        notes().print(f"Note: {explained.note}.")


def _explained(explainer: Explainer, day: date | None, card: str, at_ms: int | None, by: str) -> Explanation:
    if at_ms is not None:
        return explainer.records(card, at_ms)
    if day is not None:
        return explainer.quarters(day, card) if card else explainer.cards(day)
    return explainer.cards() if by == "card" and not card else explainer.days(card)


def _title(explained: Explanation) -> str:
    whole = f"{card_hours(explained.quantity_us)} card-hours, {grouped(str(explained.amount))}"
    return f"{explained.whole}: {whole} {explained.amount.currency}"


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise Refuse(f"'{text}' is not a day such as 2026-01-05") from error
