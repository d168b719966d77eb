"""Orderings undone: each mutant takes away one guarantee that the order of commit steps gives.

Owns what is done in the wrong order. Does not own the kills under which it shows (``test_orderings``).
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from types import ModuleType
from typing import Any

from tests.chaos.seam import replace

REMEMBER_FIRST = "the last-seen file before the spool"
REMOVE_FIRST = "out of the spool before the acknowledgement"
COMMIT_FIRST = "commit before insert"
COMMIT_BEFORE_MARK = "commit before mark"
MARK_FIRST = "mark before insert"
COMMIT_BEFORE_LETTERS = "commit before dead letters"

_STORING = {
    COMMIT_FIRST: ("commit", "insert", "mark", "letters"),
    COMMIT_BEFORE_MARK: ("insert", "commit", "mark", "letters"),
    MARK_FIRST: ("mark", "insert", "letters", "commit"),
    COMMIT_BEFORE_LETTERS: ("insert", "mark", "commit", "letters"),
}


def agent(mutant: str, outbox: ModuleType, shipper: ModuleType) -> None:
    if mutant == REMEMBER_FIRST:
        replace(outbox.Outbox, "put", lambda original: functools.partialmethod(_put, original))
    elif mutant == REMOVE_FIRST:
        replace(shipper.Shipper, "_send", lambda original: functools.partialmethod(_send, original, shipper))


def _put(self: Any, original: Callable[..., None], reports: Any, now: Any) -> None:
    if reports:
        self._last_seen.write(self._sampler.last_seen(), now)
    original(self, reports, now)


def _send(self: Any, original: Any, shipper: ModuleType, report: Any) -> Any:
    with shipper.Spool(self._path) as spool:
        spool.remove([report.sequence])
    return original.__get__(self)(report)


def ingest(mutant: str, loop: ModuleType) -> None:
    """Put off every step of storing a batch until the last one is due, then take them in the mutant's order."""
    order = _STORING.get(mutant)
    if order is None:
        return
    due: dict[str, Callable[[], Any]] = {}

    def put_off(step: str, original: Callable[..., Any]) -> Callable[..., None]:
        def later(*arguments: Any) -> None:
            due[step] = functools.partial(original, *arguments)

        return later

    def make(original: Callable[..., None], self: Any, source: Any, warehouse: Any, **named: Any) -> None:
        warehouse_insert, commit = warehouse.insert, source.commit

        def insert(table: str, rows: Any) -> None:
            if table == "dead_letter":
                due["letters"] = functools.partial(warehouse_insert, table, rows)
            else:
                warehouse_insert(table, rows)

        def finish(positions: Any) -> None:
            due["commit"] = functools.partial(commit, positions)
            for step in order:
                due[step]()

        warehouse.insert, source.commit = insert, finish
        original(self, source, warehouse, **named)

    replace(loop, "insert_facts", lambda original: put_off("insert", original))
    replace(loop, "mark", lambda original: put_off("mark", original))
    replace(loop.Loop, "__init__", lambda original: lambda self, *given, **named: make(original, self, *given, **named))
