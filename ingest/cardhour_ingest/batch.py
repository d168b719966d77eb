"""What was polled and is not stored yet: messages first, rows soon.

Owns when messages become rows, and letting go of them. Does not own when a batch is full or stored (``loop``), nor the
rows (``tables``).
"""

from __future__ import annotations

from cardhour_contract.errors import Reject
from cardhour_ingest.columns import Names
from cardhour_ingest.dead_letter import DeadLetter, dead
from cardhour_ingest.reading import ANYONE, Arrived, read
from cardhour_ingest.source import Message, Position
from cardhour_ingest.tables import Facts, facts_of, joined
from cardhour_ingest.trust import Trust

PART_BYTES = 2 << 20
"""Bodies that are made into rows together, after which the messages are let go: as objects they take four times their
bytes, and as rows less than once. Making rows takes 0.5 ms besides what each message costs."""


class Batch:
    """What was polled and is not stored yet."""

    def __init__(self, since_ms: int, names: Names | None = None) -> None:
        """names: what earlier batches remember of theirs."""
        self.since_ms = since_ms
        self.letters: list[DeadLetter] = []
        self.positions: list[Position] = []
        self.rows = 0
        self._names = names or Names()
        self._parts: list[Facts] = []
        self._arrived: list[Arrived] = []
        self._bytes = 0

    def add(self, message: Message, trust: Trust = ANYONE) -> None:
        self.positions.append(message.position)
        try:
            arrived = read(message, trust=trust)
        except Reject as error:
            self.letters.append(dead(message, error))
            return
        self._arrived.append(arrived)
        self.rows += arrived.rows
        self._bytes += len(message.body)
        if self._bytes >= PART_BYTES:
            self._settle()

    def facts(self) -> Facts:
        """All rows. ``letters`` is complete when this returns."""
        self._settle()
        return self._parts[0] if len(self._parts) == 1 else joined(self._parts)

    def _settle(self) -> None:
        """Turn the messages at hand into rows and letters, and let them go."""
        if not self._arrived:
            return
        facts, rejected = facts_of(self._arrived, self._names)
        self.letters += [dead(self._arrived[at].message, error) for at, error in rejected.items()]
        self._parts.append(facts)
        self._arrived, self._bytes = [], 0
