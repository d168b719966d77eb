"""What cards cost their owner. For margin alone: no document shows it."""

from __future__ import annotations

from django.db import models

from cardhour_billing.models.bitemporal import Bitemporal
from cardhour_billing.models.party import NAME_CHARS_MAX


class Cost(Bitemporal):
    """One server of a model. Amounts are integers of 1e-9 currency units."""

    model = models.CharField(max_length=NAME_CHARS_MAX)
    currency = models.CharField(max_length=3)
    cards_per_server = models.PositiveIntegerField()
    purchase_nano = models.BigIntegerField()
    depreciation_months = models.PositiveIntegerField()
    hosting_nano = models.BigIntegerField()
    """A month, as is power."""
    power_nano = models.BigIntegerField()

    class Meta:
        ordering = ("id",)
        constraints = (
            models.CheckConstraint(
                condition=models.Q(valid_to_ms__isnull=True) | models.Q(valid_to_ms__gt=models.F("valid_from_ms")),
                name="cost_runs_forward",
            ),
            models.CheckConstraint(
                condition=models.Q(cards_per_server__gt=0, depreciation_months__gt=0), name="cost_can_be_divided"
            ),
        )

    def __str__(self) -> str:
        return f"{self.model}: {self.purchase_nano}e-9 {self.currency}"
