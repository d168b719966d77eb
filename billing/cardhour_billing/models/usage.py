"""Months of usage and other figures as they were put together last, so that a page has one row of them to read;
reports that are being made, and who is sent one each month.

A month is derived: a row can be thrown away and is made again. What is billed is in the invoice.
"""

from __future__ import annotations

from django.conf import settings
from django.db import models

from cardhour_billing.models.party import NAME_CHARS_MAX, Customer


class UsageSnapshot(models.Model):
    """One customer's month."""

    customer = models.ForeignKey(Customer, on_delete=models.CASCADE, related_name="usage_snapshots")
    period = models.CharField(max_length=7)
    document = models.CharField(max_length=NAME_CHARS_MAX, blank=True)
    """Number of the invoice whose frozen usage it shows; empty for an open month."""
    computed_at_ms = models.BigIntegerField()
    content = models.BinaryField()
    """JSON of ``month_usage.content.MonthUsage``."""

    class Meta:
        ordering = ("customer", "period")
        constraints = (models.UniqueConstraint(fields=("customer", "period"), name="usage_snapshot_once"),)

    def __str__(self) -> str:
        return f"{self.customer_id} {self.period}"


class KeptFigures(models.Model):
    """What a page of staff shows and takes longer to reckon than a page may. The page says as of when it is."""

    name = models.CharField(max_length=64, primary_key=True)
    computed_at_ms = models.BigIntegerField()
    content = models.BinaryField()
    """JSON of what its module says."""

    def __str__(self) -> str:
        return self.name


class ReportRun(models.Model):
    """One report that was asked for: how far it is, and what became of it. Of use while people remember it."""

    class State(models.TextChoices):
        RUNNING = "running"
        DONE = "done"
        FAILED = "failed"
        STOPPED = "stopped"
        """Whoever asked went away before the end."""

    customer = models.ForeignKey(Customer, on_delete=models.CASCADE, related_name="report_runs")
    first_day = models.DateField()
    last_day = models.DateField()
    grouping = models.CharField(max_length=32)
    form = models.CharField(max_length=8)
    state = models.CharField(max_length=8, choices=State.choices, default=State.RUNNING)
    done = models.PositiveIntegerField(default=0)
    """Days, months or documents that are through, of ``of``."""
    of = models.PositiveIntegerField()
    rows = models.BigIntegerField(default=0)
    size = models.BigIntegerField(default=0)
    """Bytes so far."""
    outcome = models.TextField(blank=True)
    """Why it failed."""
    who = models.CharField(max_length=150)
    started_at_ms = models.BigIntegerField()
    seen_at_ms = models.BigIntegerField()
    """When it last said how far it was."""

    class Meta:
        ordering = ("-id",)

    def __str__(self) -> str:
        return f"report {self.pk} of {self.customer_id}"


class ReportSubscription(models.Model):
    """A login is mailed the report of each month once it is closed. What was sent is in ``Mail``."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="report_subscriptions")
    grouping = models.CharField(max_length=32)
    form = models.CharField(max_length=8)
    language = models.CharField(max_length=8)
    since = models.CharField(max_length=7)
    """The first month that is sent."""
    created_at_ms = models.BigIntegerField()

    class Meta:
        ordering = ("id",)
        constraints = (models.UniqueConstraint(fields=("user", "grouping", "form"), name="report_subscription_once"),)

    def __str__(self) -> str:
        return f"report {self.pk} of {self.user_id}"
