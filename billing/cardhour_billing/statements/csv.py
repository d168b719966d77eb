"""A statement as CSV: one table whose first column says what a row is, so that a spreadsheet can filter it.

Owns the columns. Does not own the figures (``document``) nor the guard against formulas (``spreadsheet``).
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator

from cardhour_billing.money import card_hours
from cardhour_billing.spreadsheet import guarded
from cardhour_billing.statements.document import StatementDocument

COLUMNS = (
    "row", "position", "document", "name", "first_day", "last_day", "quantity", "unit", "unit_price", "amount",
    "currency",
)  # fmt: skip


def render(statement: StatementDocument) -> bytes:
    """UTF-8 with a byte order mark, as Excel wants it. ``opening`` + charges − payments = ``closing``."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    writer.writerows([*row, statement.currency] for row in _rows(statement))
    return text.getvalue().encode("utf-8-sig")


def _rows(statement: StatementDocument) -> Iterator[list[str]]:
    first, last = statement.first_day, statement.last_day
    yield ["opening", "", "", "", first, first, "", "", "", statement.opening]
    for line in statement.lines:
        yield [
            "charge", str(line.position), guarded(line.document), guarded(line.name),
            line.first_day, line.last_day, line.printed_quantity, line.unit, line.unit_price, line.amount,
        ]  # fmt: skip
    for payment in statement.payments:
        yield ["payment", "", "", guarded(payment.reference), payment.day, payment.day, "", "", "", payment.amount]
    yield ["closing", "", "", "", last, last, "", "", "", statement.closing]
    for use in statement.usage:
        hours = card_hours(use.quantity_us)
        yield ["usage", "", "", guarded(use.model), use.day, use.day, hours, "card-hour", "", use.amount]
