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
