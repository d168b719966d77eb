"""Whose usage is whose."""

from __future__ import annotations

from django.db import models

from cardhour_billing.models.bitemporal import Bitemporal
from cardhour_billing.models.party import NAME_CHARS_MAX, Customer, Project


class Binding(Bitemporal):
    """An owner, somewhere, is a customer. An empty scope field means anywhere; ``owner`` may end in ``*``."""

    customer = models.ForeignKey(Customer, on_delete=models.PROTECT, related_name="bindings")
    project = models.ForeignKey(Project, null=True, blank=True, on_delete=models.PROTECT, related_name="bindings")
    owner = models.CharField(max_length=NAME_CHARS_MAX)
    cluster = models.CharField(max_length=NAME_CHARS_MAX, blank=True)
    node = models.CharField(max_length=NAME_CHARS_MAX, blank=True)
    card = models.CharField(max_length=NAME_CHARS_MAX, blank=True)

    class Meta:
        ordering = ("id",)
        constraints = (
            models.CheckConstraint(
                condition=models.Q(valid_to_ms__isnull=True) | models.Q(valid_to_ms__gt=models.F("valid_from_ms")),
                name="binding_runs_forward",
            ),
        )

    def __str__(self) -> str:
        return f"{self.owner} is {self.customer_id}"
