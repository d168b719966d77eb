"""How a process of ingest handles its memory: little of it against a server.

Owns what the allocators are told. Does not own how much is held at once: that are the limits of
``loop`` and of ``kafka_source``.
"""

from __future__ import annotations

import ctypes

import pyarrow as pa

M_ARENA_MAX = -8
"""Of ``malloc.h``: how many heaps the C library keeps."""


def keep_small() -> None:
    """To be called before threads begin. Batches come and go, on two threads, and each would keep a heap of its own.

    glibc gives every thread a heap, and Arrow has a third; what is freed in one does not serve the others. With one for
    all, ingest at full speed takes some 30 MB less. Python's lock lets only one thread at a time allocate anyway.
    """
    pa.set_memory_pool(pa.system_memory_pool())
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:  # glibc's alone
        mallopt(M_ARENA_MAX, 1)
