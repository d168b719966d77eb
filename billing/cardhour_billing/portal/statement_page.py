"""A statement of account as its reader sees and answers it, signed in or by the link of its mail.

Owns the figures of both pages and what their form may say. Does not own who may see a statement (``access``) nor what
may become of one (``statements``).
"""

from __future__ import annotations

from typing import Any

from django.http import QueryDict
from django.utils.translation import gettext as _
from msgspec import Struct

from cardhour_billing.figures import grouped
from cardhour_billing.models import Statement
from cardhour_billing.statements.statement import confirm, dispute, document_of, state
from cardhour_contract.clock import Clock
from cardhour_contract.errors import Refuse

REASON_CHARS_MAX = 2_000
CONFIRM, DISPUTE = "confirm", "dispute"


class Answer(Struct, frozen=True, kw_only=True):
    """What the form says: all of it is right, or some lines are not, and why."""

    what: str
    lines: tuple[int, ...]
    reason: str


def answer_of(form: QueryDict) -> Answer:
    """The form as it was sent; what is no number of a line is left out."""
    ticked = (each for each in form.getlist("line") if each.isascii() and each.isdigit())
    return Answer(
        what=form.get("answer", ""),
        lines=tuple(sorted({int(each) for each in ticked})),
        reason=form.get("reason", "").strip()[:REASON_CHARS_MAX],
    )


def give(statement: Statement, answer: Answer, *, by: str, words: str, clock: Clock, who: str) -> None:
    """Record an answer. ``by`` confirms; ``words`` are what the disputed lines keep."""
    if state(statement) == "confirmed":
        raise Refuse(_("This statement is confirmed: it takes no other answer."))
    if answer.what == CONFIRM and (answer.lines or answer.reason):
        raise Refuse(_("You say that something is not right: dispute it, or clear the ticks and the words to confirm."))
    if answer.what == CONFIRM:
        confirm(statement, by, clock=clock, who=who)
    elif answer.what == DISPUTE and answer.lines and answer.reason:
        dispute(statement, answer.lines, words, clock=clock, who=who)
    else:
        raise Refuse(_("Tick the lines that are not right, and say why."))


def shown(statement: Statement) -> dict[str, Any]:
    """What both pages print: figures, lines with what was said of them, payments."""
    document = document_of(statement)
    events = list(statement.events.order_by("id"))
    disputed = {event.line: event for event in events if event.line}
    return {
        "statement": statement,
        "document": document,
        "state": state(statement),
        "answered": events[-1] if events else None,
        "lines": [
            {"position": line.position, "document": line.document, "name": line.name, "amount": grouped(line.amount),
             "quantity": grouped(line.printed_quantity) if line.unit else "", "unit": line.unit,
             "disputed": disputed.get(line.position)}
            for line in document.lines
        ],
        "payments": [
            {"day": each.day, "reference": each.reference, "amount": grouped(each.amount)} for each in document.payments
        ],
        **{name: grouped(getattr(document, name)) for name in ("opening", "charged", "paid", "closing")},
        "more": signed(document.charged),
        "less": signed(document.paid, turned=True),
    }  # fmt: skip


def signed(amount: str, *, turned: bool = False) -> str:
    """What is added to a balance, as ``+ 499.00`` or ``− 20.00``; ``turned``: taken from it. Nothing has no sign."""
    size = amount.removeprefix("-")
    if not size.strip("0."):
        return size
    return f"{'−' if amount.startswith('-') is not turned else '+'} {grouped(size)}"
