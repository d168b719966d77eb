"""Where files lie in memory, on a machine that has room: what makes thousands of small ones waits for no disk there."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

FOLDER = Path("/dev") / "shm"

ROOM = 2 << 30
"""Bytes that must be free. A PostgreSQL server of ours takes a tenth of it."""


def in_memory() -> Path | None:
    """A folder in memory; ``None`` where there is none, or little room in it: the usual place must do."""
    if os.access(FOLDER, os.W_OK) and shutil.disk_usage(FOLDER).free > ROOM:
        return FOLDER
    return None
