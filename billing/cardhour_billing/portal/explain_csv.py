"""A level of an explained line as CSV: exact card-microseconds beside the amount. Owns the columns alone."""

from __future__ import annotations

import csv
import io

from cardhour_billing.portal.explaining import LineExplained
from cardhour_billing.spreadsheet import guarded

LEVELS = ("days", "cards", "quarters", "records")


def level_csv(explained: LineExplained, level: str) -> bytes:
    """One row a part, with the exact quantity; as spreadsheets open it."""
    rows = getattr(explained, level).rows
    text = io.StringIO(newline="")
    names = list(rows[0].name) if rows else []
    writer = csv.writer(text)
    writer.writerow([*names, "quantity_us", "amount"])
    for row in rows:
        writer.writerow([*(guarded(str(row.name[name])) for name in names), row.quantity_us, row.exact_amount])
    return text.getvalue().encode("utf-8-sig")
