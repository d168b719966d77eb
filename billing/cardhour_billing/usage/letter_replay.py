"""Dead letters read again on somebody's word, in a thread of the process that was asked.

The audit entry is the run's own row: it names the letters, and the warehouse knows what became of each since. So a run
needs no other record, and one whose process died is known by the lock that nobody holds: what was accepted stands, and
replaying again goes on from there. Does not own reading a letter (``cardhour_ingest.replay``).
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING

import structlog
from django.db import connections
from msgspec import Struct

from cardhour_billing.audit.log import audit
from cardhour_billing.config import BillingConfig
from cardhour_billing.lock import exclusive
from cardhour_billing.models import AuditLog
from cardhour_billing.usage.store import kept_warehouse
from cardhour_contract.clock import Clock
from cardhour_contract.errors import CardHourError

if TYPE_CHECKING:
    from cardhour_ingest.warehouse.client import Warehouse
    from cardhour_ingest.warehouse.letters import Attempt, StoredLetter

LOCK = "dead-letters-replay"
ACTION = "dead letters replay"
START_MS = 20_000
"""How long a run may take to begin, before nobody at it means that it was cut off."""
log = structlog.get_logger()


class Replay(Struct, frozen=True, kw_only=True):
    """How far a replay is. ``stopped``: not all letters have an outcome, and nobody is at it any more."""

    at_ms: int
    who: str
    count: int
    accepted: int
    rejected: tuple[Attempt, ...]
    stopped: bool

    @property
    def done(self) -> int:
        return self.accepted + len(self.rejected)

    @property
    def ended(self) -> bool:
        return self.stopped or self.done == self.count


def audited(letters: Sequence[StoredLetter], *, reason: str, unsigned: bool, clock: Clock, who: str) -> int:
    """Write down who replays what, before it has any effect; the position of that entry."""
    named = [f"{each.letter:016x}" for each in letters]
    subject = reason or f"{len(named)} letters"
    return audit(clock, who, ACTION, subject, {"letters": named, "unsigned": unsigned})


def start(
    letters: Sequence[StoredLetter], config: BillingConfig, *, unsigned: bool, clock: Clock, who: str
) -> threading.Thread:
    """Replay ``letters``, one run after another, and bring the ledger up to date."""

    def work() -> None:
        from cardhour_ingest.replay import replay
        from cardhour_ingest.warehouse.rollup import roll_up

        try:
            with exclusive(LOCK, config.home, wait=True), kept_warehouse(config) as warehouse:
                replay(warehouse, letters, clock=clock, who=who, unsigned=unsigned)
                roll_up(warehouse)
        except CardHourError as error:
            log.warning("letters_replay_stopped", error=str(error))
        finally:
            connections.close_all()

    thread = threading.Thread(target=work, name="letters-replay")
    thread.start()
    return thread


def looked_at(warehouse: Warehouse, entry: AuditLog, config: BillingConfig, *, clock: Clock) -> Replay:
    """How far the replay of an audit entry is."""
    from cardhour_ingest.warehouse.letters import outcomes_since

    letters = [int(each, 16) for each in entry.detail["letters"]]
    with exclusive(LOCK, config.home, wait=False) as free:
        found = outcomes_since(warehouse, letters, entry.at_ms)
    begun = clock.now_ms() - entry.at_ms < START_MS
    rejected = tuple(each for each in found if each.outcome != "accepted")
    return Replay(
        at_ms=entry.at_ms,
        who=entry.who,
        count=len(letters),
        accepted=len(found) - len(rejected),
        rejected=rejected,
        stopped=free and not begun and len(found) < len(letters),
    )
