"""The Django application: its label and where its models are. Opens nothing, least of all the usage store."""

from __future__ import annotations

from django.apps import AppConfig


class BillingAppConfig(AppConfig):
    """Tables are named ``billing_…``."""

    name = "cardhour_billing"
    label = "billing"
    verbose_name = "CardHour billing"
