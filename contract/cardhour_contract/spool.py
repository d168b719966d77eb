"""The spool: a node's durable queue of encoded reports, one SQLite file.

The agent appends; the shipper, or ingest on the same machine, reads in order and removes what is safely elsewhere.
An appended report survives a crash of the process and of the machine (WAL, ``synchronous=FULL``: the commit returns
after the write is on disk). Owns the file and its byte limit. Does not own what a report says.
"""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from cardhour_contract.errors import Refuse, Retry
from cardhour_contract.wire import PACKED

BYTES_MAX = 4 * 1024**3
"""Default limit. A busy node of eight cards writes about 40 MB a day, so this is months without a broker."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS spool (id TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS report (
    sequence     INTEGER PRIMARY KEY AUTOINCREMENT,  -- never used twice, also after removal
    created_at_ms INTEGER NOT NULL,
    node         TEXT NOT NULL,
    boot_id      TEXT NOT NULL,
    content_type TEXT NOT NULL,
    body         BLOB NOT NULL
);
CREATE TABLE IF NOT EXISTS handed_over (sequence INTEGER NOT NULL);  -- one row: the last report that a reader took
"""


class Entry(NamedTuple):
    """One report to append: whose it is, when it was made, and its encoded body."""

    node: str
    boot_id: str
    created_at_ms: int
    body: bytes
    content_type: str = PACKED


class Spooled(NamedTuple):
    """One report in the spool. ``ce_id`` is the same each time it is read."""

    sequence: int
    ce_id: str
    entry: Entry


class Depth(NamedTuple):
    reports: int
    bytes: int
    oldest_at_ms: int | None


class SpoolFull(Retry):
    """The spool has reached its limit or the disk is full. What it holds is safe; what was offered is not in it."""


class Spool:
    """One spool file. Use one instance per thread; several may have the file open."""

    def __init__(self, path: Path, *, bytes_max: int = BYTES_MAX) -> None:
        self.path = path
        self._bytes_max = bytes_max
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._db = sqlite3.connect(path, isolation_level=None, timeout=30)
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=FULL")
            self._db.executescript(_SCHEMA)
            self.id = self._identify()
        except sqlite3.DatabaseError as error:
            raise Refuse(f"the spool {path} cannot be opened ({error}): move it aside to start a new one") from error

    def append(self, entries: Iterable[Entry]) -> int:
        """Store reports in one durable transaction: all of them, or none. Returns the last sequence number.

        Raises SpoolFull when the limit or the disk is reached.
        """
        rows = [(e.created_at_ms, e.node, e.boot_id, e.content_type, e.body) for e in entries]
        if self._used_bytes() + sum(len(row[-1]) for row in rows) > self._bytes_max:
            raise SpoolFull(f"the spool {self.path} has reached its limit of {self._bytes_max} bytes")
        try:
            with _Transaction(self._db):
                cursor = self._db.executemany(
                    "INSERT INTO report (created_at_ms, node, boot_id, content_type, body) VALUES (?, ?, ?, ?, ?)", rows
                )
                last = cursor.execute("SELECT max(sequence) FROM report").fetchone()[0]
        except sqlite3.OperationalError as error:
            raise SpoolFull(f"the spool {self.path} could not be written: {error}") from error
        return int(last or 0)

    def read(self, *, after: int = 0, limit: int = 1000) -> list[Spooled]:
        """Up to ``limit`` reports with a sequence above ``after``, oldest first. Reading removes nothing."""
        rows = self._db.execute(
            "SELECT sequence, node, boot_id, created_at_ms, body, content_type FROM report"
            " WHERE sequence > ? ORDER BY sequence LIMIT ?",
            (after, limit),
        )
        return [Spooled(row[0], f"{row[1]}/{row[2]}/{self.id}-{row[0]}", Entry(*row[1:])) for row in rows]

    def take(self, *, after: int = 0, limit: int = 1000) -> list[Spooled]:
        """As ``read``, for whoever sends or stores them: from now on they may be elsewhere, and are never replaced.

        The note of that is durable on return. Where the disk is full it is not made, and they are taken all the same:
        only sending them makes room.
        """
        try:
            with _Transaction(self._db):
                found = self.read(after=after, limit=limit)
                if found and found[-1].sequence > self._handed_over():
                    self._db.execute("DELETE FROM handed_over")
                    self._db.execute("INSERT INTO handed_over (sequence) VALUES (?)", (found[-1].sequence,))
        except sqlite3.OperationalError:
            return self.read(after=after, limit=limit)
        return found

    def not_handed_over(self, *, after: int = 0, limit: int = 1000) -> list[Spooled]:
        """As ``read``, of those that nobody took yet."""
        return self.read(after=max(after, self._handed_over()), limit=limit)

    def replace(self, sequences: Sequence[int], entry: Entry) -> bool:
        """Put one report in the place of several, in one step. False, and nothing changed, where one of them was taken.

        Raises SpoolFull where the disk has no room for even that.
        """
        try:
            with _Transaction(self._db):
                if min(sequences) <= self._handed_over():
                    return False
                self._db.executemany("DELETE FROM report WHERE sequence = ?", [(each,) for each in sequences])
                self._db.execute(
                    "INSERT INTO report (sequence, created_at_ms, node, boot_id, content_type, body)"
                    " VALUES (?, ?, ?, ?, ?, ?)",
                    (min(sequences), entry.created_at_ms, entry.node, entry.boot_id, entry.content_type, entry.body),
                )
        except sqlite3.OperationalError as error:
            raise SpoolFull(f"the spool {self.path} could not be written: {error}") from error
        return True

    @property
    def fullness(self) -> float:
        """Share of the limit that is used."""
        return self._used_bytes() / self._bytes_max

    def remove(self, sequences: Sequence[int]) -> None:
        """Forget reports that are safely elsewhere. Removing one twice is no error."""
        with _Transaction(self._db):
            self._db.executemany("DELETE FROM report WHERE sequence = ?", [(each,) for each in sequences])

    def depth(self) -> Depth:
        """How much waits, and since when."""
        count, oldest = self._db.execute("SELECT count(*), min(created_at_ms) FROM report").fetchone()
        return Depth(count, self._used_bytes(), oldest)

    def close(self) -> None:
        self._db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _identify(self) -> str:
        """A spool has a random name of its own: a new file on the same boot must not repeat the ids of the old one."""
        with _Transaction(self._db):
            row = self._db.execute("SELECT id FROM spool").fetchone()
            if row is None:
                row = (secrets.token_hex(4),)
                self._db.execute("INSERT INTO spool (id) VALUES (?)", row)
        return str(row[0])

    def _handed_over(self) -> int:
        row = self._db.execute("SELECT sequence FROM handed_over").fetchone()
        return int(row[0]) if row else 0

    def _used_bytes(self) -> int:
        pages, free, size = (
            self._db.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "freelist_count", "page_size")
        )
        return int((pages - free) * size)


class _Transaction:
    """BEGIN IMMEDIATE … COMMIT, or ROLLBACK when the block raises."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def __enter__(self) -> None:
        self._db.execute("BEGIN IMMEDIATE")

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._db.execute("ROLLBACK" if kind else "COMMIT")
