"""Locks between processes: on PostgreSQL the database's advisory locks, on SQLite a file beside it.

Owns "only one of us does this now". Neither kind outlives its process: a killed holder leaves nothing to clean up.
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.db import connection

from cardhour_contract.errors import InvariantBroken
from cardhour_contract.identity import key_of


@contextmanager
def exclusive(name: str, home: Path, *, wait: bool) -> Iterator[bool]:
    """Hold the lock ``name`` inside the block. Yields whether we hold it: always, where ``wait`` is asked for."""
    held = _on_postgresql(name, wait) if connection.vendor == "postgresql" else _on_file(home / f"{name}.lock", wait)
    with held as ours:
        yield ours


def until_commit(name: str) -> None:
    """Hold the lock ``name`` to the end of this transaction. On SQLite each transaction has the write lock already."""
    if not connection.in_atomic_block:
        raise InvariantBroken(f"the lock '{name}' is held until a commit, and there is no transaction")
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_number(name)])


@contextmanager
def _on_postgresql(name: str, wait: bool) -> Iterator[bool]:
    key = _number(name)
    with connection.cursor() as cursor:
        if wait:
            cursor.execute("SELECT pg_advisory_lock(%s)", [key])
            ours = True
        else:
            cursor.execute("SELECT pg_try_advisory_lock(%s)", [key])
            ours = bool(cursor.fetchone()[0])
    try:
        yield ours
    finally:
        # Where the connection broke, the lock went with it.
        if ours and connection.is_usable():
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s)", [key])


def _number(name: str) -> int:
    return key_of("lock", name) - 2**63  # PostgreSQL's keys are signed


@contextmanager
def _on_file(path: Path, wait: bool) -> Iterator[bool]:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            yield False
        else:
            yield True
