"""Keys: the 64-bit names of processes, workloads and batches.

Owns how a key is made, so that agent, ingest and import agree. Does not own what a key describes: the
``process`` and ``workload`` tables of the warehouse do. A key is the first eight bytes of BLAKE2b over the parts,
each preceded by its length, so that no two lists of parts read alike.
"""

from __future__ import annotations

from hashlib import blake2b

NAME_BYTES_MAX = 256
"""Longest owner, workload, node, card or model name, in UTF-8 bytes: a name is an identifier, not a document."""


def key_of(*parts: str) -> int:
    """An unsigned 64-bit key of the parts, in order."""
    pieces: list[bytes] = []
    for part in parts:
        encoded = part.encode()
        pieces += (len(encoded).to_bytes(4, "little"), encoded)
    return int.from_bytes(blake2b(b"".join(pieces), digest_size=8).digest(), "little")


def process_key(node: str, boot_id: str, pid: int, start_ticks: int) -> int:
    """A process on a node. A pid alone is never an identity: pids are reused, clones share boot-less ids."""
    return key_of("process", node, boot_id, str(pid), str(start_ticks))


def allocation_key(node: str, boot_id: str, card: str, name: str) -> int:
    """An assignment of a card, in the place of a process: to the container or job of this name."""
    return key_of("allocation", node, boot_id, card, name)


def imported_process_key(card: str, process: str) -> int:
    """A process named in a usage CSV; the name is the file's, the card keeps two machines' names apart."""
    return key_of("imported", card, process)


def workload_key(owner: str, workload: str) -> int:
    """A pod, job or container inside an owner."""
    return key_of("workload", owner, workload)


def unnamed_workload(process: int) -> str:
    """The workload of a process that has none: the process itself."""
    return f"process:{process:016x}"


def batch_key(source_id: str) -> int:
    """A delivered batch: of a report's ``ce_id``, or of an imported file's digest."""
    return key_of("batch", source_id)
