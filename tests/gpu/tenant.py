"""A CUDA process of known times: it takes a context on the first card, works in a known rhythm, and leaves.

Owns calling ``libcuda.so.1`` and telling, one JSON line at a time, what its own clock says. Runs alone, with nothing
but Python: ``python tenant.py SECONDS BUSY LINGER``. BUSY is the part of each period in which a kernel runs. With
LINGER seconds it lives on after it has given its context back.
"""

from __future__ import annotations

import ctypes
import json
import os
import sys
import time
from typing import Any

PERIOD_NS = 100_000_000
MEMORY_BYTES = 64 << 20
LAUNCHES = 200
"""Empty kernels in a row, each waited for: what the driver's locks cost the tenant shows in their times."""

SPIN = """.version 6.3
.target {target}
.address_size 64
.visible .entry spin(.param .u64 ns)
{{
    .reg .u64 %a<5>;
    .reg .pred %p;
    ld.param.u64 %a1, [ns];
    mov.u64 %a2, %globaltimer;
AGAIN:
    mov.u64 %a3, %globaltimer;
    sub.u64 %a4, %a3, %a2;
    setp.lt.u64 %p, %a4, %a1;
    @%p bra AGAIN;
    ret;
}}
"""
"""One thread that watches the GPU's clock."""


class Cuda:
    """The few calls of the driver API that it takes. Raises RuntimeError with the call and CUDA's code."""

    def __init__(self) -> None:
        self._library = ctypes.CDLL("libcuda.so.1")
        self._context, self._function = ctypes.c_void_p(), ctypes.c_void_p()

    def __getattr__(self, name: str) -> Any:
        call = getattr(self._library, name)

        def checked(*arguments: Any) -> None:
            code = call(*arguments)
            if code:
                raise RuntimeError(f"{name} failed with {code}")

        return checked

    def create(self) -> None:
        device = ctypes.c_int()
        self.cuInit(0)
        self.cuDeviceGet(ctypes.byref(device), 0)
        self.cuCtxCreate_v2(ctypes.byref(self._context), 0, device)

    def prepare(self) -> None:
        memory, module = ctypes.c_uint64(), ctypes.c_void_p()
        self.cuMemAlloc_v2(ctypes.byref(memory), ctypes.c_size_t(MEMORY_BYTES))
        try:
            self.cuModuleLoadData(ctypes.byref(module), SPIN.format(target="sm_75").encode())
        except RuntimeError:  # a card older than that
            self.cuModuleLoadData(ctypes.byref(module), SPIN.format(target="sm_50").encode())
        self.cuModuleGetFunction(ctypes.byref(self._function), module, b"spin")

    def spin(self, ns: int) -> None:
        """Returns when the kernel has run for so long."""
        value = ctypes.c_uint64(ns)
        arguments = (ctypes.c_void_p * 1)(ctypes.cast(ctypes.byref(value), ctypes.c_void_p))
        self.cuLaunchKernel(self._function, 1, 1, 1, 1, 1, 1, 0, None, arguments, None)
        self.cuCtxSynchronize()

    def destroy(self) -> None:
        self.cuCtxDestroy_v2(self._context)


def say(event: str, **details: object) -> None:
    print(json.dumps({"event": event, "at_ns": time.time_ns(), **details}), flush=True)


def work(cuda: Cuda, seconds: float, busy: float) -> int:
    """Kernels in a rhythm; how long they ran in all, in ns, by this process's clock."""
    end_ns, busy_ns = time.monotonic_ns() + round(seconds * 1e9), 0
    while (began_ns := time.monotonic_ns()) < end_ns:
        if busy:
            cuda.spin(round(PERIOD_NS * busy))
            busy_ns += time.monotonic_ns() - began_ns
        rest_ns = PERIOD_NS - (time.monotonic_ns() - began_ns)
        time.sleep(max(0, min(rest_ns, end_ns - time.monotonic_ns())) / 1e9)
    return busy_ns


def launch_times(cuda: Cuda) -> list[int]:
    """Sorted, in ns."""
    found = []
    for _ in range(LAUNCHES):
        began_ns = time.monotonic_ns()
        cuda.spin(0)
        found.append(time.monotonic_ns() - began_ns)
    return sorted(found)


def main() -> None:
    seconds, busy, linger = (float(each) for each in sys.argv[1:4])
    say("started", pid=os.getpid())
    cuda = Cuda()
    cuda.create()
    say("created")
    cuda.prepare()
    say("ready")
    while seconds < 0:  # asked over standard input, until that ends
        if not sys.stdin.readline():
            break
        times = launch_times(cuda)
        say("launches", p50_ns=times[len(times) // 2], p99_ns=times[len(times) * 99 // 100], most_ns=times[-1])
    busy_ns = work(cuda, seconds, busy) if seconds > 0 else 0
    if linger:
        cuda.destroy()
        say("destroyed", busy_ns=busy_ns)
        time.sleep(linger)
    say("ends", busy_ns=busy_ns)
    os._exit(0)


if __name__ == "__main__":
    main()
