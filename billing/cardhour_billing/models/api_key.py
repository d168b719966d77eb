"""Keys that programs call the API with, and the answers that a repeated write is given again."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from cardhour_billing.models.party import NAME_CHARS_MAX, Customer

IDEMPOTENCY_CHARS_MAX = 200


class ApiKey(models.Model):
    """A key of a customer, or of one member of staff. The token itself is nowhere: only its SHA-256 is kept."""

    customer = models.ForeignKey(Customer, null=True, blank=True, on_delete=models.CASCADE, related_name="api_keys")
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.CASCADE, related_name="api_keys"
    )
    """Whose it is, where it is staff's: it ends with that login."""
    name = models.CharField(max_length=NAME_CHARS_MAX)
    """What its owner calls it, such as where it is used."""
    prefix = models.CharField(max_length=16, unique=True)
    """The token's beginning, by which people know it."""
    digest = models.CharField(max_length=64, unique=True)
    scopes = models.JSONField()
    """What it may do, a list such as ``["usage:read"]``."""
    created_at_ms = models.BigIntegerField()
    created_by = models.CharField(max_length=150)
    expires_at_ms = models.BigIntegerField()
    """Exclusive."""
    revoked_at_ms = models.BigIntegerField(null=True, blank=True)
    last_used_at_ms = models.BigIntegerField(null=True, blank=True)
    paced_to_ms = models.BigIntegerField(default=0)
    """Until when the calls so far would have filled time at the permitted pace (``api_pace``)."""

    class Meta:
        ordering = ("id",)
        constraints = (
            models.CheckConstraint(
                condition=models.Q(customer__isnull=False, user__isnull=True)
                | models.Q(customer__isnull=True, user__isnull=False),
                name="api_key_of_one_owner",
            ),
            models.CheckConstraint(
                condition=models.Q(expires_at_ms__gt=models.F("created_at_ms")), name="api_key_runs_forward"
            ),
        )

    def __str__(self) -> str:
        return f"{self.prefix}… {self.name}"


class ApiAnswer(models.Model):
    """What a write was answered, kept a day for whoever has to ask again because the answer did not arrive."""

    key = models.ForeignKey(ApiKey, on_delete=models.CASCADE, related_name="answers")
    idempotency_key = models.CharField(max_length=IDEMPOTENCY_CHARS_MAX)
    request_digest = models.CharField(max_length=64)
    """SHA-256 of method, path, query and body."""
    status = models.PositiveIntegerField()
    body = models.BinaryField()
    at_ms = models.BigIntegerField(db_index=True)

    class Meta:
        ordering = ("id",)
        constraints = (models.UniqueConstraint(fields=("key", "idempotency_key"), name="api_answer_once"),)

    def __str__(self) -> str:
        return f"{self.key_id}: {self.idempotency_key}"
