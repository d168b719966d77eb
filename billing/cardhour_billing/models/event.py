"""What happened that somebody outside should hear of, and each try at telling them. Insert-only (triggers)."""

from __future__ import annotations

from django.db import models

from cardhour_billing.models.party import KEY_CHARS_MAX, Customer


class Event(models.Model):
    """One thing that happened to a customer. Events of a subject are a sequence, so that no crossing counts twice."""

    customer = models.ForeignKey(Customer, on_delete=models.PROTECT, related_name="events")
    subject = models.CharField(max_length=KEY_CHARS_MAX)
    """What it is about, such as ``credit USD``."""
    sequence = models.PositiveIntegerField()
    """From 1, by customer and subject."""
    kind = models.CharField(max_length=40)
    """Such as ``credit.low``."""
    at_ms = models.BigIntegerField()
    detail = models.JSONField(default=dict)

    class Meta:
        ordering = ("id",)
        constraints = (models.UniqueConstraint(fields=("customer", "subject", "sequence"), name="event_once"),)

    def __str__(self) -> str:
        return f"{self.kind} {self.pk}"


class EventDelivery(models.Model):
    """One try at telling an event to the webhook."""

    event = models.ForeignKey(Event, on_delete=models.PROTECT, related_name="deliveries")
    attempt = models.PositiveIntegerField()
    """From 1."""
    at_ms = models.BigIntegerField()
    status = models.PositiveIntegerField(null=True, blank=True)
    """HTTP status of the answer; empty where none came."""
    outcome = models.CharField(max_length=256)
    """``delivered``, or why not."""
    delivered = models.BooleanField()

    class Meta:
        ordering = ("id",)
        constraints = (models.UniqueConstraint(fields=("event", "attempt"), name="event_delivery_once"),)

    def __str__(self) -> str:
        return f"{self.event_id}/{self.attempt}: {self.outcome}"
