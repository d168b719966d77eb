"""Real parts whose steps a test can make fail: a process that dies between any two of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pyarrow as pa

from cardhour_ingest.dead_letter import DeadLetter
from cardhour_ingest.source import Message, Position, Source
from cardhour_ingest.warehouse.client import Warehouse


class Crash(BaseException):
    """The process is gone."""


class Watched:
    """A real source whose steps the test sees, and can make fail."""

    def __init__(self, source: Source, **before: Callable[[], None]) -> None:
        self._source = source
        self._before = before

    def poll(self, *, wait_ms: int) -> list[Message]:
        return self._source.poll(wait_ms=wait_ms)

    def publish(self, letters: Sequence[DeadLetter]) -> None:
        self._before.get("publish", lambda: None)()
        self._source.publish(letters)

    def commit(self, positions: Sequence[Position]) -> None:
        self._before.get("commit", lambda: None)()
        self._source.commit(positions)

    def close(self) -> None:
        self._source.close()


class Failing(Warehouse):
    """A connection to the real engine that fails at one table, once."""

    def fail_at(self, table: str, error: BaseException) -> Failing:
        self._failing = (table, error)
        return self

    def insert(self, table: str, rows: pa.Table) -> None:
        wanted, error = self._failing
        if table == wanted:
            self._failing = ("", error)
            raise error
        super().insert(table, rows)
