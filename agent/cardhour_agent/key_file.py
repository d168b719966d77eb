"""The node's own signing key: one line in a file that its owner alone may read.

Owns making the file, reading it, and noticing that another took its place. Does not own what is signed
(``contract.signing``) or which keys are believed (ingest). ``contract.signing`` is imported only where there is a
key: it takes 5 MB that a node which does not sign can do without.
"""

from __future__ import annotations

import base64
import binascii
import os
import secrets
import stat
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from cardhour_contract.errors import Refuse

if TYPE_CHECKING:
    from cardhour_contract.signing import SigningKey

PREFIX = "ed25519-secret:"
SEED_BYTES = 32
OTHERS = stat.S_IRWXG | stat.S_IRWXO

_log = structlog.get_logger("cardhour.key")


def next_of(path: Path) -> Path:
    """Where a key waits that is to take the place of the one at ``path``."""
    return path.with_name(path.name + ".next")


def create(path: Path) -> SigningKey:
    """Make a key. Raises Refuse where there is one: overwriting it would silence the node."""
    path.parent.mkdir(parents=True, exist_ok=True)
    seed = secrets.token_bytes(SEED_BYTES)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise Refuse(
            f"there is a key at {path} already: 'cardhour-agent key show' prints its public half, and"
            " 'cardhour-agent key create --next' makes one to take its place"
        ) from None
    except OSError as error:
        raise Refuse(f"the key {path} cannot be written: {error.strerror}") from error
    with os.fdopen(descriptor, "wb") as file:
        file.write(PREFIX.encode() + base64.b64encode(seed) + b"\n")
        file.flush()
        os.fsync(file.fileno())
    return read(path)


def read(path: Path) -> SigningKey:
    """The key in a file. Raises Refuse where it is not there, not a key, or others may read it."""
    from cardhour_contract.signing import SigningKey

    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            text = file.read(1_000).decode("ascii", errors="replace").strip()
    except FileNotFoundError:
        raise Refuse(f"there is no key at {path}: make one with 'cardhour-agent key create'") from None
    except OSError as error:
        raise Refuse(f"the key {path} cannot be read: {error.strerror}") from error
    if mode & OTHERS:
        raise Refuse(
            f"others than its owner may read the key {path} (mode {stat.S_IMODE(mode):04o}): if none of them can have"
            f" done so, chmod 600 {path}; else make a new one and revoke this"
        )
    try:
        seed = base64.b64decode(text.removeprefix(PREFIX), validate=True)
    except binascii.Error:
        seed = b""
    if not text.startswith(PREFIX) or len(seed) != SEED_BYTES:
        raise Refuse(f"{path} is not a key that 'cardhour-agent key create' made")
    return SigningKey(seed)


def use_next(path: Path) -> SigningKey:
    """Put the waiting key in the place of the one in use, in one step. A running agent signs with it from then on."""
    waiting = next_of(path)
    key = read(waiting)
    waiting.replace(path)
    return key


class KeyFile:
    """The key to sign with now; None where the node has none. Another file in its place is noticed by itself."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: tuple[int, int, int] | None = None
        self._key: SigningKey | None = None
        self._current()

    def __call__(self) -> SigningKey | None:
        try:
            self._current()
        except Refuse as error:
            # The old key goes on: a slip while switching must not turn a node's reports into dead letters.
            _log.error("the new key cannot be used; signing goes on with the old one", error=str(error))
        return self._key

    def _current(self) -> None:
        try:
            found = self._path.stat()
        except OSError:
            seen = None
        else:
            seen = (found.st_ino, found.st_mtime_ns, found.st_mode)
        if seen == self._seen:
            return
        self._seen = seen
        if seen is not None:
            self._key = read(self._path)
            _log.info("signing", key_id=self._key.public.key_id)
        elif self._key is not None:
            raise Refuse(f"the key {self._path} is gone")
