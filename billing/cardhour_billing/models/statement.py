"""Statements (对账单): what a customer was shown of its account, and what it said to that.

A statement has no number and is no document of value: it can be drawn up again, as another revision. Rows and events
are insert-only (triggers); what a statement is now is derived from its events.
"""

from __future__ import annotations

from django.db import models

from cardhour_billing.models.party import Customer


class Statement(models.Model):
    """One statement as it was drawn up; what it shows is ``frozen``."""

    customer = models.ForeignKey(Customer, on_delete=models.PROTECT, related_name="statements")
    first_day = models.DateField()
    last_day = models.DateField()
    """Inclusive; both in the customer's zone."""
    revision = models.PositiveIntegerField()
    """From 1 for a customer and range."""
    currency = models.CharField(max_length=3)
    opening = models.BigIntegerField()
    """Minor units, as is ``closing``: what the customer owed before the range and owes after it."""
    closing = models.BigIntegerField()
    frozen = models.BinaryField()
    """JSON of ``statement_document.StatementDocument``."""
    drawn_at_ms = models.BigIntegerField()
    who = models.CharField(max_length=150)

    class Meta:
        ordering = ("customer__key", "first_day", "last_day", "revision")
        constraints = (
            models.UniqueConstraint(fields=("customer", "first_day", "last_day", "revision"), name="statement_once"),
        )

    def __str__(self) -> str:
        return f"statement {self.pk}"


class StatementEvent(models.Model):
    """What became of a statement: it was sent, its reader confirmed it, or disputed lines of it."""

    class Kind(models.TextChoices):
        SENT = "sent"
        CONFIRMED = "confirmed"
        DISPUTED = "disputed"

    statement = models.ForeignKey(Statement, on_delete=models.PROTECT, related_name="events")
    kind = models.CharField(max_length=10, choices=Kind.choices)
    line = models.PositiveIntegerField(null=True, blank=True)
    """Which line is disputed."""
    note = models.TextField(blank=True)
    """To whom it was sent, who confirmed it, or why a line is disputed."""
    at_ms = models.BigIntegerField()
    who = models.CharField(max_length=150)

    class Meta:
        ordering = ("statement", "id")

    def __str__(self) -> str:
        return f"{self.statement_id} {self.kind}"
