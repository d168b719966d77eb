"""Applying a catalog: who bills, who pays, whose usage is whose and what it costs, as code.

Owns that what was shown is what is written, all of it or nothing. Does not own how a noun is written
(``catalog_<noun>``). Facts are never edited: a changed one is a new row that supersedes the old. Applying a file twice
changes nothing; what a file does not name stays.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import msgspec
from django.db import transaction

from cardhour_billing.audit.log import audit
from cardhour_billing.catalog.change import Change
from cardhour_billing.catalog.noun import CatalogFile
from cardhour_billing.catalog.nouns import NOUNS
from cardhour_billing.catalog.plan import plan
from cardhour_billing.models.party import lock_issuers
from cardhour_contract.clock import Clock
from cardhour_contract.errors import Refuse


def apply_catalog(file: CatalogFile, shown: Sequence[Change], *, clock: Clock, who: str, correct: bool = False) -> None:
    """Write the changes that were shown, all or none. Refuses where the store has changed since they were planned."""
    writers = {noun.name: noun.write for noun in NOUNS}
    with transaction.atomic():
        lock_issuers()  # one catalog at a time
        changes = plan(file, correct=correct)
        if [_seen(change) for change in changes] != [_seen(change) for change in shown]:
            raise Refuse("the catalog was changed by someone else meanwhile: run the command again")
        recorded_at_ms = clock.now_ms()
        for change in changes:
            writers[change.kind](change, recorded_at_ms)
        for change in changes:
            audit(
                clock, who, f"catalog.{change.action}", f"{change.kind} {change.subject}"[:256], {"what": change.detail}
            )


def digest_of(changes: Sequence[Change]) -> str:
    """SHA-256 of what a reader was shown: who confirms it confirms exactly these changes."""
    return hashlib.sha256(msgspec.json.encode([_seen(change) for change in changes])).hexdigest()


def _seen(change: Change) -> tuple[str, ...]:
    return change.kind, change.action, change.subject, change.detail
