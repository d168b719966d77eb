"""What was done by whom: job runs and the audit log."""

from __future__ import annotations

from django.db import models


class JobRun(models.Model):
    """A scheduled job did a period. This row is the truth of the scheduler; its own memory is not."""

    class State(models.TextChoices):
        RUNNING = "running"
        DONE = "done"
        FAILED = "failed"

    job = models.CharField(max_length=40)
    period = models.CharField(max_length=20)
    state = models.CharField(max_length=8, choices=State.choices, default=State.RUNNING)
    started_at_ms = models.BigIntegerField()
    finished_at_ms = models.BigIntegerField(null=True, blank=True)
    attempts = models.PositiveIntegerField(default=1)
    outcome = models.TextField(blank=True)
    """One sentence: what was done, or why it failed."""

    class Meta:
        constraints = (models.UniqueConstraint(fields=("job", "period"), name="job_run_once"),)

    def __str__(self) -> str:
        return f"{self.job} {self.period}: {self.state}"


class CloseRun(models.Model):
    """A close of a month that somebody asked for: how far it is, and what it found. Kept, so that it can be read."""

    class State(models.TextChoices):
        RUNNING = "running"
        DONE = "done"
        FAILED = "failed"

    token = models.CharField(max_length=40, unique=True)
    """Of the form that asked for it: a form that is sent twice asks once."""
    month = models.CharField(max_length=7)
    issue = models.BooleanField()
    customers = models.JSONField(default=list)
    """Ids of the only customers it is for; empty for all."""
    who = models.CharField(max_length=150)
    state = models.CharField(max_length=8, choices=State.choices, default=State.RUNNING)
    what = models.CharField(max_length=256, blank=True)
    """What is being done, while it runs; why it failed, where it did."""
    done = models.PositiveIntegerField(default=0)
    of = models.PositiveIntegerField(default=0)
    issued = models.PositiveIntegerField(default=0)
    """Invoices that this run issued, that it left as drafts, and of those how many findings hold back."""
    drafts = models.PositiveIntegerField(default=0)
    blocked = models.PositiveIntegerField(default=0)
    checks = models.JSONField(default=list)
    """The checklist, as ``checklist.Check`` has it."""
    started_at_ms = models.BigIntegerField()
    heard_at_ms = models.BigIntegerField()
    """When it last said how far it is."""
    finished_at_ms = models.BigIntegerField(null=True, blank=True)

    class Meta:
        ordering = ("id",)
        indexes = (models.Index(fields=("month", "id"), name="close_run_month"),)

    def __str__(self) -> str:
        return f"{'issue' if self.issue else 'draft'} {self.month}: {self.state}"


class AuditLog(models.Model):
    """One deliberate change, chained to the one before it. Insert-only (triggers); written by ``audit`` alone."""

    position = models.BigIntegerField(primary_key=True)
    """From 1, without a gap: an entry that is missing is missed."""
    at_ms = models.BigIntegerField()
    who = models.CharField(max_length=150)
    """Login of the portal or of the machine."""
    action = models.CharField(max_length=40)
    subject = models.CharField(max_length=256)
    detail = models.JSONField(default=dict)
    previous = models.CharField(max_length=64, unique=True)
    """``digest`` of the entry before; unique, so that no two entries can follow the same one."""
    digest = models.CharField(max_length=64)
    """SHA-256 of the canonical JSON of all the above."""

    class Meta:
        ordering = ("position",)

    def __str__(self) -> str:
        return f"{self.who}: {self.action} {self.subject}"
