"""Keys of nodes, for admins: enrolling one and revoking some, each confirmed on a page that says what it means."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from cardhour_billing.audit.node_trust import record_keys
from cardhour_billing.config import load_config
from cardhour_billing.portal.access import admin_only
from cardhour_billing.usage.store import kept_warehouse
from cardhour_contract.clock import SystemClock
from cardhour_contract.errors import Refuse
from cardhour_contract.signing import PublicKey

REASON_CHARS_MAX = 200


@require_http_methods(["GET", "HEAD", "POST"])
@admin_only
def enrol(request: HttpRequest) -> HttpResponse:
    """Let a node sign with a key: what it says first, then doing it."""
    from cardhour_ingest.warehouse.node_keys import enrolment, node_keys

    given = request.POST if request.method == "POST" else request.GET
    node, text = given.get("node", "").strip(), given.get("key", "").strip()
    facts = {"section": "nodes", "node": node, "key": text}
    if request.method != "POST":
        return render(request, "node_enrol.html", facts)
    try:
        key = PublicKey.parse(text)
        with kept_warehouse(load_config()) as warehouse:
            found = enrolment(warehouse, node, key)
            if not found:
                messages.success(request, _("Key %(key)s is enrolled already.") % {"key": key.key_id})
                return redirect("record", "nodes", node)
            if given.get("confirmed") != "yes":
                others = [each for each in node_keys(warehouse, node) if each.revoked_from_ms is None]
                return render(request, "node_enrol.html", {**facts, "confirm": key.key_id, "others": others})
            record_keys(warehouse, "node enrol", node, found, clock=SystemClock(), who=request.user.get_username())
    except Refuse as error:
        return render(request, "node_enrol.html", {**facts, "problems": error.problems}, status=422)
    messages.success(request, _("Key %(key)s is enrolled for node %(node)s.") % {"key": key.key_id, "node": node})
    return redirect("record", "nodes", node)


@require_POST
@admin_only
def revoke(request: HttpRequest) -> HttpResponse:
    """Refuse what a node signs with a key, from now on: what it says first, then doing it."""
    from cardhour_ingest.warehouse.node_keys import revocation

    node, key_id = request.POST.get("node", ""), request.POST.get("key_id", "")
    reason = request.POST.get("reason", "").strip()[:REASON_CHARS_MAX]
    clock = SystemClock()
    facts = {"section": "nodes", "node": node, "key_id": key_id, "reason": reason}
    try:
        with kept_warehouse(load_config()) as warehouse:
            found = revocation(warehouse, node, [key_id] if key_id else [], clock.now_ms(), reason)
            if not found:
                messages.success(request, _("Nothing to revoke: it is revoked already."))
                return redirect("record", "nodes", node)
            if request.POST.get("confirmed") != "yes" or not reason:
                missing = [_("Say why: it is kept with the revocation.")] if request.POST.get("confirmed") else []
                names = [each.key.key_id for each in found]
                return render(request, "node_revoke.html", {**facts, "names": names, "problems": missing})
            record_keys(warehouse, "node revoke", node, found, clock=clock, who=request.user.get_username())
    except Refuse as error:
        return render(request, "node_revoke.html", {**facts, "problems": error.problems}, status=422)
    messages.success(request, _("Revoked. What had arrived before is kept; take it out with cardhour retract node."))
    return redirect("record", "nodes", node)
