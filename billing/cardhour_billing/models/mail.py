"""What was mailed to whom, and what became of it. Insert-only (triggers)."""

from __future__ import annotations

from django.db import models

from cardhour_billing.models.party import NAME_CHARS_MAX, Customer


class Mail(models.Model):
    """One mail, recorded before it leaves: after a crash its fate is unknown, but not that it was tried."""

    customer = models.ForeignKey(Customer, on_delete=models.PROTECT, related_name="mails", null=True, blank=True)
    """Empty: to staff."""
    key = models.CharField(max_length=NAME_CHARS_MAX)
    """What it is, such as ``invoice INV-2026-0001``."""
    round = models.PositiveIntegerField()
    """From 1: the first mail of that key, the second…"""
    recipients = models.JSONField()
    """Addresses, a list."""
    subject = models.CharField(max_length=NAME_CHARS_MAX)
    message_id = models.CharField(max_length=NAME_CHARS_MAX)
    sha256 = models.CharField(max_length=64)
    """Of the whole message as it was handed over, 64 hex digits."""
    at_ms = models.BigIntegerField()
    who = models.CharField(max_length=150)

    class Meta:
        ordering = ("id",)
        constraints = (models.UniqueConstraint(fields=("key", "round"), name="mail_once"),)

    def __str__(self) -> str:
        return f"{self.key} ({self.round})"


class MailOutcome(models.Model):
    """What the mail server said. A mail without one was cut off: nobody knows whether it left."""

    class State(models.TextChoices):
        SENT = "sent"
        REFUSED = "refused"
        """It certainly did not leave, and may be sent again."""
        UNCERTAIN = "uncertain"
        """The connection broke after the message had been handed over."""

    mail = models.OneToOneField(Mail, on_delete=models.PROTECT, related_name="outcome")
    state = models.CharField(max_length=10, choices=State.choices)
    detail = models.CharField(max_length=NAME_CHARS_MAX, blank=True)
    at_ms = models.BigIntegerField()

    class Meta:
        ordering = ("id",)

    def __str__(self) -> str:
        return f"{self.mail_id}: {self.state}"
