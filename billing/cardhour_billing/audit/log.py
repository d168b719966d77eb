"""The audit log: who did what on purpose. Insert-only, and a chain: each entry has the SHA-256 of the one before it.

Owns writing an entry and what its digest is taken over. Does not own checking the chain (``chain``). An entry is
written last in the transaction of what it tells: the chain is one for all, so its lock is held from here to the commit.
"""

from __future__ import annotations

import getpass
import hashlib
from collections.abc import Iterable
from typing import Any

import msgspec
from django.db import transaction

from cardhour_billing.lock import until_commit
from cardhour_billing.models import AuditLog
from cardhour_contract.clock import Clock

FIRST = "0" * 64
"""What the first entry follows."""

WHO_CHARS_MAX = 150
SUBJECT_CHARS_MAX = 256


Change = tuple[str, str, dict[str, Any]]
"""Action, subject, detail, which is of what JSON has, without fractions."""


def audit(clock: Clock, who: str, action: str, subject: str, detail: dict[str, Any]) -> int:
    """Record one deliberate change; the position of its entry."""
    return audit_all(clock, who, [(action, subject, detail)])


def audit_all(clock: Clock, who: str, changes: Iterable[Change]) -> int:
    """Record deliberate changes, one entry each, in their order; the position of the last."""
    with transaction.atomic():
        # 1. Nobody else is between reading the head and committing the next entry; were it otherwise, the unique key of
        # ``previous`` would let only one of the two stand.
        until_commit("audit-chain")
        head = AuditLog.objects.order_by("-position").values_list("position", "digest").first()
        position, previous = head or (0, FIRST)
        entries: list[AuditLog] = []
        for action, subject, detail in changes:
            position += 1
            entry = AuditLog(
                position=position,
                at_ms=clock.now_ms(),
                who=who[:WHO_CHARS_MAX],
                action=action,
                subject=subject[:SUBJECT_CHARS_MAX],
                detail=detail,
                previous=previous,
            )
            previous = entry.digest = digest_of(entry)
            entries.append(entry)
        AuditLog.objects.bulk_create(entries)
    return position


def digest_of(entry: AuditLog) -> str:
    """SHA-256 of the canonical JSON of an entry: keys sorted, no white space, UTF-8; everything but the digest."""
    content = {
        "position": entry.position,
        "at_ms": entry.at_ms,
        "who": entry.who,
        "action": entry.action,
        "subject": entry.subject,
        "detail": entry.detail,
        "previous": entry.previous,
    }
    return hashlib.sha256(msgspec.json.encode(content, order="sorted")).hexdigest()


def login_name() -> str:
    """The login of whoever runs this process; its number where the machine has no name for it."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container may run as a number without an entry
        return "unnamed"
