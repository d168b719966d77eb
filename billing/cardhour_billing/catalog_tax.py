"""Tax rules of a catalog file against the store. Owns what makes two rules the same one, and what may not overlap."""

from __future__ import annotations

from typing import Any

from cardhour_billing.catalog_change import Change, row_change, tax_text
from cardhour_billing.catalog_file import CatalogFile
from cardhour_billing.current import current_taxes
from cardhour_billing.money import parse_rate
from cardhour_billing.tax import TaxRule, overlaps
from cardhour_contract.errors import Refuse
from cardhour_contract.moment import to_ms


def tax_changes(file: CatalogFile, customers: set[str], problems: list[str]) -> list[Change]:
    """The rules to record; unknown customers and overlaps are added to ``problems``."""
    stored = {_key(row): row for row in current_taxes()}
    after, where, changes = dict(stored), {}, []
    for at, located in enumerate(file.taxes):
        table = located.table
        if table.customer and table.customer not in customers:
            problems.append(f"{located.where}: customer '{table.customer}' is not in this file nor known")
        try:
            row = TaxRule(
                id=-1 - at, category=table.category, rate_ppm=parse_rate(table.rate), customer=table.customer,
                model=table.model, note=table.note, from_ms=to_ms(table.from_),
                to_ms=to_ms(table.to) if table.to else None,
            )  # fmt: skip
        except Refuse:
            continue  # reported with the table
        where[row.id] = located.where
        key = _key(row)
        known = stored.get(key)
        if known and _says(known) == _says(row):
            where[known.id] = located.where
            continue
        twin = after.pop(key, None)
        if twin and twin.id < 0:
            after[(*key[:2], twin.id)] = twin  # the same rule twice in one file: leave both for the overlap check
        after[key] = row
        changes.append(row_change("tax", row, known, tax_text))
    for one, other in overlaps(after.values()):
        lines = [where[row.id] for row in (one, other) if row.id in where]
        place = lines[-1] if lines else str(file.path)
        problems.append(f"{place}: {tax_text(one)[0]} has two tax rules at one time: give the earlier one a to")
    return changes


def _key(row: TaxRule) -> tuple[Any, ...]:
    return row.customer, row.model, row.from_ms


def _says(row: TaxRule) -> tuple[Any, ...]:
    return row.category, row.rate_ppm, row.note, row.to_ms
