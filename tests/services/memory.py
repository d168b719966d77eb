"""Where files lie in memory, on a machine that has room: what makes thousands of small ones waits for no disk there."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

FOLDER = Path("/dev") / "shm"

GIB = 1 << 30


def in_memory(room: int) -> Path | None:
    """A folder in memory; ``None`` where there is none that has ``room`` bytes free: the usual place must do."""
    if os.access(FOLDER, os.W_OK) and shutil.disk_usage(FOLDER).free > room:
        return FOLDER
    return None
