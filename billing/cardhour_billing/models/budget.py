"""What a customer wants to hear of: budgets with thresholds, what crossed them, and its own webhook with a log.

A budget is the customer's to change; what crossed it and each try at telling are insert-only (triggers).
"""

from __future__ import annotations

from django.db import models

from cardhour_billing.models.event import Event
from cardhour_billing.models.party import KEY_CHARS_MAX, NAME_CHARS_MAX, Customer


class Budget(models.Model):
    """An amount that a month should not exceed, or that a balance should not fall below."""

    class Kind(models.TextChoices):
        SPEND = "spend"
        """Charges of a month, without tax, against ``amount``."""
        BALANCE = "balance"
        """What is available of money paid ahead, against ``amount``."""

    customer = models.ForeignKey(Customer, on_delete=models.CASCADE, related_name="budgets")
    kind = models.CharField(max_length=8, choices=Kind.choices, default=Kind.SPEND)
    project = models.CharField(max_length=KEY_CHARS_MAX, blank=True)
    model = models.CharField(max_length=NAME_CHARS_MAX, blank=True)
    """Only usage of this project or model; both empty: everything."""
    amount = models.BigIntegerField()
    """Minor units of the customer's currency."""
    currency = models.CharField(max_length=3)
    thresholds = models.JSONField(default=list)
    """Percent of ``amount``, ascending; a balance has none but 100."""
    emails = models.JSONField(default=list)
    """Who is written to."""
    created_at_ms = models.BigIntegerField()
    who = models.CharField(max_length=150)

    class Meta:
        ordering = ("id",)
        constraints = (models.CheckConstraint(condition=models.Q(amount__gt=0), name="budget_above_zero"),)

    def __str__(self) -> str:
        return f"budget {self.pk}"


class BudgetAlert(models.Model):
    """A threshold that was crossed. Once a month, whatever happens after."""

    customer = models.ForeignKey(Customer, on_delete=models.PROTECT, related_name="budget_alerts")
    budget = models.PositiveBigIntegerField()
    """Id of the budget, which may be gone since."""
    period = models.CharField(max_length=7)
    threshold = models.PositiveIntegerField()
    name = models.CharField(max_length=NAME_CHARS_MAX)
    """What the budget was of, as people read it."""
    reached = models.BigIntegerField()
    """Minor units that were spent, or left."""
    amount = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    emails = models.JSONField(default=list)
    event = models.OneToOneField(Event, on_delete=models.PROTECT, related_name="budget_alert")
    at_ms = models.BigIntegerField()

    class Meta:
        ordering = ("-id",)
        constraints = (models.UniqueConstraint(fields=("budget", "period", "threshold"), name="budget_alert_once"),)

    def __str__(self) -> str:
        return f"budget {self.budget} {self.period}: {self.threshold}%"


class CustomerWebhook(models.Model):
    """Where a customer's own events are told. One for each customer."""

    customer = models.OneToOneField(Customer, on_delete=models.CASCADE, related_name="webhook")
    url = models.CharField(max_length=1024)
    secret = models.CharField(max_length=128)
    """What requests are signed with: the receiver needs it, so it cannot be kept as a hash."""
    since_ms = models.BigIntegerField()
    """Events from before it are not told."""

    def __str__(self) -> str:
        return f"webhook of {self.customer_id}"


class WebhookDelivery(models.Model):
    """One try at telling an event to a customer's webhook."""

    customer = models.ForeignKey(Customer, on_delete=models.PROTECT, related_name="webhook_deliveries")
    event = models.ForeignKey(Event, on_delete=models.PROTECT, related_name="customer_deliveries")
    attempt = models.PositiveIntegerField()
    """From 1."""
    at_ms = models.BigIntegerField()
    status = models.PositiveIntegerField(null=True, blank=True)
    """HTTP status of the answer; empty where none came."""
    outcome = models.CharField(max_length=256)
    delivered = models.BooleanField()

    class Meta:
        ordering = ("id",)
        constraints = (models.UniqueConstraint(fields=("event", "attempt"), name="webhook_delivery_once"),)

    def __str__(self) -> str:
        return f"{self.event_id}/{self.attempt}: {self.outcome}"
