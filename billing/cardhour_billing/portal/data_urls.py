"""Addresses of the staff's data pages: the fleet and its margin, lists of records."""

from __future__ import annotations

from django.urls import path

from cardhour_billing.portal.views import catalog, fleet, records

urlpatterns = [
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
