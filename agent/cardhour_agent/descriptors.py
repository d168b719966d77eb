"""File descriptors: how many this process may have, and for how many tenants' processes some are kept.

Owns the limit. Does not own any descriptor.
"""

from __future__ import annotations

import resource

EACH = 3
"""Of one process: its pidfd, its command and its control groups."""

PROCESSES_MAX = 4096
"""Processes that descriptors are kept of: a node of eight cards, each shared by 500 processes."""

RESERVED = 256
"""For everything else: the spool, sockets, the driver's process, and files that are open for a moment."""


def raise_limit() -> None:
    """Let this process have as many as it may need; the usual limit of 1024 is for programs that use ``select``."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = EACH * PROCESSES_MAX + RESERVED
    if hard != resource.RLIM_INFINITY:
        wanted = min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def processes() -> int:
    """Of how many processes descriptors may be kept, so that none is missing elsewhere."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return PROCESSES_MAX
    return max(0, min(PROCESSES_MAX, (soft - RESERVED) // EACH))
