"""What NVML's return codes mean to us: the one table of them.

Owns words and groups; the numbers are NVIDIA's ABI (nvml.h). Does not own calls (``nvml`` does).
"""

from __future__ import annotations

SUCCESS = 0
NOT_FOUND = 6
INSUFFICIENT_SIZE = 7
TIMEOUT = 10

WORDS = {
    1: "uninitialized",
    2: "invalid_argument",
    3: "not_supported",
    4: "not_permitted",
    NOT_FOUND: "not_found",
    INSUFFICIENT_SIZE: "insufficient_size",
    9: "driver_not_loaded",
    TIMEOUT: "timeout",
    12: "library_not_found",
    13: "function_not_found",
    15: "gpu_lost",
    16: "reset_required",
    17: "blocked_by_system",
    18: "driver_replaced",
    999: "unknown_error",
}

FAULTS = frozenset({"gpu_lost", "reset_required"})
"""Errors that say that the card itself is out of order."""

LACKING = frozenset({"not_supported", "function_not_found", "not_permitted"})
"""Errors that say that this driver, card or account never answers this question: told once, then ``None``."""

XID_FAULTS = frozenset({48, 64, 74, 79, 95, 119, 120})
"""Xids after which a card cannot be used: double-bit ECC, row remap failed, NVLink, off the bus, uncontained ECC, GSP.
Never 13, 31, 43 or 45: applications cause those themselves."""

RESET_ACTIONS = frozenset({1, 2, 6, 7})
"""Recovery actions without which a card cannot be used: reset of GPU or bus, reboot. The others let running work go
on."""


def word_of(code: int) -> str:
    """A stable word for a return code; a code that is new to us keeps its number."""
    return WORDS.get(code, f"nvml_{code}")
