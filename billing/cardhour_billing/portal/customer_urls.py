"""Addresses of the pages that customers have of themselves."""

from __future__ import annotations

from django.urls import path

from cardhour_billing.portal.views import (
    budgets,
    holding,
    organisation,
    reports,
    statement_answer,
    statements,
    subscriptions,
    usage,
)

urlpatterns = [
    path("usage/", usage.usage, name="usage"),
    path("usage/report", reports.report, name="usage-report"),
    path("usage/reports", reports.report_list, name="usage-reports"),
    path("usage/subscriptions/", subscriptions.subscription_page, name="report-subscriptions"),
    path(
        "usage/subscriptions/<int:subscription_id>/end", subscriptions.subscription_end, name="report-subscription-end"
    ),
    path("reports/end/<str:token>/", subscriptions.report_end, name="report-end"),
    path("statements/", statements.statement_list, name="statements"),
    path("statements/<int:statement_id>/", statements.statement_page, name="statement"),
    path("statements/<int:statement_id>/statement.<str:form>", statements.statement_file, name="statement-file"),
    path("statements/answer/<str:token>/", statement_answer.answer, name="statement-answer"),
    path("leases/", holding.leases, name="leases"),
    path("balance/", holding.balance, name="balance"),
    path("budgets/", budgets.budgets, name="budgets"),
    path("budgets/add", budgets.add, name="budget-add"),
    path("budgets/webhook", budgets.webhook, name="budget-webhook"),
    path("budgets/<int:budget_id>/change", budgets.change, name="budget-change"),
    path("budgets/<int:budget_id>/remove", budgets.remove, name="budget-remove"),
    path("organisation/", organisation.users, name="organisation"),
    path("organisation/<int:user_id>", organisation.change, name="organisation-change"),
]
