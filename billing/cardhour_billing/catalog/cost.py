"""``[[cost]]`` of a catalog: what a server of a model costs its owner. For margin; no document shows it."""

from __future__ import annotations

from datetime import datetime
from itertools import combinations

import msgspec
from msgspec import Struct

from cardhour_billing.catalog.change import Change, RowPlan, validity_text
from cardhour_billing.catalog.checks import a_name, check, times, validity
from cardhour_billing.catalog.current_terms import current_costs
from cardhour_billing.catalog.noun import Noun, Planning
from cardhour_billing.catalog.recurring import a_price
from cardhour_billing.cost import CostRow
from cardhour_billing.models import Cost
from cardhour_billing.money import UnitPrice, parse_price
from cardhour_billing.rating.binding import times_meet
from cardhour_contract.errors import Refuse

DEPRECIATION_MONTHS_MAX = 240
CARDS_PER_SERVER_MAX = 1_024
"""A rack-scale system has 72; above this a digit was typed twice."""


class CostTable(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[[cost]]``: purchase, hosting and power of one server, in the issuer's currency."""

    model: str
    cards_per_server: int
    purchase: str
    depreciation_months: int
    hosting: str = "0"
    power: str = "0"
    from_: datetime = msgspec.field(name="from")
    to: datetime | None = None


def _problems(table: CostTable) -> list[str]:
    found = check((a_name, table.model), *((a_price, each) for each in (table.purchase, table.hosting, table.power)))
    if not 1 <= table.cards_per_server <= CARDS_PER_SERVER_MAX:
        found.append(f"cards_per_server is from 1 to {CARDS_PER_SERVER_MAX}")
    if not 1 <= table.depreciation_months <= DEPRECIATION_MONTHS_MAX:
        found.append(f"depreciation_months is from 1 to {DEPRECIATION_MONTHS_MAX}")
    return found + times(table.from_, table.to)


def _changes(planning: Planning) -> list[Change]:
    rows = RowPlan("cost", current_costs(), key=lambda row: (row.model, row.from_ms), text=_text)
    currency = planning.issuer.currency
    for located in planning.file.of(CostTable):
        table = located.table
        try:
            purchase, hosting, power = (
                parse_price(text, currency).nano for text in (table.purchase, table.hosting, table.power)
            )
            from_ms, to_ms = validity(table)
        except Refuse:
            continue  # reported with the table
        row = CostRow(
            id=rows.new_id(), model=table.model, currency=currency, cards_per_server=table.cards_per_server,
            purchase_nano=purchase, depreciation_months=table.depreciation_months, hosting_nano=hosting,
            power_nano=power, from_ms=from_ms, to_ms=to_ms,
        )  # fmt: skip
        rows.add(located.where, row)
    for one, other in combinations(rows.after, 2):
        if one.model == other.model and times_meet(one.from_ms, one.to_ms, other.from_ms, other.to_ms):
            planning.problems.append(rows.overlap(one, other, f"model '{one.model}' has two costs at one time"))
    return rows.changes


def _text(row: CostRow) -> tuple[str, str]:
    purchase, hosting, power = (
        UnitPrice(nano=nano, currency=row.currency) for nano in (row.purchase_nano, row.hosting_nano, row.power_nano)
    )
    written_off = f"{purchase} {row.currency} over {row.depreciation_months} months"
    monthly = f"hosting {hosting} and power {power} a month"
    return row.model, f"server of {row.cards_per_server}: {written_off}, {monthly}, {validity_text(row)}"


def _write(change: Change, recorded_at_ms: int) -> None:
    row: CostRow = change.row
    Cost.objects.create(
        model=row.model,
        currency=row.currency,
        cards_per_server=row.cards_per_server,
        purchase_nano=row.purchase_nano,
        depreciation_months=row.depreciation_months,
        hosting_nano=row.hosting_nano,
        power_nano=row.power_nano,
        valid_from_ms=row.from_ms,
        valid_to_ms=row.to_ms,
        recorded_at_ms=recorded_at_ms,
        supersedes_id=change.supersedes,
    )


COST = Noun(name="cost", table=CostTable, problems=_problems, changes=_changes, write=_write, text=_text)
