"""How the driver is set up: its version, and the modes that an administrator chose for each GPU.

Owns the questions. Does not own which answer is good (``checkup``). Changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pynvml
from pynvml import NVMLError

from cardhour_agent.device import Failure, GpuModes, Inspection
from cardhour_agent.nvml.asking import retried
from cardhour_agent.nvml.codes import word_of


def inspect() -> Inspection:
    """A session of its own with the driver; sessions are counted, so one that is open already stays so."""
    try:
        pynvml.nvmlInit()
    except NVMLError as error:
        return Inspection(failure=_failure(error))
    try:
        driver = str(pynvml.nvmlSystemGetDriverVersion())
        gpus = tuple(_modes(index) for index in range(pynvml.nvmlDeviceGetCount()))
        return Inspection(driver=driver, gpus=gpus)
    except NVMLError as error:
        return Inspection(failure=_failure(error))
    finally:
        pynvml.nvmlShutdown()


def _modes(index: int) -> GpuModes:
    try:
        handle = pynvml.nvmlDeviceGetHandleByIndex(index)
        card, model = str(pynvml.nvmlDeviceGetUUID(handle)), str(pynvml.nvmlDeviceGetName(handle))
    except NVMLError as error:
        return GpuModes(card=f"index {index}", model="", processes_failure=word_of(error.value))
    mig = _asked(pynvml.nvmlDeviceGetMigMode, handle)
    return GpuModes(
        card=card,
        model=model,
        persistence=_mode(_asked(pynvml.nvmlDeviceGetPersistenceMode, handle)),
        accounting=_mode(_asked(pynvml.nvmlDeviceGetAccountingMode, handle)),
        mig=mig is not None and mig[0] == pynvml.NVML_DEVICE_MIG_ENABLE,
        processes_failure=_processes_failure(handle),
    )


def _asked(call: Callable[[Any], Any], handle: Any) -> Any:
    """The answer; ``None`` where there is none, for whatever reason."""
    try:
        return call(handle)
    except NVMLError:
        return None


def _mode(answer: Any) -> bool | None:
    return None if answer is None else bool(answer)


def _processes_failure(handle: Any) -> str:
    try:
        retried(pynvml.nvmlDeviceGetComputeRunningProcesses, handle)
    except NVMLError as error:
        return word_of(error.value)
    return ""


def _failure(error: NVMLError) -> Failure:
    return Failure(reason=word_of(error.value), detail=str(error))
