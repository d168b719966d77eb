"""Whether the kernel calls its clock synchronised.

Owns one ``adjtimex`` call. Does not own time.
"""

from __future__ import annotations

import ctypes

TIME_ERROR = 5
"""adjtimex's return for a clock that is not synchronised; 0 to 4 are synchronised states (leap seconds)."""

STRUCT_BYTES = 512
"""More than ``struct timex`` has on any Linux; only its first word (modes = 0: read only) is ours."""


def ntp_synced() -> bool | None:
    """``None`` where the kernel does not say: another system, or a filter that forbids the call."""
    try:
        state = ctypes.CDLL(None).adjtimex(ctypes.create_string_buffer(STRUCT_BYTES))
    except (OSError, AttributeError):
        return None
    return None if state < 0 else state != TIME_ERROR
