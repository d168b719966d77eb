"""Addresses of the pages that customers have of themselves."""

from __future__ import annotations

from django.urls import path

from cardhour_billing.portal.views import reports, usage

urlpatterns = [
    path("usage/", usage.usage, name="usage"),
    path("usage/report", reports.report, name="usage-report"),
    path("usage/reports", reports.report_list, name="usage-reports"),
]
