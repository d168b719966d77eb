"""Dead letters: messages that can never be accepted, kept whole with the reason, for staff to see and replay.

Owns what a letter is, its table, and the limit at which ingest stops instead of writing more. Does not own why a
message is rejected (``reading`` and ``columns`` do).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import pyarrow as pa
from msgspec import Struct

from cardhour_contract.errors import InvariantBroken, Reject
from cardhour_contract.identity import key_of
from cardhour_ingest.source import Message

WINDOW = 1_000
"""Messages over which the share of dead letters is taken: a few minutes of a hundred nodes."""

DEAD_MAX = 500
"""Dead letters in a window that stop ingest. One broken node, or a whole rack of them, stays far below; half of all
messages being bad means that ingest itself, or the format everybody sends, is wrong, and then the topic is the
better place for them: nothing is committed, and they are read again once it is mended."""

SOURCE_ID_HEADER = "ce_id"
NODE_PREFIX = "/nodes/"

_TABLE = pa.schema([
    ("letter", pa.uint64()),
    ("received_at", pa.timestamp("ms", "UTC")),
    ("reason", pa.string()),
    ("path", pa.string()),
    ("detail", pa.string()),
    ("source_id", pa.string()),
    ("node", pa.string()),
    ("position", pa.string()),
    ("headers", pa.list_(pa.struct([("name", pa.binary()), ("value", pa.binary())]))),
    ("body", pa.binary()),
])  # fmt: skip


class DeadLetter(Struct, frozen=True, kw_only=True):
    """A message and why it cannot be accepted."""

    message: Message
    reason: str
    """``Reject.reason``: a stable word."""
    path: str
    detail: str

    @property
    def letter(self) -> int:
        """The same message at the same position is one letter, however often it is read."""
        return key_of("letter", str(self.message.position), self.message.body.hex())

    @property
    def source_id(self) -> str:
        return self._header(SOURCE_ID_HEADER)

    @property
    def node(self) -> str:
        """As the envelope claims, since the body may be unreadable."""
        return self._header("ce_source").removeprefix(NODE_PREFIX)

    def _header(self, wanted: str) -> str:
        found = (value for name, value in self.message.headers if name.lower() == wanted)
        return next(found, b"").decode(errors="replace")


def dead(message: Message, error: Reject) -> DeadLetter:
    return DeadLetter(message=message, reason=error.reason, path=error.path, detail=error.detail)


def table_of(letters: Sequence[DeadLetter]) -> pa.Table:
    """Rows of the warehouse's ``dead_letter``."""
    return pa.table(
        {
            "letter": [each.letter for each in letters],
            "received_at": [each.message.received_at_ms for each in letters],
            "reason": [each.reason for each in letters],
            "path": [each.path for each in letters],
            "detail": [each.detail for each in letters],
            "source_id": [each.source_id for each in letters],
            "node": [each.node for each in letters],
            "position": [str(each.message.position) for each in letters],
            "headers": [[{"name": n.encode(), "value": v} for n, v in each.message.headers] for each in letters],
            "body": [each.message.body for each in letters],
        },
        schema=_TABLE,
    )


class Limit:
    """Counts accepted and dead messages; raises when too many of the last ones were dead."""

    def __init__(self, *, dead_max: int = DEAD_MAX, window: int = WINDOW) -> None:
        self._dead_max = dead_max
        self._recent: deque[bool] = deque(maxlen=window)

    def count(self, *, accepted: int, letters: Sequence[DeadLetter]) -> None:
        """Add a batch. Call before anything of the batch is stored or committed."""
        self._recent.extend([False] * accepted)
        self._recent.extend([True] * len(letters))
        found = sum(self._recent)
        if found > self._dead_max:
            last = letters[-1] if letters else None
            raise InvariantBroken(
                f"{found} of the last {len(self._recent)} messages would be dead letters"
                + (f" (the last one: {last.reason} at {last.path}: {last.detail})" if last else "")
                + "; none of them was committed. Mend the senders, upgrade ingest, or raise [ingest] dead_letters_max"
            )
