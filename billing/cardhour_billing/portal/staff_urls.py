"""Addresses of what staff do: looking at the day, closing a month, and what is done to an invoice."""

from __future__ import annotations

from django.urls import path

from cardhour_billing.portal.views import close, today
from cardhour_billing.portal.views.acts import credit, pay, reissue, reverse, send

urlpatterns = [
    path("today/", today.today_page, name="today"),
    path("today/money/", today.money_part, name="today-money"),
    path("close/", close.close_page, name="close"),
    path("close/<str:month>/", close.close_page, name="close-month"),
    path("close/<str:month>/draft/", close.draft, name="close-draft"),
    path("close/<str:month>/issue/", close.issue, name="close-issue"),
    path("close/runs/<int:run_id>/", close.run_panel, name="close-run"),
    path("invoices/<int:invoice_id>/credit/", credit.credit_page, name="invoice-credit"),
    path("invoices/<int:invoice_id>/mail/", send.send_page, name="invoice-mail"),
    path("invoices/<int:invoice_id>/pay/", pay.pay_page, name="invoice-pay"),
    path("invoices/<int:invoice_id>/void/", credit.void_page, name="invoice-void"),
    path("invoices/<int:invoice_id>/reissue/", reissue.reissue, name="invoice-reissue"),
    path("payments/<int:payment_id>/reverse/", reverse.reverse_page, name="payment-reverse"),
]
