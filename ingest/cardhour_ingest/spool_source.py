"""Reports straight from agents' spools on this machine: no broker, no second copy.

Owns reading spool files in order and forgetting what is stored. Does not own the files' form (``contract.spool``).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from cardhour_contract.clock import Clock
from cardhour_contract.spool import Spool
from cardhour_contract.wire import Envelope, envelope_headers
from cardhour_ingest.dead_letter import NODE_PREFIX, DeadLetter
from cardhour_ingest.source import Message, Position

POLL_REPORTS = 2_000
"""Reports taken from one spool at a time: about 4 MB of a busy node, and a node cannot starve the others."""


class SpoolSource:
    """One or several spool files, in turn. Each is opened by the first poll, in the thread that polls."""

    def __init__(self, paths: Sequence[Path], *, clock: Clock) -> None:
        self._paths = tuple(paths)
        self._clock = clock
        self._spools: dict[str, Spool] = {}
        self._after: dict[str, int] = defaultdict(int)

    def poll(self, *, wait_ms: int) -> list[Message]:
        """Nothing announces a new report, so an empty poll sleeps the whole of ``wait_ms``."""
        found = [message for path in self._paths for message in self._read(path)]
        if not found:
            self._clock.sleep_ms(wait_ms)
        return found

    def publish(self, letters: Sequence[DeadLetter]) -> None:
        """Nowhere: on one machine the warehouse's ``dead_letter`` table is the only place they are kept."""

    def commit(self, positions: Sequence[Position]) -> None:
        stored: dict[str, list[int]] = defaultdict(list)
        for each in positions:
            stored[each.stream].append(each.offset)
        for stream, sequences in stored.items():
            self._spools[stream].remove(sequences)

    def close(self) -> None:
        for spool in self._spools.values():
            spool.close()
        self._spools.clear()

    def _read(self, path: Path) -> list[Message]:
        stream = str(path)
        if stream not in self._spools:
            if not path.exists():
                return []  # an agent that has not started yet: its spool is not ours to create
            self._spools[stream] = Spool(path)
        reports = self._spools[stream].take(after=self._after[stream], limit=POLL_REPORTS)
        if reports:
            self._after[stream] = reports[-1].sequence
        now_ms = self._clock.now_ms()
        return [
            Message(
                headers=envelope_headers(
                    Envelope(
                        id=each.ce_id,
                        source=f"{NODE_PREFIX}{each.entry.node}",
                        content_type=each.entry.content_type,
                    )
                ),
                body=each.entry.body,
                received_at_ms=now_ms,
                position=Position(stream, each.sequence),
            )
            for each in reports
        ]
