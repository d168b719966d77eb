"""The portal's signing key: made once, kept in the home, readable by its owner alone.

Owns the file ``secret_key``. Does not own what is signed with it (Django: sessions, password resets).
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from cardhour_contract.errors import Refuse

FILE_NAME = "secret_key"
KEY_BYTES = 50
"""Entropy of a new key, in bytes; Django's own generator makes about 35."""


def signing_key(home: Path) -> str:
    """The key in ``home``, made on first use. Refuses a file that others may read."""
    path = home / FILE_NAME
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    fresh = home / f"{FILE_NAME}.{os.getpid()}"
    if not path.exists():
        # 1. write beside: a crash leaves no half key under the final name. 2. link: the first of two processes wins.
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(secrets.token_urlsafe(KEY_BYTES))
        try:
            os.link(fresh, path)
        except FileExistsError:
            pass  # another process made it a moment ago: its key stands
        finally:
            fresh.unlink()
    if path.stat().st_mode & 0o077:
        raise Refuse(f"{path} can be read by others: run chmod 600 {path}")
    return path.read_text(encoding="ascii").strip()
