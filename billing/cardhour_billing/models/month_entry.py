"""A month that was closed without a document: an entry of the customer's statement, without a number."""

from __future__ import annotations

from django.db import models

from cardhour_billing.models.party import Customer


class MonthEntry(models.Model):
    """Insert-only (triggers). Usage of the month that comes to light later is billed with a later month."""

    class Kind(models.TextChoices):
        EMPTY = "empty"
        """Nothing to bill."""
        CARRIED = "carried"
        """Below the minimum of an invoice: billed with the next month."""

    customer = models.ForeignKey(Customer, on_delete=models.PROTECT, related_name="month_entries")
    period = models.CharField(max_length=7)
    """``YYYY-MM`` in ``timezone``."""
    timezone = models.CharField(max_length=64)
    kind = models.CharField(max_length=8, choices=Kind.choices)
    currency = models.CharField(max_length=3)
    total = models.BigIntegerField()
    """Minor units, tax included: what was carried forward."""
    recorded_at_ms = models.BigIntegerField()
    who = models.CharField(max_length=150)

    class Meta:
        ordering = ("period", "customer__key")
        constraints = (models.UniqueConstraint(fields=("customer", "period"), name="month_entry_once"),)

    def __str__(self) -> str:
        return f"{self.kind} {self.period} of {self.customer_id}"
