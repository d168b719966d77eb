"""The step log: which commit steps a process had passed when it died.

Owns the log file, the orders by which a process is killed or stopped between two steps, and reading the log. Does not
own which functions are steps (``launcher``). One line a step, flushed to disk before the process goes on.

An order is a file beside the log, written by the test: at the step that it names, the process takes the file away,
logs the line as its last, and kills or stops itself.
"""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import msgspec
from msgspec import Struct

PAIRS = {
    "spooled": "spool → send",
    "remembered": "spool → send",
    "sent": "send → ack",
    "acknowledged": "ack → remove",
    "removed": "remove → next",
    "storing": "poll → insert",
    "inserted": "insert → mark",
    "marked": "mark → commit",
    "published": "mark → commit",
    "committed": "commit → next",
}
"""The gap between two numbered steps in which a process dies whose last step was this one."""

NUMBERED = ("spool → send", "send → ack", "ack → remove", "insert → mark", "mark → commit")
"""The gaps that the order of steps is there for."""


class Step(Struct, frozen=True, kw_only=True):
    """One line of the log."""

    pid: int
    step: str
    of: tuple[int, ...]
    """Reports by sequence number, or the number of a batch in this process."""
    fatal: bool = False
    """The process killed itself right after this line."""


class Order(Struct, frozen=True, kw_only=True):
    """What a process does to itself at its next passage of a step."""

    step: str
    action: Literal["kill", "stop"] = "kill"
    delay_ms: int = 0
    """Before the kill: time for what was handed over to leave, or half leave, the process."""


class Steps:
    """Both ends of one process's log and order. ``folder`` belongs to that process alone."""

    def __init__(self, folder: Path) -> None:
        self._log = folder / "steps"
        self._order = folder / "order"
        self._lock = threading.RLock()

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Called in the process: no other thread takes a step meanwhile, nor enters here."""
        with self._lock:
            yield

    def reach(self, step: str, of: Sequence[int]) -> None:
        """Called in the process: note the step, and obey. Who is about to die lets no other thread take a step."""
        with self._lock:
            order = self._take(step)
            fatal = order is not None and order.action == "kill"
            self._write(Step(pid=os.getpid(), step=step, of=tuple(of), fatal=fatal))
            if order is not None and fatal:
                time.sleep(order.delay_ms / 1000)
                os.kill(os.getpid(), signal.SIGKILL)
        if order is not None:
            os.kill(os.getpid(), signal.SIGSTOP)

    def give(self, order: Order) -> None:
        """Called by the test."""
        fresh = self._order.with_suffix(".new")
        fresh.write_bytes(msgspec.json.encode(order))
        fresh.replace(self._order)

    def read(self) -> list[Step]:
        if not self._log.exists():
            return []
        *lines, _under_way = self._log.read_text(encoding="utf-8").split("\n")
        return [msgspec.convert(json.loads(each), Step) for each in lines]

    def _take(self, step: str) -> Order | None:
        try:
            order = msgspec.json.decode(self._order.read_bytes(), type=Order)
        except FileNotFoundError:
            return None
        if order.step != step:
            return None
        self._order.unlink()
        return order

    def _write(self, step: Step) -> None:
        with self._log.open("ab") as log:
            log.write(msgspec.json.encode(step) + b"\n")
            log.flush()
            os.fsync(log.fileno())


def deaths(steps: Sequence[Step]) -> Counter[str]:
    """How many ordered kills landed in each gap, by the log: the next step of the same thing is not in it."""
    found: Counter[str] = Counter()
    after = {"spooled": "sent", "sent": "acknowledged", "acknowledged": "removed", "inserted": "marked"}
    after |= {"marked": "committed", "storing": "inserted"}
    passed = {(each.pid, each.step, number) for each in steps for number in each.of}
    for each in steps:
        following = after.get(each.step)
        if each.fatal and following and not any((each.pid, following, number) in passed for number in each.of):
            found[PAIRS[each.step]] += 1
    return found
