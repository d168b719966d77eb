"""A driver that does not exist, with tenants that do: a scripted ``libnvidia-ml.so.1``, and processes that come and go.

Owns building both from C, and the file in memory that they share: what goes wrong and how often, who is due when, and,
afterwards, what each process read from its own clock. Does not own what is measured with them.
"""

from __future__ import annotations

import ctypes
import mmap
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SOURCES = Path(__file__).parent
CARDS, CALLS, READINGS = 8, 64, 8192
ALL_CARDS = (1 << CARDS) - 1

STALE, LOST, REUSE, REUSED = 1, 2, 4, 8
"""Marks of a slot: listed for a while after it left; forgotten by accounting mode; to be given the pid of one that has
ended, and that it was given one."""


class Header(ctypes.Structure):
    """``scripted.h`` says what each is."""

    _fields_ = [
        *((name, ctypes.c_int64) for name in ("wall_ns", "began_ns", "scale")),
        *((name, ctypes.c_uint64) for name in ("seed", "slots", "accounting", "failed_permille", "missing_permille")),
        *((name, ctypes.c_uint64) for name in ("listed_after_us", "stale_us", "kept", "readings")),
        ("ended", ctypes.c_uint64 * CARDS),
        ("calls", ctypes.c_uint64 * CALLS),
        ("failed", ctypes.c_uint16 * READINGS),
    ]


class Slot(ctypes.Structure):
    """One tenant."""

    _fields_ = [
        *((name, ctypes.c_int64) for name in ("due_ns", "life_ns", "began_ns", "ended_ns", "began_us", "ended_us")),
        ("order", ctypes.c_uint64),
        *((name, ctypes.c_uint32) for name in ("flags", "cards", "sm")),
        ("pid", ctypes.c_int32),
        *((name, ctypes.c_uint32) for name in ("state", "missed")),
    ]


class ScaledClock:
    """The driver's clock: ``scale`` times as fast as the machine's, from when it was made."""

    def __init__(self, scale: int) -> None:
        self.scale = scale
        self.wall_ns, self.began_ns = time.time_ns(), time.clock_gettime_ns(time.CLOCK_BOOTTIME)

    def _elapsed_ns(self) -> int:
        return (time.clock_gettime_ns(time.CLOCK_BOOTTIME) - self.began_ns) * self.scale

    def now_ms(self) -> int:
        return (self.wall_ns + self._elapsed_ns()) // 1_000_000

    def monotonic_ms(self) -> int:
        return (self.began_ns + self._elapsed_ns()) // 1_000_000

    def sleep_ms(self, duration_ms: int) -> None:
        time.sleep(max(0, duration_ms) / 1000 / self.scale)


class Driver:
    """The shared file. ``environment`` is what a process needs to have this driver."""

    def __init__(self, folder: Path, clock: ScaledClock, tenants: int, **cues: int) -> None:
        self.file = folder / "driver"
        length = ctypes.sizeof(Header) + tenants * ctypes.sizeof(Slot)
        self.file.write_bytes(bytes(length))
        with self.file.open("r+b") as file:
            self._memory = mmap.mmap(file.fileno(), length)
        self.header = Header.from_buffer(self._memory)
        self.slots = (Slot * tenants).from_buffer(self._memory, ctypes.sizeof(Header))
        self.header.wall_ns, self.header.began_ns, self.header.scale = clock.wall_ns, clock.began_ns, clock.scale
        self.header.slots = tenants
        for name, value in cues.items():
            setattr(self.header, name, value)
        self._folder = folder
        _build(folder / "libnvidia-ml.so.1", "scripted_nvml.c", "-shared", "-fPIC")
        _build(folder / "libcuda.so.1", "scripted_cuda.c", "-shared", "-fPIC")
        _build(folder / "tenants", "tenants.c")
        self.environment = {"LD_LIBRARY_PATH": str(folder), "SCRIPTED_NVML": str(self.file)}

    def fill(self, other: bytes) -> None:
        """Become as another was, with calls counted from nothing: the same tenants, asked about by somebody else."""
        self._memory[:] = other
        ctypes.memset(self.header.calls, 0, ctypes.sizeof(self.header.calls))

    @property
    def calls(self) -> int:
        """Of NVML, by whoever has this driver."""
        return sum(self.header.calls)

    @contextmanager
    def tenants(self) -> Iterator[subprocess.Popen[bytes]]:
        """All of them, each when it is due. The process ends when the last has left."""
        process = subprocess.Popen([self._folder / "tenants", self.file])
        try:
            yield process
        finally:
            process.kill()
            process.wait()


def _build(target: Path, source: str, *flags: str) -> None:
    command = ["cc", "-O2", "-Wall", "-Wextra", "-Werror", *flags, "-o", str(target), str(SOURCES / source)]
    subprocess.run(command, check=True)
