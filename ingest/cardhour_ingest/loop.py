"""The loop of ingest: poll, read, batch, store, commit.

Owns the order of storing and committing, when a batch is full, and what to do when the warehouse or the broker does not
answer. Does not own what a batch holds (``batch``), nor what is right or wrong with a message (``reading``, ``rules``).

Every step may be repeated, and a process may die between any two: what was stored and not committed is delivered and
stored again, under the same keys, and quantities are measured on the union.

While one batch is being written, on a thread of its own, the loop reads the next: the engine needs no Python meanwhile.
One batch is under way at a time, so batches are stored and committed in the order in which they were polled. Only the
loop's thread touches the source, and only the writer's the warehouse.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

import structlog
from msgspec import Struct, structs

from cardhour_contract.clock import Clock, SystemClock
from cardhour_contract.errors import Retry
from cardhour_ingest.batch import Batch
from cardhour_ingest.columns import Names
from cardhour_ingest.dead_letter import DEAD_MAX, DeadLetter, Limit, table_of
from cardhour_ingest.reading import ANYONE
from cardhour_ingest.source import Position, Source
from cardhour_ingest.tables import Facts, dirty_hour
from cardhour_ingest.trust import KeyRing
from cardhour_ingest.warehouse.client import Warehouse
from cardhour_ingest.warehouse.facts import hours_of_processes, insert_facts

log = structlog.get_logger(__name__)

POLL_MS = 500
"""Longest wait in one poll: how late a request to stop, or the age of a batch, may be noticed."""

MESSAGES_MAX = 20_000
"""Messages that fill a batch however few rows they have: of each, 150 bytes are kept to commit it."""

BACK_OFF_FIRST_S = 0.5
BACK_OFF_MAX_S = 30.0
"""Between attempts while the warehouse or the broker does not answer: doubled each time. A restart takes seconds, and
nothing is lost by waiting, so there is no last attempt."""

T = TypeVar("T")


class Limits(Struct, frozen=True, kw_only=True):
    """When a batch is full, and when ingest stops instead of writing dead letters."""

    batch_rows: int = 200_000
    batch_age_ms: int = 5_000
    dead_letters_max: int = DEAD_MAX


class Totals(Struct, frozen=True, kw_only=True):
    """What was stored and committed."""

    messages: int = 0
    usage_rows: int = 0
    """After cutting at quarter hours."""
    card_rows: int = 0
    dead_letters: int = 0

    def plus(self, other: Totals) -> Totals:
        return Totals(**{name: getattr(self, name) + getattr(other, name) for name in structs.asdict(self)})


class Writing(Struct, frozen=True, kw_only=True):
    """A batch that is on its way into the warehouse."""

    positions: list[Position]
    facts: Facts
    letters: list[DeadLetter]

    @property
    def totals(self) -> Totals:
        return Totals(
            messages=len(self.positions),
            usage_rows=self.facts.usage_rows,
            card_rows=self.facts.card_rows,
            dead_letters=len(self.letters),
        )


class Loop:
    """One source into one warehouse, on the thread that calls it. ``stop`` ends it after the batch in hand."""

    def __init__(
        self,
        source: Source,
        warehouse: Warehouse,
        *,
        keys: KeyRing | None = None,
        limits: Limits | None = None,
        clock: Clock | None = None,
        stop: threading.Event | None = None,
    ) -> None:
        """keys: by which senders are known; None where the source admits only its own."""
        self._source = source
        self._warehouse = warehouse
        self._keys = keys
        self._limits = limits or Limits()
        self._clock = clock or SystemClock()
        self._stop = stop or threading.Event()
        self._progress: Callable[[Totals], None] = lambda totals: None
        self._dead = Limit(dead_max=self._limits.dead_letters_max)
        self._names = Names()
        self._under_way: tuple[Writing, Future[None]] | None = None
        self.totals = Totals()

    def run(self) -> Totals:
        """Until ``stop`` is set. What the last batch holds is stored first, unless the other side does not answer."""
        batch = self._new_batch()
        try:
            with self._writer() as writer:
                while not self._stop.is_set():
                    self._fill(batch, POLL_MS)
                    if self._due(batch):
                        self._store(batch, writer)
                        batch = self._new_batch()
                    elif self._under_way and self._under_way[1].done():
                        self._finish()
                self._store(batch, writer)
                self._finish()
        except Retry as error:
            log.warning("stopped before everything was stored; it will be read again", error=str(error))
        return self.totals

    def drain(self, progress: Callable[[Totals], None] = lambda totals: None) -> Totals:
        """Until the source has nothing more. ``progress`` is told the totals after each batch."""
        self._progress = progress
        batch = self._new_batch()
        with self._writer() as writer:
            while self._fill(batch, 0):
                if self._full(batch):
                    self._store(batch, writer)
                    batch = self._new_batch()
            self._store(batch, writer)
            self._finish()
        return self.totals

    @contextmanager
    def _writer(self) -> Iterator[ThreadPoolExecutor]:
        """The writing thread. It has ended when this does: an error lets it finish a statement, and wait for none."""
        with ThreadPoolExecutor(1, thread_name_prefix="writer") as writer:
            try:
                yield writer
            except BaseException:
                self._stop.set()
                raise

    def _fill(self, batch: Batch, wait_ms: int) -> int:
        messages = self._insist("reading", lambda: self._source.poll(wait_ms=wait_ms))
        keys = self._keys
        if keys is not None and messages:
            self._insist("reading the nodes' keys", lambda: keys.refresh(messages))
        for message in messages:
            batch.add(message, keys or ANYONE)
        return len(messages)

    def _store(self, batch: Batch, writer: ThreadPoolExecutor) -> None:
        """Hand a batch over to be written, once the one before it is committed.

        One that did not fill is finished at once: no more is waiting that could be read meanwhile.
        """
        if not batch.positions:
            return
        facts = batch.facts()
        self._finish()
        self._dead.count(accepted=len(batch.positions) - len(batch.letters), letters=batch.letters)
        writing = Writing(positions=batch.positions, facts=facts, letters=batch.letters)
        self._under_way = (writing, writer.submit(self._write, writing))
        if not self._full(batch):
            self._finish()

    def _write(self, writing: Writing) -> None:
        """The steps of a batch that are the warehouse's; ``_finish`` takes the others. Runs on the writer's thread."""
        # 1. Raw facts are durable before anything points to them. A crash from here on repeats rows that a union counts
        #    once.
        self._insist("storing", lambda: insert_facts(self._warehouse, writing.facts.tables))

        # 2. Every hour that changed is marked, with a mark that no rollup can have seen before the rows were there: a
        #    page may be recomputed too often, and never too seldom.
        self._insist("marking", lambda: mark(self._warehouse, writing.facts))

        # 3. Dead letters are in the warehouse and, where there is one, in their topic: nothing rejected is lost.
        letters = table_of(writing.letters)
        self._insist("storing dead letters", lambda: self._warehouse.insert("dead_letter", letters))

    def _finish(self) -> None:
        """Commit the batch that is under way, if any, once it is written. Raises what its writing raised."""
        if self._under_way is None:
            return
        writing, written = self._under_way
        self._under_way = None
        written.result()

        # 3. The topic's half, by the thread that owns the source.
        self._insist("publishing dead letters", lambda: self._source.publish(writing.letters))

        # 4. Only now are the messages gone from the source. A crash before this delivers them again.
        self._insist("committing", lambda: self._source.commit(writing.positions))

        self.totals = self.totals.plus(writing.totals)
        for letter in writing.letters:
            log.warning("dead letter", reason=letter.reason, path=letter.path, position=str(letter.message.position))
        log.debug("stored a batch", **structs.asdict(writing.totals))
        self._progress(self.totals)

    def _insist(self, doing: str, action: Callable[[], T]) -> T:
        return insist(doing, action, self._stop)

    def _full(self, batch: Batch) -> bool:
        return batch.rows >= self._limits.batch_rows or len(batch.positions) >= MESSAGES_MAX

    def _due(self, batch: Batch) -> bool:
        aged = self._clock.monotonic_ms() - batch.since_ms >= self._limits.batch_age_ms
        return self._full(batch) or (aged and bool(batch.positions))

    def _new_batch(self) -> Batch:
        if self._names.full:
            self._names = Names()
        return Batch(self._clock.monotonic_ms(), self._names)


def drain(
    source: Source,
    warehouse: Warehouse,
    *,
    keys: KeyRing | None = None,
    limits: Limits | None = None,
    clock: Clock | None = None,
    stop: threading.Event | None = None,
    progress: Callable[[Totals], None] = lambda totals: None,
) -> Totals:
    """Store everything that ``source`` holds now, and return what it was."""
    return Loop(source, warehouse, keys=keys, limits=limits, clock=clock, stop=stop).drain(progress)


def mark(warehouse: Warehouse, facts: Facts) -> None:
    """Ask for every page that ``facts`` change: their hours, and earlier ones of processes whose owner they name."""
    earlier = hours_of_processes(warehouse, facts.attributed)
    warehouse.insert("dirty_hour", dirty_hour(facts.dirty | earlier, secrets.randbits(64)))


def insist(doing: str, action: Callable[[], T], stop: threading.Event) -> T:
    """Repeat until it succeeds. Setting ``stop`` ends the waiting, with the Retry that it waited for."""
    wait_s = BACK_OFF_FIRST_S
    while True:
        try:
            return action()
        except Retry as error:
            log.warning("waiting", doing=doing, again_in_s=wait_s, error=str(error))
            if stop.wait(wait_s):
                raise
            wait_s = min(BACK_OFF_MAX_S, wait_s * 2)
