"""Who owns the folder of the embedded engine: one process at a time, by a lock file of ours.

chDB lets one process open a folder, tells a second nothing about the first, and lets a process open one folder only.
Owns the lock, its sharing among this process's threads, and the file by which the owner says where it serves others.
Does not own the engine itself (``client``) nor the serving (``engine_http``).
"""

from __future__ import annotations

import fcntl
import os
import sys
import threading
from pathlib import Path
from typing import Self, TypeVar

import msgspec

from cardhour_contract.errors import InvariantBroken, Refuse
from cardhour_contract.settings import Secret

FOLDER, LOCK, NOTICE = "warehouse", "warehouse.lock", "warehouse.http"
"""In ``CARDHOUR_HOME``: the engine's folder, the lock, and where the lock's holder serves the engine."""


class Owner(msgspec.Struct, frozen=True, kw_only=True):
    """The process that holds the lock, as it wrote itself into the lock file."""

    pid: int
    command: str


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """Where the owner serves the engine, and the token that it asks for."""

    pid: int
    url: str
    token: str

    @property
    def secret(self) -> Secret:
        return Secret(self.token)


class EngineError(Exception):
    """What the engine in this process answered instead of a result. code: of ClickHouse's ErrorCodes.cpp."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


T = TypeVar("T", Owner, Notice)


class Claim:
    """A share in this process's ownership of one home's engine folder; the last release gives the folder up.

    ``take`` returns None where another process owns it.
    """

    _process: _Held | None = None
    _guard = threading.Lock()

    def __init__(self, held: _Held) -> None:
        self._held = held
        self._open = True

    @classmethod
    def take(cls, home: Path) -> Self | None:
        home = home.resolve()
        with cls._guard:
            held = Claim._process
            if held is not None and held.pid != os.getpid():
                raise InvariantBroken("this process was forked from one that has the engine open: spawn it instead")
            if held is not None and held.home != home:
                raise Refuse(
                    f"This process has the warehouse in {held.home} open, and the engine admits one folder a process: "
                    f"use {home} from another process."
                )
            if held is None:
                descriptor = _lock(home)
                if descriptor is None:
                    return None
                held = Claim._process = _Held(home, descriptor)
            held.shares += 1
            return cls(held)

    @property
    def home(self) -> Path:
        return self._held.home

    @property
    def folder(self) -> Path:
        """Links resolved: chDB takes two spellings of one folder for two."""
        return (self._held.home / FOLDER).resolve()

    def share(self) -> Claim:
        with self._guard:
            self._held.shares += 1
            return Claim(self._held)

    def release(self) -> None:
        with self._guard:
            if not self._open:
                return
            self._open = False
            self._held.shares -= 1
            if self._held.shares == 0:
                os.close(self._held.descriptor)
                Claim._process = None


class _Held:
    """The lock this process holds, and how many connections rest on it."""

    def __init__(self, home: Path, descriptor: int) -> None:
        self.home = home
        self.descriptor = descriptor
        self.pid = os.getpid()
        self.shares = 0


def owner(home: Path) -> Owner | None:
    """Who wrote itself into the lock file last; None where nobody has, or is just writing."""
    return _read(home / LOCK, Owner)


def notice(home: Path) -> Notice | None:
    """Where the present owner of the folder serves it; None where it does not. A dead owner's notice is none."""
    found, holder = _read(home / NOTICE, Notice), owner(home)
    return found if found and holder and found.pid == holder.pid else None


def publish(home: Path, url: str, token: str) -> None:
    """Write the notice, readable by this user alone. Replaced in one step: a reader sees it whole or not at all."""
    draft = home / f"{NOTICE}.{os.getpid()}"
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(msgspec.json.encode(Notice(pid=os.getpid(), url=url, token=token)))
    draft.replace(home / NOTICE)


def withdraw(home: Path) -> None:
    """Remove the notice."""
    (home / NOTICE).unlink(missing_ok=True)


def _lock(home: Path) -> int | None:
    """Take the lock: its file's descriptor, or None where another process holds it. Clears a dead owner's notice."""
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(home / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise Refuse(f"The folder {home} cannot be used: {error}. Set CARDHOUR_HOME to one that can.") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    withdraw(home)
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, msgspec.json.encode(Owner(pid=os.getpid(), command=" ".join(sys.orig_argv))), 0)
    return descriptor


def _read(path: Path, kind: type[T]) -> T | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except (FileNotFoundError, msgspec.DecodeError):
        return None
