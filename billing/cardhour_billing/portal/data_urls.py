"""Addresses of the staff's data pages: the fleet and its margin, lists of records."""

from __future__ import annotations

from django.urls import path

from cardhour_billing.portal.views import fleet, records

urlpatterns = [
    path("records/<slug:slug>/", records.list_page, name="records"),
    path("records/<slug:slug>/<str:key>/", records.record_page, name="record"),
    path("fleet/", fleet.fleet_page, name="fleet"),
    path("fleet/<str:month>/", fleet.fleet_page, name="fleet-month"),
]
