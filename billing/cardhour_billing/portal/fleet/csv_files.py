"""What the fleet's page shows, as CSV: exact card-microseconds, and money as it is printed. Owns the columns alone."""

from __future__ import annotations

from fractions import Fraction

from django.http import HttpResponse

from cardhour_billing.margin.rows import CUT, HOURS, MONEY, figures
from cardhour_billing.portal.csv_text import csv_response
from cardhour_billing.portal.fleet.heat import Heat
from cardhour_billing.portal.fleet.tables import Tables
from cardhour_contract.moment import format_rfc3339

MARGIN_COLUMNS = ("month", "model", *HOURS, "currency", *MONEY, *CUT)
TERMS_US = ("span_us", "leased_us", "billable_us", "idle_us", "faulted_us", "unobserved_us", "rounding_us")
HOUR_TERMS_US = TERMS_US[2:]


def margin_csv(month: str, tables: Tables, cut: Fraction) -> HttpResponse:
    """As ``cardhour margin --format csv``: one row a model."""
    rows = [{"month": month, "model": each.name} | figures(each, cut) for each in tables.margins]
    return csv_response(f"margin-{month}.csv", MARGIN_COLUMNS, [[row[name] for name in MARGIN_COLUMNS] for row in rows])


def ledger_csv(month: str, tables: Tables) -> HttpResponse:
    """Where the time went, exact: the terms of a row add up to its capacity."""
    names = ("model", "capacity_us", *(name for name in HOURS if name.endswith("_us") and name != "capacity_us"))
    rows = [[each.name, *(getattr(each.hours, name) for name in names[1:])] for each in tables.margins]
    return csv_response(f"card-hours-{month}.csv", names, rows)


def cards_csv(heat: Heat) -> HttpResponse:
    """The cards of the picture: each with its sums over the days shown."""
    rows = [[each.card, each.node, *(getattr(each.time, name) for name in TERMS_US)] for each in heat.cards]
    return csv_response(f"cards-{heat.first_day}-{heat.last_day}.csv", ("card", "node", *TERMS_US), rows)


def hours_csv(heat: Heat) -> HttpResponse:
    """The cells of the picture; an hour without a page has no terms."""
    rows = [
        [
            each.card,
            each.node,
            format_rfc3339(cell.start_ms),
            cell.state,
            *(getattr(cell.page, name) if cell.page else None for name in HOUR_TERMS_US),
        ]
        for each in heat.cards
        for cell in each.cells
    ]
    return csv_response(
        f"card-hours-{heat.first_day}-{heat.last_day}.csv", ("card", "node", "hour", "state", *HOUR_TERMS_US), rows
    )
