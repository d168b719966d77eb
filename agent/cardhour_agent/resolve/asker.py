"""Asking without waiting: one resolver, its thread, and what it has answered.

Owns the cache, repetition, and the thread. Does not own what an answer is or which resolver is asked (``owners``).

An answer is asked for again every ``refresh``, so that an edited label is seen; until then, and as long as nobody
answers, the last one holds. A question without an answer is repeated after 1, 2, 4 … 60 s, while somebody still asks.
"""

from __future__ import annotations

import threading
from collections import OrderedDict

import structlog

from cardhour_agent.resolve.answer import NOT_FOUND, PENDING, Answer, NoAnswer, Reply, Resolver
from cardhour_agent.resolve.place import Place
from cardhour_contract.clock import Clock
from cardhour_contract.moment import SECOND_MS

PLACES_MAX = 4096
"""Places remembered; those not asked for longest go first. A node has a few hundred at a time."""

UNUSED_MAX_MS = 3_600_000
"""An answer that nobody asked for this long is not given again: numbers of users and jobs come back with others."""

RETRY_MAX_MS = 60_000

MISSES_BELIEVED = 3
"""Times in a row that a place must not be found: a daemon lists a container a moment after its first process runs."""

STOP_S = 1.0
"""How long a stop waits for a question under way; the thread is a daemon, so that none holds the agent up."""

_log = structlog.get_logger("cardhour.agent")


class _Entry:
    """One place: what is known of it, and when to ask again."""

    __slots__ = ("answer", "asked", "due_ms", "failures", "misses", "queued", "reason", "used_ms")

    def __init__(self, now_ms: int) -> None:
        self.answer: Answer | None = None
        self.reason = PENDING
        self.asked = self.queued = False
        self.failures = self.misses = 0
        self.due_ms = self.used_ms = now_ms


class Asker:
    """Answers at once with what is known, and finds out the rest on a thread of its own."""

    def __init__(self, resolver: Resolver, clock: Clock, refresh_ms: int) -> None:
        self._resolver, self._clock, self._refresh_ms = resolver, clock, refresh_ms
        self._entries: OrderedDict[Place, _Entry] = OrderedDict()
        self._queue: OrderedDict[Place, _Entry] = OrderedDict()
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._stopping = False
        self._said = ""

    def ask(self, place: Place, wait_ms: int = 0) -> Reply:
        """What is known. Waits up to ``wait_ms`` for the first answer about a place that is new."""
        with self._changed:
            now_ms = self._clock.monotonic_ms()
            entry = self._entries.get(place)
            if entry is None or now_ms - entry.used_ms > UNUSED_MAX_MS:
                entry = self._entries[place] = _Entry(now_ms)
                if len(self._entries) > PLACES_MAX:
                    self._entries.popitem(last=False)
            self._entries.move_to_end(place)
            entry.used_ms = now_ms
            if not entry.queued and now_ms >= entry.due_ms:
                self._enqueue(place, entry)
            if wait_ms > 0 and not entry.asked:
                self._changed.wait_for(lambda: entry.asked, wait_ms / SECOND_MS)
            return Reply(entry.answer, entry.reason)

    def stop(self) -> None:
        """Ask nothing more; ``close`` waits for it."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()

    def close(self) -> None:
        self.stop()
        if self._thread is not None:
            self._thread.join(STOP_S)

    def _enqueue(self, place: Place, entry: _Entry) -> None:
        if len(self._queue) >= PLACES_MAX:
            return
        entry.queued = True
        self._queue[place] = entry
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name=f"resolve-{self._resolver.name}", daemon=True)
            self._thread.start()
        self._changed.notify_all()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._queue or self._stopping)
                if self._stopping:
                    return
                place, entry = self._queue.popitem(last=False)
            reply = self._find(place)
            with self._changed:
                self._take(entry, reply)
                self._changed.notify_all()

    def _find(self, place: Place) -> Reply:
        try:
            answer = self._resolver.find(place)
        except NoAnswer as error:
            self._say(error)
            return Reply(None, error.reason)
        except Exception:  # noqa: BLE001 - a mistake of ours about one place must not cost every later place its owner
            _log.exception("owner_not_found", resolver=self._resolver.name)
            return Reply(None, "failed")
        return Reply(answer, "" if answer else NOT_FOUND)

    def _take(self, entry: _Entry, reply: Reply) -> None:
        """What was known before stays where there is nothing better."""
        now_ms = self._clock.monotonic_ms()
        entry.asked, entry.queued = True, False
        if reply.answer is not None:
            entry.answer, entry.reason = reply.answer, ""
            entry.failures = entry.misses = 0
            entry.due_ms = now_ms + self._refresh_ms
            return
        entry.misses = entry.misses + 1 if reply.reason == NOT_FOUND else 0
        if reply.reason != NOT_FOUND or entry.misses >= MISSES_BELIEVED:
            entry.reason = reply.reason
        entry.due_ms = now_ms + min(SECOND_MS << min(entry.failures, 16), RETRY_MAX_MS)
        entry.failures += 1

    def _say(self, error: NoAnswer) -> None:
        """Log a failure once, until it is another one."""
        if self._said != error.reason:
            self._said = error.reason
            _log.warning("resolver_failed", resolver=self._resolver.name, reason=error.reason, detail=str(error))
