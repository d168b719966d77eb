"""Dead letters in the warehouse: what stands there, and what became of attempts to read them again.

Owns reading and writing both tables. Does not own why a message is rejected (``reading``) nor reading it again
(``replay``).
"""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
from msgspec import Struct

from cardhour_contract.wire import Headers
from cardhour_ingest.warehouse.client import Warehouse
from cardhour_ingest.warehouse.sql import sql

TOO_LATE = "too_late"
"""Reason of letters that the rollup writes: rows for a sealed page. They hold no message."""

LETTERS_MAX = 100_000
"""Letters of one list: more are looked at by reason or by time."""


class StoredLetter(Struct, frozen=True, kw_only=True):
    """A dead letter as it stands now, without its message."""

    letter: int
    received_at_ms: int
    reason: str
    """Of the latest attempt to read it."""
    path: str
    detail: str
    source_id: str
    node: str
    position: str
    replayed: bool
    """Whether its message was accepted since."""
    begun: bool
    """Whether the latest attempt was begun and never ended."""
    begun_offset_ms: int


class StoredMessage(Struct, frozen=True, kw_only=True):
    """The message of a dead letter, byte for byte."""

    headers: Headers
    body: bytes


class Attempt(Struct, frozen=True, kw_only=True):
    """One step of reading a letter again."""

    letter: int
    outcome: str
    """``begun``, ``accepted`` or ``rejected``."""
    offset_ms: int
    reason: str = ""
    path: str = ""
    detail: str = ""


def find_letters(
    warehouse: Warehouse, *, letters: Sequence[int] = (), reason: str = "", since_ms: int = 0
) -> list[StoredLetter]:
    """Dead letters, oldest first; only those named, of a reason, or received since a time."""
    asked = {"letters": list(letters), "reason": reason, "since": since_ms, "limit": LETTERS_MAX}
    rows = warehouse.rows(sql("queries/letters"), **asked)
    flags = ("replayed", "begun")
    return [StoredLetter(**row | {name: bool(row[name]) for name in flags}) for row in rows]


def messages_of(warehouse: Warehouse, letters: Sequence[int]) -> dict[int, StoredMessage]:
    """The messages of some letters."""
    rows = warehouse.rows(sql("queries/letter_messages"), letters=list(letters))
    return {
        row["letter"]: StoredMessage(
            headers=[
                (bytes.fromhex(name).decode(errors="replace"), bytes.fromhex(text)) for name, text in row["headers"]
            ],
            body=bytes.fromhex(row["body"]),
        )
        for row in rows
    }


def outcomes_since(warehouse: Warehouse, letters: Sequence[int], since_ms: int) -> list[Attempt]:
    """What became of some letters, in the latest attempt that ended since a time; those without one are left out."""
    rows = warehouse.rows(sql("queries/letter_outcomes"), letters=list(letters), since=since_ms)
    return [Attempt(**row) for row in rows]


def record_attempts(warehouse: Warehouse, at_ms: int, who: str, attempts: Sequence[Attempt]) -> None:
    """Append what was tried."""
    count = len(attempts)
    columns = {
        "letter": pa.array([each.letter for each in attempts], pa.uint64()),
        "replayed_at": pa.array([at_ms * 1000] * count, pa.timestamp("us", "UTC")),
        "outcome": [each.outcome for each in attempts],
        "offset_ms": pa.array([each.offset_ms for each in attempts], pa.int64()),
        "reason": [each.reason for each in attempts],
        "path": [each.path for each in attempts],
        "detail": [each.detail for each in attempts],
        "who": [who] * count,
    }
    if count:
        warehouse.insert("letter_replay", pa.table(columns))


def stored_batches(warehouse: Warehouse, batches: Sequence[int]) -> set[int]:
    """Those of some batches that are wholly in."""
    return {row["batch"] for row in warehouse.rows(sql("queries/stored_batches"), batches=list(batches))}
