"""What every fact of the catalog is: a bitemporal row that is superseded, never edited.

Valid ``[from, to)`` in UTC milliseconds; an empty ``to`` means until further notice. A row that another supersedes is
history; the *current* rows are those that none supersedes, and only they may not overlap.
"""

from __future__ import annotations

from django.db import models

NOT_SUPERSEDED = models.Q(superseded_by__isnull=True)
"""Filter for the current rows of a bitemporal table."""


class Bitemporal(models.Model):
    """When a row holds in the world, and when we learnt it."""

    valid_from_ms = models.BigIntegerField()
    valid_to_ms = models.BigIntegerField(null=True, blank=True)
    """Exclusive; empty until further notice."""
    recorded_at_ms = models.BigIntegerField()
    supersedes = models.OneToOneField(
        "self", null=True, blank=True, on_delete=models.PROTECT, related_name="superseded_by"
    )

    class Meta:
        abstract = True
