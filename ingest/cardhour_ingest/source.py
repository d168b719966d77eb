"""Where reports come from: one protocol for the agent's spool on this machine and for a Kafka topic.

Owns what a message is to ingest and what a source promises. Does not own decoding (``reading``) or the order of storing
and committing (``loop``).

A source delivers each message at least once: until its position is committed it comes again, to this process or to the
next. What ingest stores is a union, so that a second delivery changes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol

from msgspec import Struct

from cardhour_contract.wire import Headers

if TYPE_CHECKING:
    from cardhour_ingest.dead_letter import DeadLetter


class Position(NamedTuple):
    """One place in one stream. ``str`` gives the form that the warehouse keeps."""

    stream: str
    """``topic/partition``, or the path of a spool."""
    offset: int
    """Kafka's offset, or the spool's sequence number. Rises within a stream, with gaps."""

    def __str__(self) -> str:
        return f"{self.stream}/{self.offset}"


class Message(Struct, frozen=True, kw_only=True):
    """One message as it arrived, not yet looked into."""

    headers: Headers
    body: bytes
    received_at_ms: int
    """Arrival: when the broker appended it (its clock, not the sender's), or when the spool was read."""
    position: Position


class Source(Protocol):
    """A stream of messages that remembers how far it has been stored. Used from one thread.

    Any call raises Retry when the other side does not answer; calling again is always safe.
    """

    def poll(self, *, wait_ms: int) -> list[Message]:
        """The next messages; each stream's in order. Waits up to ``wait_ms`` for some, then returns none."""
        ...

    def publish(self, letters: Sequence[DeadLetter]) -> None:
        """Put dead letters where other systems can read them. All are durable there when it returns."""
        ...

    def commit(self, positions: Sequence[Position]) -> None:
        """Never deliver these again: the longest polled of those not committed yet. More may have been polled since."""
        ...

    def close(self) -> None:
        """Let go. What was not committed is delivered again."""
        ...
