"""Answering a statement by the link of its mail: confirm it, or say which lines are not right. No login."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from cardhour_billing.models.party import NAME_CHARS_MAX
from cardhour_billing.portal.access import statement_by_link
from cardhour_billing.portal.statement_page import answer_of, give, shown
from cardhour_contract.clock import SystemClock
from cardhour_contract.errors import Refuse


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def answer(request: HttpRequest, token: str) -> HttpResponse:
    """The statement and its two answers. Looking changes nothing: programs that read mail follow links."""
    clock = SystemClock()
    statement = statement_by_link(token, clock.now_ms())
    name = " ".join(request.POST.get("name", "").split())[:NAME_CHARS_MAX]
    said = answer_of(request.POST)
    problems: tuple[str, ...] = ()
    if request.method == "POST":
        try:
            if not name:
                raise Refuse(_("Say who you are: your name is kept with the answer."))
            who = f"{statement.customer.key} by mail"
            give(statement, said, by=name, words=f"{name}: {said.reason}", clock=clock, who=who)
        except Refuse as error:
            problems = error.problems
    facts = {**shown(statement), "problems": problems, "name": name, "typed": said if problems else None}
    return render(request, "statement_answer.html", facts, status=409 if problems else 200)
