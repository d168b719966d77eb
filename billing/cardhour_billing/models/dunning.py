"""Reminders that were sent."""

from __future__ import annotations

from django.db import models

from cardhour_billing.models.invoice import Invoice
from cardhour_billing.models.party import NAME_CHARS_MAX


class Reminder(models.Model):
    """An invoice was reminded of, at a level. Insert-only (triggers)."""

    invoice = models.ForeignKey(Invoice, on_delete=models.PROTECT, related_name="reminders")
    level = models.PositiveSmallIntegerField()
    """From 1."""
    day = models.DateField()
    left = models.BigIntegerField()
    """Minor units that were open then."""
    sent_to = models.CharField(max_length=NAME_CHARS_MAX, blank=True)
    """Address, or how else it was sent."""
    subject = models.CharField(max_length=NAME_CHARS_MAX)
    text = models.TextField()
    sent_at_ms = models.BigIntegerField()
    who = models.CharField(max_length=150)

    class Meta:
        ordering = ("id",)
        constraints = (models.UniqueConstraint(fields=("invoice", "level"), name="reminder_once"),)

    def __str__(self) -> str:
        return f"level {self.level} of {self.invoice_id}"
