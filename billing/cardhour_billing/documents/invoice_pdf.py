"""An invoice or a credit note as a PDF: one frozen document in, the same bytes out.

Owns what is printed where; the layout itself is ``invoice.typ``. Does not own the figures (``document``), how they are
written (``figures``) nor the typesetter (``typesetting``). A credit note gives back positive amounts.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable
from typing import Any

from cardhour_billing import figures
from cardhour_billing.documents.typesetting import decimals, party, printable, typeset
from cardhour_billing.figures import grouped, negated
from cardhour_billing.frozen.document import DocumentLine, InvoiceDocument
from cardhour_billing.money import parse_amount, total

LONGEST_DETAIL = 12
"""Characters a word may run in the value column of the details, which is narrower than a name's."""

_TAX_NAMES = {
    "zero": ["zero-rated", "零税率"],
    "exempt": ["exempt", "免税"],
    "reverse-charge": ["reverse charge", "反向征收"],
}
"""Why a rate is nothing; a rate above nothing says enough by itself."""

_KINDS = {
    "lease": ["leased", "包租"],
    "add-on": ["add-on", "附加服务"],
    "commitment": ["commitment", "承诺用量"],
    "grant": ["allowance", "赠送额度"],
    "adjustment": ["adjustment of an earlier month", "前期调整"],
    "carried": ["carried forward", "上期结转"],
    "credit": ["credit", "冲减"],
}
"""What kind of charge a line is, where it is not usage."""

_REASONS = {
    "correction": ["correction", "更正"],
    "goodwill": ["goodwill", "商誉补偿"],
    "sla": ["service level", "服务等级赔付"],
    "void": ["cancels it whole", "整单作废"],
}
"""Why a credit note was given."""


def render(document: InvoiceDocument) -> bytes:
    """The PDF: PDF/A-2b once issued, plain while a draft."""
    what = f"{document.kind} {document.number or 'draft'}"
    return typeset("invoice.typ", _payload(document), archived=document.issue_date is not None, what=what)


def _payload(document: InvoiceDocument) -> dict[str, Any]:
    """Everything ``invoice.typ`` prints, as text already written out."""
    issued = datetime.date.fromisoformat(document.issue_date) if document.issue_date else None
    period, issuer, customer = document.period, document.issuer, document.customer
    turned = document.kind == "credit-note" and document.total.startswith("-")
    lines = [_line(line, turned=turned) for line in document.lines]
    for line, running in zip(lines, _running(document, turned=turned), strict=True):
        line["running"] = running
    return {
        "draft": document.state == "draft",
        "kind": document.kind,
        "chinese": document.chinese,
        "number": document.number or "",
        "zh_first": customer.language == "zh-hans",
        "issued": [issued.year, issued.month, issued.day] if issued else None,
        "issuer": party(issuer),
        "customer": party(customer),
        "details": {
            "period": figures.period_iso(period.first_day, period.last_day),
            "issue_date": document.issue_date or "",
            "due_date": "" if document.kind == "credit-note" else document.due_date or "",
            "currency": document.currency,
            "po_number": printable(customer.po_number, LONGEST_DETAIL),
            "original": document.original,
            "timezone": period.timezone,
        },
        "reason": _REASONS.get(document.reason, [document.reason, document.reason]) if document.reason else None,
        "due_by": [figures.day_en(document.due_date), figures.day_zh(document.due_date)] if document.due_date else None,
        "lines": lines,
        "decimals": {
            "quantity": max((line["quantity"][1] for line in lines), default=0),
            "price": max((line["price"][1] for line in lines), default=0),
        },
        **_sums(document, turned=turned),
        "bank": {
            "account_name": printable(issuer.bank.account_name),
            "bank": printable(issuer.bank.bank),
            "account": printable(issuer.bank.account),
        }
        if issuer.bank
        else None,
        "digest": document.digest or "",
    }


def _sums(document: InvoiceDocument, *, turned: bool) -> dict[str, Any]:
    paid = parse_amount(document.total, document.currency) - parse_amount(document.due, document.currency)
    included = any(line.includes_tax for line in document.lines)
    return {
        "tax": [
            {
                "rate": row.rate_percent,
                "why": _TAX_NAMES.get(row.category, ["", ""]),
                "net": _written(row.net, turned=turned),
                "tax": _written(row.tax, turned=turned),
            }
            for row in document.tax
        ],
        "tax_notes": list(dict.fromkeys(printable(note) for row in document.tax for note in row.notes)),
        "charges": _written(document.charges, turned=turned) if included else "",
        "net": _written(document.net, turned=turned),
        "total": _written(document.total, turned=turned),
        "paid": _written(str(paid), turned=not turned) if paid.amount else "",
        "due": _written(document.due, turned=turned),
    }


def _line(line: DocumentLine, *, turned: bool) -> dict[str, Any]:
    usage = line.kind == "usage"
    notes = (line.description, line.band, line.tier) if usage else (line.model,)
    quantity, price = line.printed_quantity, line.unit_price
    if turned:
        quantity, price = (quantity, negated(price)) if price.startswith("-") else (negated(quantity), price)
    return {
        "position": str(line.position),
        "usage": usage,
        "name": printable(line.model if usage else line.description),
        "kind": ["on demand", "按量"] if usage else _KINDS[line.kind],
        "unit": figures.UNITS[line.unit],
        "notes": [printable(note) for note in notes if note],
        "days": [figures.days_en(line.first_day, line.last_day), figures.days_zh(line.first_day, line.last_day)],
        "quantity": [grouped(quantity), decimals(quantity)],
        "price": [grouped(price), decimals(price)],
        "amount": _written(line.amount, turned=turned),
    }


def _running(document: InvoiceDocument, *, turned: bool) -> Iterable[str]:
    """The sum of the lines down to each, which the next page begins with."""
    sums, currency = total((), document.currency), document.currency
    for line in document.lines:
        sums = sums + parse_amount(line.amount, currency)
        yield _written(str(sums), turned=turned)


def _written(amount: str, *, turned: bool) -> str:
    return grouped(negated(amount) if turned else amount)
