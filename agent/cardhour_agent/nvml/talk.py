"""What the agent and its NVML child say to each other, and how it is framed on a pipe.

Owns the two messages and their bytes: a little-endian length of four bytes, then msgpack. Does not own processes.
"""

from __future__ import annotations

import os
from typing import Literal

import msgspec
from msgspec import Struct

from cardhour_agent.device import Inspection, NodeReading

LENGTH_BYTES = 4

MESSAGE_BYTES_MAX = 64 * 1024**2
"""Far above the reading of a node with 64 instances and 10 000 processes on each: more is not a message of ours."""

READ_BYTES = 1 << 16


class Request(Struct, frozen=True, kw_only=True):
    """Please read the node now, or say how it is set up."""

    sequence: int
    what: Literal["read", "inspect"] = "read"


class Reply(Struct, frozen=True, kw_only=True):
    """The answer to the request of the same number."""

    sequence: int
    reading: NodeReading | None = None
    inspection: Inspection | None = None


class NotOurs(ValueError):
    """Bytes that are no message: the other side is broken."""


def framed(message: Request | Reply) -> bytes:
    body = msgspec.msgpack.encode(message)
    return len(body).to_bytes(LENGTH_BYTES, "little") + body


def write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


class Incoming:
    """Bytes as they arrive, and the bodies that they complete."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._bytes = bytearray()

    def take(self) -> bytes | None:
        """Read once (it blocks where nothing has arrived). The next whole body, or ``None`` where it is not whole yet.

        Raises EOFError where the other side is gone, NotOurs for a length that cannot be.
        """
        fresh = os.read(self._descriptor, READ_BYTES)
        if not fresh:
            raise EOFError
        self._bytes += fresh
        length = int.from_bytes(self._bytes[:LENGTH_BYTES], "little")
        if length > MESSAGE_BYTES_MAX:
            raise NotOurs(f"a message of {length} bytes")
        end = LENGTH_BYTES + length
        if len(self._bytes) < end:
            return None
        body = bytes(self._bytes[LENGTH_BYTES:end])
        del self._bytes[:end]
        return body
