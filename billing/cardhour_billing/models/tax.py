"""How sales are taxed."""

from __future__ import annotations

from django.db import models

from cardhour_billing.models.bitemporal import Bitemporal
from cardhour_billing.models.party import NAME_CHARS_MAX, Customer


class TaxRule(Bitemporal):
    """How sales are taxed. No customer: everybody; an empty model: everything, or a prefix ending in ``*``."""

    customer = models.ForeignKey(Customer, null=True, blank=True, on_delete=models.PROTECT, related_name="tax_rules")
    model = models.CharField(max_length=NAME_CHARS_MAX, blank=True)
    category = models.CharField(max_length=16)
    """``standard``, ``reduced``, ``zero``, ``exempt`` or ``reverse-charge``."""
    rate_ppm = models.PositiveIntegerField()
    """Parts per million: 60 000 for 6 %."""
    note = models.TextField(blank=True)
    """Legal sentence that the document prints."""

    class Meta:
        ordering = ("id",)
        constraints = (
            models.CheckConstraint(
                condition=models.Q(valid_to_ms__isnull=True) | models.Q(valid_to_ms__gt=models.F("valid_from_ms")),
                name="tax_rule_runs_forward",
            ),
        )

    def __str__(self) -> str:
        return f"{self.category} at {self.rate_ppm} ppm"
