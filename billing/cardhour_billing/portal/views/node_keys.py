"""Keys of nodes, for admins: enrolling, rotating and revoking, each confirmed on a page that says what it means."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from cardhour_billing.audit.node_trust import record_keys
from cardhour_billing.config import load_config
from cardhour_billing.month import clock_time
from cardhour_billing.portal.access import admin_only
from cardhour_billing.portal.catalog.fields import moment_ms
from cardhour_billing.portal.staff_zone import staff_zone
from cardhour_billing.usage.store import kept_warehouse
from cardhour_contract.clock import SystemClock
from cardhour_contract.errors import Refuse
from cardhour_contract.moment import HOUR_MS
from cardhour_contract.signing import PublicKey

REASON_CHARS_MAX = 200
OVERLAP_HOURS, OVERLAP_HOURS_MAX = 48, 24 * 90
"""How long the keys that a node had stay good, as the command has it."""


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


@require_http_methods(["GET", "HEAD", "POST"])
@admin_only
def rotate(request: HttpRequest) -> HttpResponse:
    """Enrol a key and let the node's others end after an overlap: what that means first, then doing it."""
    from cardhour_ingest.warehouse.node_keys import rotation

    given, clock = request.POST if request.method == "POST" else request.GET, SystemClock()
    node, text = given.get("node", "").strip(), given.get("key", "").strip()
    overlap = given.get("overlap", str(OVERLAP_HOURS)).strip()
    facts = {"section": "nodes", "node": node, "key": text, "overlap": overlap}
    if request.method != "POST":
        return render(request, "node_rotate.html", facts)
    try:
        if not (overlap.isascii() and overlap.isdigit() and int(overlap[:6]) <= OVERLAP_HOURS_MAX):
            raise Refuse(_("Write the overlap in whole hours, at most %(hours)s.") % {"hours": OVERLAP_HOURS_MAX})
        key = PublicKey.parse(text)
        until_ms = clock.now_ms() + int(overlap) * HOUR_MS
        with kept_warehouse(load_config()) as warehouse:
            found = rotation(warehouse, node, key, until_ms)
            if not found:
                messages.success(request, _("Nothing to change: the key is enrolled, and the others end by then."))
                return redirect("record", "nodes", node)
            if given.get("confirmed") != "yes":
                shown = {"confirm": key.key_id, "until_ms": until_ms, "zone": staff_zone()}
                ending = [each.key.key_id for each in found if each.from_ms]
                return render(request, "node_rotate.html", {**facts, **shown, "ending": ending})
            record_keys(warehouse, "node rotate", node, found, clock=clock, who=request.user.get_username())
    except Refuse as error:
        return render(request, "node_rotate.html", {**facts, "problems": error.problems}, status=422)
    said = _("Key %(key)s is enrolled for node %(node)s; its other keys are good until %(at)s.")
    at = clock_time(until_ms, staff_zone(), "%Y-%m-%d %H:%M")
    messages.success(request, said % {"key": key.key_id, "node": node, "at": at})
    return redirect("record", "nodes", node)


@require_POST
@admin_only
def revoke(request: HttpRequest) -> HttpResponse:
    """Refuse what a node signs with a key from a time on: what it says first, then doing it."""
    from cardhour_ingest.warehouse.node_keys import reports_since, revocation

    asked, clock, zone = request.POST, SystemClock(), staff_zone()
    node, key_id, confirmed = asked.get("node", ""), asked.get("key_id", ""), asked.get("confirmed") == "yes"
    reason, since = asked.get("reason", "").strip()[:REASON_CHARS_MAX], asked.get("since", "").strip()
    facts: dict[str, object] = {
        "section": "nodes", "node": node, "key_id": key_id, "reason": reason, "since": since, "zone": zone,
    }  # fmt: skip
    try:
        from_ms = moment_ms(since, str(_("Refused from")), zone) if since else clock.now_ms()
        with kept_warehouse(load_config()) as warehouse:
            found = revocation(warehouse, node, [key_id] if key_id else [], from_ms, reason)
            if not found:
                messages.success(request, _("Nothing to revoke: it is revoked already."))
                return redirect("record", "nodes", node)
            facts |= {
                "names": [each.key.key_id for each in found],
                "from_ms": from_ms,
                "stored": reports_since(warehouse, node, from_ms) if from_ms < clock.now_ms() else 0,
            }
            # A time that was typed last is looked at before it is confirmed: what arrived since is counted for it.
            if not confirmed or not reason or since != asked.get("shown_since", since):
                facts["problems"] = [_("Say why: it is kept with the revocation.")] if confirmed and not reason else []
                return render(request, "node_revoke.html", facts)
            record_keys(warehouse, "node revoke", node, found, clock=clock, who=request.user.get_username())
    except Refuse as error:
        return render(request, "node_revoke.html", {**facts, "problems": error.problems}, status=422)
    messages.success(request, _("Revoked. What had arrived before is kept; take it out with cardhour retract node."))
    return redirect("record", "nodes", node)
