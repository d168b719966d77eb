"""What prepaid customers had used and not been billed for, hour by hour. Insert-only (triggers)."""

from __future__ import annotations

from django.db import models

from cardhour_billing.models.party import Customer


class ProvisionalCharge(models.Model):
    """One look at one customer: all that is unbilled, rated anew from the month's first instant, and what it leaves."""

    customer = models.ForeignKey(Customer, on_delete=models.PROTECT, related_name="provisional_charges")
    hour_ms = models.BigIntegerField()
    """The hour that was looked at begins then."""
    currency = models.CharField(max_length=3)
    unbilled = models.BigIntegerField()
    """Minor units, after grants and tax. May fall: late usage can make it cheaper, a correction take it away."""
    prepaid = models.BigIntegerField()
    """Balance of what was paid ahead, at that moment."""
    at_ms = models.BigIntegerField()

    class Meta:
        ordering = ("id",)
        constraints = (models.UniqueConstraint(fields=("customer", "hour_ms"), name="provisional_charge_once"),)

    def __str__(self) -> str:
        return f"{self.unbilled} of {self.customer_id}"
