"""An invoice as a PDF: one frozen document in, the same bytes out, on every machine and in every process.

Owns what is printed where, the fonts and the call of the typesetter; the layout itself is ``invoice.typ``. Does not
own the figures (``document``) or how they are written (``figures``). Names and notes travel as JSON values, never as
markup, so that a customer called ``#panic()`` is only oddly named.
"""

from __future__ import annotations

import datetime
import json
import re
from functools import cache
from importlib.resources import files
from typing import Any, Literal

import typst

from cardhour_billing import figures
from cardhour_billing.document import DocumentLine, InvoiceDocument
from cardhour_contract.errors import InvariantBroken

_FONT_PACKAGES = (
    ("justmytype_western_core", "fonts/ofl/inter"),
    ("justmytype_intl_cjk", "fonts/ofl/notosanssc"),
    ("justmytype_intl_cjk", "fonts/ofl/notosanskr"),
)
"""Fonts come from installed packages and never from the machine: another font would be another document."""

LONGEST_WORD = 26
"""Characters a word may run without a place to break: as many as the narrowest column, a party's name, holds."""

_NO_GLYPH = "could not be displayed with font"
"""How the typesetter says that PDF/A fails for want of a glyph, and for nothing else."""

LONGEST_DETAIL = 12
"""The same for the value column of the details, which is narrower."""

_TAX_NAMES = {
    "zero": ["zero-rated", "零税率"],
    "exempt": ["exempt", "免税"],
    "reverse-charge": ["reverse charge", "反向征收"],
}
"""Why a rate is nothing; a rate above nothing says enough by itself."""

_WORD = re.compile(r"[^\s\-/\u2e80-\uffff]+")
_SCRIPTS_MEET = re.compile(r"(?<=[\x21-\x7e]) (?=[\u3400-\u9fff])")
"""Where a name in Latin letters goes on in Chinese: each has its own line."""
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]")


def render(document: InvoiceDocument) -> bytes:
    """The PDF: PDF/A-2b once issued, plain while a draft, which has no date and goes to no archive.

    PDF/A demands a glyph for every character. A name with one that no font here has (an emoji, say) must not stop an
    invoice from being issued: it is then a plain PDF with an empty box in that place.
    Raises InvariantBroken where the typesetter refuses a document altogether.
    """
    source = (files("cardhour_billing") / "invoice.typ").read_bytes()
    inputs = {"document": json.dumps(_payload(document), ensure_ascii=False, sort_keys=True)}
    if document.issue_date is not None:
        try:
            return _typeset(source, inputs, "a-2b")
        except typst.TypstError as error:
            if _NO_GLYPH not in str(error):
                raise InvariantBroken(f"invoice {document.number} cannot be typeset: {error}") from error
    try:
        return _typeset(source, inputs, None)
    except typst.TypstError as error:
        raise InvariantBroken(f"invoice {document.number or 'draft'} cannot be typeset: {error}") from error


def _typeset(source: bytes, inputs: dict[str, str], standard: Literal["a-2b"] | None) -> bytes:
    return typst.compile(
        source,
        font_paths=_fonts(),
        ignore_system_fonts=True,
        format="pdf",
        pdf_standards=standard,
        sys_inputs=inputs,
    )


@cache
def _fonts() -> typst.Fonts:
    folders = [str(files(package) / folder) for package, folder in _FONT_PACKAGES]
    return typst.Fonts(include_system_fonts=False, include_embedded_fonts=False, font_paths=folders)


def _payload(document: InvoiceDocument) -> dict[str, Any]:
    """Everything ``invoice.typ`` prints, as text already written out."""
    issued = datetime.date.fromisoformat(document.issue_date) if document.issue_date else None
    period, issuer, customer = document.period, document.issuer, document.customer
    return {
        "draft": document.state == "draft",
        "number": document.number or "",
        "zh_first": customer.language == "zh-hans",
        "issued": [issued.year, issued.month, issued.day] if issued else None,
        "month": [figures.month_en(period.first_day), figures.month_zh(period.first_day)],
        "issuer": _party(issuer.name, issuer.legal_name, issuer.address, issuer.tax_id),
        "customer": _party(customer.name, customer.legal_name, customer.address, customer.tax_id),
        "details": {
            "period": figures.period_iso(period.first_day, period.last_day),
            "issue_date": document.issue_date or "",
            "due_date": document.due_date or "",
            "currency": document.currency,
            "po_number": _printable(customer.po_number, LONGEST_DETAIL),
            "timezone": period.timezone,
        },
        "due_by": [figures.day_en(document.due_date), figures.day_zh(document.due_date)] if document.due_date else None,
        "lines": [_line(line) for line in document.lines],
        "decimals": {
            "quantity": max((_decimals(line.printed_quantity) for line in document.lines), default=0),
            "price": max((_decimals(line.unit_price) for line in document.lines), default=0),
        },
        "tax": [
            {
                "rate": row.rate_percent,
                "why": _TAX_NAMES.get(row.category, ["", ""]),
                "net": figures.grouped(row.net),
                "tax": figures.grouped(row.tax),
            }
            for row in document.tax
        ],
        "tax_notes": list(dict.fromkeys(_printable(note) for row in document.tax for note in row.notes)),
        "net": figures.grouped(document.net),
        "total": figures.grouped(document.total),
        "due": figures.grouped(document.due),
        "part_paid": document.due != document.total,
        "prepaid": figures.grouped("-" + document.prepaid) if document.prepaid else "",
        "bank": {
            "account_name": _printable(issuer.bank.account_name),
            "bank": _printable(issuer.bank.bank),
            "account": _printable(issuer.bank.account),
        }
        if issuer.bank
        else None,
        "digest": document.digest or "",
    }


def _party(name: str, legal_name: str, address: tuple[str, ...], tax_id: str) -> dict[str, Any]:
    # A short name that the registered one contains says nothing new.
    known = all(part in legal_name for part in _SCRIPTS_MEET.split(name))
    return {
        "name": _printable(name),
        "legal_names": [_printable(part) for part in _SCRIPTS_MEET.split(legal_name)],
        "also": "" if known else _printable(name),
        "address": [_printable(line) for line in address if line],
        "tax_id": _printable(tax_id),
    }


def _line(line: DocumentLine) -> dict[str, Any]:
    usage = line.kind == "usage"
    notes = (line.description, line.band, line.tier) if usage else (line.model,)
    return {
        "position": str(line.position),
        "usage": usage,
        "name": _printable(line.model if usage else line.description),
        "unit": figures.UNITS[line.unit],
        "notes": [_printable(note) for note in notes if note],
        "days": [figures.days_en(line.first_day, line.last_day), figures.days_zh(line.first_day, line.last_day)],
        "quantity": [figures.grouped(line.printed_quantity), _decimals(line.printed_quantity)],
        "price": [figures.grouped(line.unit_price), _decimals(line.unit_price)],
        "amount": figures.grouped(line.amount),
    }


def _decimals(number: str) -> int:
    return len(number.partition(".")[2])


def _printable(text: str, longest: int = LONGEST_WORD) -> str:
    """Text a page can hold: control and direction characters out, a break allowed inside words over ``longest``."""
    return _WORD.sub(lambda word: _with_breaks(word[0], longest), _CONTROL.sub(" ", text))


def _with_breaks(word: str, longest: int) -> str:
    zero_width_space = "\u200b"
    return zero_width_space.join(word[start : start + longest] for start in range(0, len(word), longest))
