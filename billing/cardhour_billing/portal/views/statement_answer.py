"""Answering a statement by the link of its mail: confirm it, or say which lines are not right. No login."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from cardhour_billing.figures import grouped
from cardhour_billing.models import Statement
from cardhour_billing.models.party import NAME_CHARS_MAX
from cardhour_billing.portal.access import statement_by_link
from cardhour_billing.statements.statement import confirm, dispute, document_of, state
from cardhour_contract.clock import Clock, SystemClock
from cardhour_contract.errors import Refuse

REASON_CHARS_MAX = 2_000
CONFIRM, DISPUTE = "confirm", "dispute"


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def answer(request: HttpRequest, token: str) -> HttpResponse:
    """The statement and its two answers. Looking changes nothing: programs that read mail follow links."""
    clock = SystemClock()
    statement = statement_by_link(token, clock.now_ms())
    name = " ".join(request.POST.get("name", "").split())[:NAME_CHARS_MAX]
    reason = request.POST.get("reason", "").strip()[:REASON_CHARS_MAX]
    ticked = [int(each) for each in request.POST.getlist("line") if each.isascii() and each.isdigit()]
    problem = ""
    if request.method == "POST":
        try:
            _answer(statement, request.POST.get("answer", ""), name, ticked, reason, clock)
        except Refuse as error:
            problem = str(error)
        else:
            ticked = []
    shown = _shown(statement) | {"problem": problem, "name": name, "reason": reason, "ticked": ticked}
    return render(request, "statement_answer.html", shown, status=409 if problem else 200)


def _answer(statement: Statement, what: str, name: str, lines: list[int], reason: str, clock: Clock) -> None:
    if not name:
        raise Refuse(_("Say who you are: your name is kept with the answer."))
    who = f"{statement.customer.key} by mail"
    if what == CONFIRM:
        confirm(statement, name, clock=clock, who=who)
    elif what == DISPUTE and lines and reason:
        dispute(statement, tuple(lines), f"{name}: {reason}", clock=clock, who=who)
    else:
        raise Refuse(_("Tick the lines that are not right, and say why."))


def _shown(statement: Statement) -> dict[str, object]:
    document = document_of(statement)
    events = list(statement.events.order_by("id"))
    disputed = {event.line: event.note for event in events if event.line}
    return {
        "document": document,
        "state": state(statement),
        "answered": events[-1] if events else None,
        "lines": [
            {"position": line.position, "document": line.document, "name": line.name, "amount": grouped(line.amount),
             "quantity": grouped(line.printed_quantity) if line.unit else "", "disputed": disputed.get(line.position)}
            for line in document.lines
        ],
        "payments": [
            {"day": each.day, "reference": each.reference, "amount": grouped(each.amount)} for each in document.payments
        ],
        **{name: grouped(getattr(document, name)) for name in ("opening", "charged", "paid", "closing")},
    }  # fmt: skip
