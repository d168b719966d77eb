"""How a login gets its password without anybody else ever having it: invitations, and who asked for a new one."""

from __future__ import annotations

from django.conf import settings
from django.db import models


class Invitation(models.Model):
    """A login that was invited and has no password yet. Accepting removes the row; withdrawing, the login."""

    user = models.OneToOneField(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="invitation")
    digest = models.CharField(max_length=64)
    """SHA-256 of what the link has; sending it again makes another, and the link before no good."""
    invited_at_ms = models.BigIntegerField()
    expires_at_ms = models.BigIntegerField()
    who = models.CharField(max_length=150)
    """Who invited last."""

    def __str__(self) -> str:
        return f"invitation of {self.user_id}"


class ResetAsk(models.Model):
    """Somebody asked for a link to a new password. Kept for an hour, to count."""

    place = models.CharField(max_length=64)
    """The address of the network that asked."""
    address_digest = models.CharField(max_length=64)
    """SHA-256 of the e-mail address, which may be anybody's."""
    at_ms = models.BigIntegerField(db_index=True)

    def __str__(self) -> str:
        return f"reset asked at {self.at_ms}"
