"""A statement as a PDF: one frozen statement in, the same bytes out.

Owns what is printed where; the layout itself is ``statement.typ``. Does not own the figures (``document``)
nor the typesetter (``typesetting``).
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from typing import Any

from cardhour_billing import figures
from cardhour_billing.documents.typesetting import decimals, party, printable, typeset
from cardhour_billing.figures import grouped
from cardhour_billing.money import HOUR_DECIMALS, decimal_text, parse_amount, shown_hours, total
from cardhour_billing.statements.document import StatedLine, StatementDocument

_BANK = ("account_name", "bank", "account")


def render(statement: StatementDocument) -> bytes:
    """The PDF, PDF/A-2b."""
    return typeset(
        "statement.typ", _payload(statement), archived=True, what=f"the statement of {statement.customer.id}"
    )


def _payload(statement: StatementDocument) -> dict[str, Any]:
    """Everything ``statement.typ`` prints, as text already written out."""
    drawn, bank = datetime.date.fromisoformat(statement.drawn_day), statement.issuer.bank
    lines = list(_lines(statement))
    return {
        "zh_first": statement.customer.language == "zh-hans",
        "drawn": [drawn.year, drawn.month, drawn.day],
        "revision": str(statement.revision),
        "issuer": party(statement.issuer),
        "customer": party(statement.customer),
        "details": {
            "period": figures.period_iso(statement.first_day, statement.last_day),
            "drawn_day": statement.drawn_day,
            "currency": statement.currency,
            "timezone": statement.timezone,
        },
        "until": [figures.day_en(statement.last_day), figures.day_zh(statement.last_day)],
        **{name: grouped(getattr(statement, name)) for name in ("opening", "charged", "closing")},
        "paid": grouped(figures.negated(statement.paid)),
        "received": grouped(statement.paid),
        "lines": lines,
        "decimals": {name: max((line[name][1] for line in lines), default=0) for name in ("quantity", "price")},
        "payments": [
            {"day": each.day, "reference": printable(each.reference), "amount": grouped(each.amount)}
            for each in statement.payments
        ],
        **_usage(statement),
        "bank": {name: printable(getattr(bank, name)) for name in _BANK} if bank else None,
    }  # fmt: skip


def _lines(statement: StatementDocument) -> Iterator[dict[str, Any]]:
    sums = total((), statement.currency)
    for line in statement.lines:
        sums = sums + parse_amount(line.amount, statement.currency)
        yield _line(line) | {"running": grouped(str(sums))}


def _line(line: StatedLine) -> dict[str, Any]:
    return {
        "position": str(line.position),
        "document": printable(line.document),
        "name": printable(line.name),
        "days": [figures.days_en(line.first_day, line.last_day), figures.days_zh(line.first_day, line.last_day)],
        "quantity": [grouped(line.printed_quantity), decimals(line.printed_quantity)] if line.unit else ["", 0],
        "unit": figures.UNITS[line.unit] if line.unit else None,
        "price": [grouped(line.unit_price), decimals(line.unit_price)] if line.unit else ["", 0],
        "amount": grouped(line.amount),
    }


def _usage(statement: StatementDocument) -> dict[str, Any]:
    """Usage by day and what each model comes to. Shown hours are parts of one sum; exact ones are in the CSV."""
    hours = shown_hours([use.quantity_us for use in statement.usage])
    uses = list(zip(statement.usage, hours, strict=True))
    models = []
    for model in sorted({use.model for use in statement.usage}):
        own = [(use, shown) for use, shown in uses if use.model == model]
        amount = total((parse_amount(use.amount, statement.currency) for use, _ in own), statement.currency)
        shown_sum = sum(shown for _, shown in own)
        models.append({"model": printable(model), "days": str(len(own)), **_use(shown_sum, str(amount))})
    amount = total((parse_amount(use.amount, statement.currency) for use in statement.usage), statement.currency)
    return {
        "models": models,
        "usage": [{"day": use.day, "model": printable(use.model), **_use(shown, use.amount)} for use, shown in uses],
        "used": _use(sum(hours), str(amount)),
    }


def _use(shown: int, amount: str) -> dict[str, str]:
    return {"hours": grouped(decimal_text(shown, HOUR_DECIMALS)), "amount": grouped(amount)}
