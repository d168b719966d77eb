"""Dead letters read again, for billing: what would happen first, then doing it, with how far it is."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from cardhour_billing.config import load_config
from cardhour_billing.models import AuditLog
from cardhour_billing.portal.access import billing_only, staff_only
from cardhour_billing.portal.letters.replaying import letter_keys, preview
from cardhour_billing.portal.letters.waiting import words_of
from cardhour_billing.portal.phrases import in_words
from cardhour_billing.portal.staff_zone import staff_zone
from cardhour_billing.usage import letter_replay
from cardhour_billing.usage.store import kept_warehouse
from cardhour_contract.clock import SystemClock
from cardhour_contract.errors import Refuse

SHOWN_MAX = 50
"""Letters that stay, named one by one; the others are counted."""


@require_POST
@billing_only
def replay(request: HttpRequest) -> HttpResponse:
    """Show what a replay of the ticked letters, or of all of a reason, would do; confirmed, do exactly that."""
    from cardhour_ingest.replay import for_its_sender

    asked, clock, config = request.POST, SystemClock(), load_config()
    reason, names, unsigned = asked.get("reason", ""), asked.getlist("letter"), asked.get("unsigned") == "yes"
    who = request.user.get_username()
    if not reason and not names:
        messages.warning(request, _("Tick the letters to replay first."))
        return redirect("records", "dead-letters")
    facts: dict[str, object] = {"section": "dead-letters", "reason": reason, "names": names, "unsigned": unsigned}
    try:
        with kept_warehouse(config) as warehouse:
            found = preview(warehouse, letter_keys(names), reason, unsigned=unsigned, now_ms=clock.now_ms())
    except Refuse as error:
        return render(request, "letters_replay.html", {**facts, "problems": error.problems}, status=422)
    if found is None:
        messages.success(request, _("Nothing to replay: they were all accepted."))
        return redirect("records", "dead-letters")
    confirmed = "shown" in asked
    if confirmed and asked.get("shown") == found.digest:
        position = letter_replay.audited(found.letters, reason=reason, unsigned=unsigned, clock=clock, who=who)
        letter_replay.start(found.letters, config, unsigned=unsigned, clock=clock, who=who)
        return redirect("letters-run", position)
    helps = any(for_its_sender(each.reason) for each in found.fails)
    facts |= {"found": found, "changed": confirmed, "words": words_of(reason), "unsigned_helps": helps}
    return render(request, "letters_replay.html", facts, status=409 if confirmed else 200)


@require_safe
@staff_only
def run_page(request: HttpRequest, position: int) -> HttpResponse:
    """How far a replay is, and what stays; htmx asks for the panel alone, and for the page when it has ended."""
    entry = get_object_or_404(AuditLog, position=position, action=letter_replay.ACTION)
    config, clock = load_config(), SystemClock()
    with kept_warehouse(config) as warehouse:
        run = letter_replay.looked_at(warehouse, entry, config, clock=clock)
    htmx = request.headers.get("HX-Request") == "true" and request.headers.get("HX-History-Restore-Request") != "true"
    facts = {
        "section": "dead-letters",
        "position": position,
        "run": run,
        "stays": [
            {"letter": f"{each.letter:016x}", "reason": each.reason, "words": words_of(each.reason),
             "detail": f"{each.path} {in_words(each.detail)}".strip()}
            for each in run.rejected[:SHOWN_MAX]
        ],
        "zone": staff_zone(),
    }  # fmt: skip
    answer = render(request, "parts/letters_run.html" if htmx else "letters_run.html", facts)
    if htmx and run.ended:
        answer.headers["HX-Refresh"] = "true"
    return answer
