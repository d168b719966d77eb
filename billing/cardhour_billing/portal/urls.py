"""Addresses of the portal, and the pages for what goes wrong."""

from __future__ import annotations

from django.contrib.auth.views import LogoutView
from django.urls import path, re_path
from django.views.i18n import set_language

from cardhour_billing.api.app import api
from cardhour_billing.api.problem import no_such_address
from cardhour_billing.portal import customer_urls, data_urls, staff_urls
from cardhour_billing.portal.views import api_keys, explain, invoice, passwords, profile, sign_in

urlpatterns = [
    path("", sign_in.home, name="home"),
    path("sign-in/", sign_in.SignIn.as_view(), name="login"),
    path("sign-out/", LogoutView.as_view(), name="logout"),
    path("forgotten/", passwords.forgotten, name="forgotten"),
    path("new-password/<str:uidb64>/<str:token>/", passwords.NewPassword.as_view(), name="password-new"),
    path("invitation/<str:uidb64>/<str:token>/", passwords.AcceptInvitation.as_view(), name="invitation"),
    path("second-factor/", profile.code_page, name="second-factor"),
    path("profile/", profile.profile_page, name="profile"),
    path("profile/second-factor/", profile.enrol_page, name="enrol"),
    path("profile/second-factor/off/", profile.turn_off, name="second-factor-off"),
    path("profile/recovery-codes/", profile.codes_page, name="recovery-codes"),
    path("language/", set_language, name="set_language"),
    *customer_urls.urlpatterns,
    path("invoices/", invoice.invoice_list, name="invoices"),
    path("invoices/<int:invoice_id>/", invoice.invoice_page, name="invoice"),
    path("invoices/<int:invoice_id>/statement.pdf", invoice.invoice_pdf_file, name="invoice-pdf"),
    path("invoices/<int:invoice_id>/lines.csv", invoice.invoice_csv_file, name="invoice-csv"),
    path("invoices/<int:invoice_id>/document.xml", invoice.invoice_xml_file, name="invoice-xml"),
    path("invoices/<int:invoice_id>/lines.xlsx", invoice.invoice_xlsx_file, name="invoice-xlsx"),
    path("invoices/<int:invoice_id>/lines/<int:position>/", explain.line_page, name="explain"),
    *staff_urls.urlpatterns,
    path("api-keys/", api_keys.key_page, name="api-keys"),
    path("api-keys/<int:key_id>/revoke/", api_keys.revoke, name="api-key-revoke"),
    path("api/v1/", api.urls),
    re_path("^api(?:/|$)", no_such_address),
    *data_urls.urlpatterns,
]
