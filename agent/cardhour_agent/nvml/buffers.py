"""Lists that the driver writes into a buffer of ours, in one call each.

Owns the buffers, and the repetition of a call whose buffer was outgrown. Does not own what rows mean.

``nvidia-ml-py`` asks twice each time, for the length and for the rows, and copies every row field by field. A buffer
that was large enough the last time, offered at once, halves the calls and the processor time; the driver takes as
long.
"""

from __future__ import annotations

from collections.abc import Callable
from ctypes import Structure, byref, c_uint, c_ulonglong, memset, sizeof
from typing import Any

import pynvml
from pynvml import NVMLError

from cardhour_agent.nvml.asking import TRIES_MAX
from cardhour_agent.nvml.codes import INSUFFICIENT_SIZE, NOT_FOUND, SUCCESS
from cardhour_agent.utilisation import UtilisationSample

ROWS = 128
"""To begin with. Drivers ask for room for 72 or 100 samples whatever they have."""

UNTOLD = 2
"""How many times as large a buffer is as the driver is told: drivers 535.43 to 535.86 write rows of another size."""

MEMORY_UNKNOWN = 2**64 - 1
"""What the driver writes for memory that it does not know."""


class _Process(Structure):
    """A row as the header has it; the package's own class looks at each field of each row before it gives it."""

    _fields_ = pynvml.c_nvmlProcessInfo_v2_t._fields_


class _Sample(Structure):
    """Likewise."""

    _fields_ = pynvml.c_nvmlProcessUtilizationSample_t._fields_


class _Rows:
    """A buffer of rows of one kind."""

    def __init__(self, row: Any) -> None:
        self._row = row
        self._told = ROWS
        self.buffer = (row * (ROWS * UNTOLD))()

    def ask(self, call: Callable[[Any], int]) -> list[Any]:
        """The rows that ``call`` writes into the buffer; good until the next. Raises NVMLError.

        ``call`` is given how many rows there is room for, where the driver says how many there are.
        """
        for _ in range(TRIES_MAX):
            memset(self.buffer, 0, sizeof(self.buffer))  # so that no row of another card is taken for one of this
            count = c_uint(self._told)
            code = call(count)
            if code == SUCCESS:
                return list(self.buffer[: count.value])
            if code != INSUFFICIENT_SIZE:
                break
            self._told = max(self._told, count.value) * 2
            self.buffer = (self._row * (self._told * UNTOLD))()
        raise NVMLError(code)


class Buffers:
    """One buffer for each kind of row."""

    def __init__(self) -> None:
        self._processes = _Rows(_Process)
        self._samples = _Rows(_Sample)

    def processes(self, function: str, handle: Any) -> list[tuple[int, int | None]]:
        """Pid and memory of each process, as this symbol lists them. Raises NVMLError."""
        rows, call = self._processes, pynvml._nvmlGetFunctionPointer(function)
        found = rows.ask(lambda count: int(call(handle, byref(count), rows.buffer)))
        return [(row.pid, None if row.usedGpuMemory == MEMORY_UNKNOWN else row.usedGpuMemory) for row in found]

    def samples(self, handle: Any, since_us: int) -> list[UtilisationSample]:
        """Utilisation of processes, newer than a time of the driver's clock. Raises NVMLError."""
        rows, call = self._samples, pynvml._nvmlGetFunctionPointer("nvmlDeviceGetProcessUtilization")
        try:
            found = rows.ask(lambda count: int(call(handle, rows.buffer, byref(count), c_ulonglong(since_us))))
        except NVMLError as error:
            if error.value != NOT_FOUND:
                raise
            return []  # nothing was used since then
        return [UtilisationSample(row.pid, row.timeStamp, row.smUtil) for row in found]
