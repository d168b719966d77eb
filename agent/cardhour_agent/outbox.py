"""The outbox: takes reports over from the sampler, and answers for them from then on.

Owns the order in which a report becomes durable, and what happens when there is no room. Does not own shipping. The
order, with what each step guarantees:

1. Append to the spool, one transaction, flushed to disk: from here a report survives a crash of process and machine.
2. Replace the last-seen file: a restart bridges from what is in the spool. A crash between 1 and 2 leaves an older
   file, and the restart bridges time that is already reported; the union counts it once.
3. Wake the shipper. It removes a report only after the broker has acknowledged it, so a crash anywhere before that
   means that the report is sent again, with the same id.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import structlog

from cardhour_agent.last_seen import LastSeenFile
from cardhour_agent.merging import NEAR_FULL, Merger
from cardhour_agent.sampler import Sampler
from cardhour_agent.timeline import Tick
from cardhour_contract.record import Report
from cardhour_contract.spool import Entry, Spool, SpoolFull
from cardhour_contract.wire import encode_packed

_log = structlog.get_logger("cardhour.outbox")


def entry_of(report: Report) -> Entry:
    """A report as the spool keeps it."""
    return Entry(node=report.node, boot_id=report.boot_id, created_at_ms=report.wall_ms, body=encode_packed(report))


class Outbox:
    """Puts the reports of one node into its spool."""

    def __init__(self, spool: Spool, last_seen: LastSeenFile, sampler: Sampler, wake: Callable[[], None]) -> None:
        self._spool = spool
        self._last_seen = last_seen
        self._sampler = sampler
        self._wake = wake
        self._merger = Merger(spool)
        self._full = False
        self.dropped = 0
        """Reports that there was no room for; their time is told of later."""

    def put(self, reports: Sequence[Report], now: Tick) -> None:
        """Take over the reports of one sample. Never raises for lack of room: that is told in later card records."""
        if not reports:
            return
        try:
            self._append([entry_of(each) for each in reports])  # 1
            self._last_seen.write(self._sampler.last_seen(), now)  # 2
        except SpoolFull as error:
            self.dropped += len(reports)
            for report in reports:
                self._sampler.lost(report)
            if not self._full:
                _log.error("reports are not kept: the spool is full", error=str(error))
            self._full = True
            return
        except OSError as error:
            # The reports are safe; only a restart right now would bridge from an older sample.
            _log.warning("the last-seen file could not be written", error=str(error))
        if self._full:
            _log.info("the spool has room again")
            self._full = False
        self._wake()  # 3

    @property
    def merged(self) -> int:
        """Reports that became part of another to make room."""
        return self._merger.merged

    def _append(self, entries: Sequence[Entry]) -> None:
        """Append, and make room first where it gets short. Raises SpoolFull where merging all of it is not enough."""
        if self._spool.fullness >= NEAR_FULL:
            self._merger.make_room()
        while True:
            try:
                self._spool.append(entries)
            except SpoolFull:
                if not self._merger.make_room():
                    raise
            else:
                return
