"""The zone of the clock that staff work by. Owns that choice: one installation has one, and every page names it."""

from __future__ import annotations

from cardhour_billing.models import Issuer


def staff_zone() -> str:
    """That of the first issuer; UTC before there is one."""
    return Issuer.objects.values_list("timezone", flat=True).first() or "UTC"
