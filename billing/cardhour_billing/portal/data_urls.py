"""Addresses of the staff's data pages: fleet and margin, records, the catalog, logins, nodes' keys, the audit log."""

from __future__ import annotations

from django.urls import path

from cardhour_billing.portal.views import audit, catalog, fleet, letters, node_keys, records, users

urlpatterns = [
    path("audit/", audit.audit_page, name="audit"),
    path("audit/verify/", audit.verify, name="audit-verify"),
    path("users/", users.user_list, name="users"),
    path("users/<int:user_id>/", users.user_page, name="user"),
    path("users/<int:user_id>/<slug:action>/", users.user_change, name="user-change"),
    path("nodes/enrol/", node_keys.enrol, name="node-enrol"),
    path("nodes/rotate/", node_keys.rotate, name="node-rotate"),
    path("nodes/revoke/", node_keys.revoke, name="node-revoke"),
    path("dead-letters/replay/", letters.replay, name="letters-replay"),
    path("dead-letters/replays/<int:position>/", letters.run_page, name="letters-run"),
    path("catalog/", catalog.text_page, name="catalog-text"),
    path("catalog/preview/", catalog.preview, name="catalog-preview"),
    path("catalog/apply/", catalog.apply, name="catalog-apply"),
    path("catalog/<slug:name>/", catalog.form_page, name="catalog-form"),
    path("catalog/<slug:name>/preview/", catalog.form_preview, name="catalog-form-preview"),
    path("records/<slug:slug>/", records.list_page, name="records"),
    path("records/<slug:slug>/<str:key>/", records.record_page, name="record"),
    path("fleet/", fleet.fleet_page, name="fleet"),
    path("fleet/<str:month>/", fleet.fleet_page, name="fleet-month"),
]
