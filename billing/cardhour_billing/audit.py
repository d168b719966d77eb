"""The audit log: who did what on purpose. Insert-only; written in the transaction of what it tells."""

from __future__ import annotations

import getpass
from typing import Any

from cardhour_billing.models import AuditLog
from cardhour_contract.clock import Clock


def audit(clock: Clock, who: str, action: str, subject: str, detail: dict[str, Any]) -> None:
    """Record one deliberate change."""
    AuditLog.objects.create(at_ms=clock.now_ms(), who=who[:150], action=action, subject=subject, detail=detail)


def login_name() -> str:
    """The login of whoever runs this process; its number where the machine has no name for it."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container may run as a number without an entry
        return "unnamed"
