"""What NVML really does: the questions that no header answers, asked of the driver under known load.

Owns the questions and their printing; every answer is one observation of this machine. Does not own what follows from
them (docs/development/nvml.md). Changes no setting.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from statistics import median
from threading import Event, Thread
from typing import Any

import pynvml
from pynvml import NVMLError

from cardhour_agent.nvml.codes import word_of
from tests.gpu.tenants import Tenant, tenants

Say = Callable[[str], None]
KNOWN_BUSY = 0.4


def answer(call: Callable[..., Any], *arguments: Any) -> Any:
    """The answer, or the word for why there is none."""
    try:
        return call(*arguments)
    except NVMLError as error:
        return word_of(error.value)


def took_ms(call: Callable[..., Any], *arguments: Any) -> tuple[float, Any]:
    began_ns = time.monotonic_ns()
    found = answer(call, *arguments)
    return (time.monotonic_ns() - began_ns) / 1e6, found


def samples(handle: Any, since_us: int) -> list[Any]:
    found = answer(pynvml.nvmlDeviceGetProcessUtilization, handle, since_us)
    return found if isinstance(found, list) else []


def settings(handle: Any, say: Say) -> bool:
    """How the first card is set up; whether it has accounting mode on."""
    say(f"driver {pynvml.nvmlSystemGetDriverVersion()}, {pynvml.nvmlDeviceGetName(handle)}")
    accounting = answer(pynvml.nvmlDeviceGetAccountingMode, handle)
    say(f"persistence mode {answer(pynvml.nvmlDeviceGetPersistenceMode, handle)}, accounting mode {accounting}")
    say(f"accounting buffer: {answer(pynvml.nvmlDeviceGetAccountingBufferSize, handle)} entries")
    say(f"MIG mode {answer(pynvml.nvmlDeviceGetMigMode, handle)}")
    if accounting != 1:
        say("LACKING: accounting mode is off here, so its times and counters are not seen; nothing switches it on")
    return bool(accounting == 1)


def accounted(handle: Any, say: Say) -> None:
    """Accounting's own times beside a process's clock; where the mode is on."""
    with tenants(("accounted", 3.0, KNOWN_BUSY, 0.0)) as (one,):
        running = answer(pynvml.nvmlDeviceGetAccountingStats_v2, handle, one.pid)
        say(f"accounting, running: {_fields(running)}; context by {one.created_ns / 1e3:.0f} us")
        one.end()
        for call in (pynvml.nvmlDeviceGetAccountingStats, pynvml.nvmlDeviceGetAccountingStats_v2):
            ended = answer(call, handle, one.pid)
            say(f"accounting, ended ({call.__name__[-2:]}): {_fields(ended)}; left at {one.left_ns / 1e3:.0f} us")


def _fields(found: Any) -> Any:
    names = [name for name, *_ in getattr(found, "_fields_", ()) if name != "reserved"]
    return {name: getattr(found, name) for name in names} or found


def windows(handle: Any, say: Say) -> None:
    """Utilisation of a known rhythm when asked every 1 and 5 s, and once for all that is kept."""
    with tenants(("rhythm", 16.0, KNOWN_BUSY, 0.0)) as (one,):
        for pause_s, times in ((1.0, 5), (5.0, 2)):
            since_us, found = 0, []
            for _ in range(times):
                time.sleep(pause_s)
                new = [each for each in samples(handle, since_us) if each.pid == one.pid]
                since_us = max([since_us, *(each.timeStamp for each in new)])
                found.append([(each.smUtil, round((time.time_ns() / 1e3 - each.timeStamp) / 1e3)) for each in new])
            say(f"utilisation of {KNOWN_BUSY:.0%}, asked every {pause_s:.0f} s: (percent, ms old) {found}")
        kept = samples(handle, 0)
        say(f"with lastSeen 0: {len(kept)} samples, {sum(each.pid == one.pid for each in kept)} of the process")
        one.end()
        for pause_s in (0.0, 1.0, 5.0):
            time.sleep(pause_s)
            left = [each for each in samples(handle, 0) if each.pid == one.pid]
            say(f"{pause_s:.0f} s after its end, with lastSeen 0: {[(each.smUtil, each.timeStamp) for each in left]}")


def sums(handle: Any, say: Say) -> None:
    """Several processes at once: whether their utilisations add up, and what performance monitoring says meanwhile."""
    for count in (2, 4):
        with tenants(*((f"one of {count}", 6.0, KNOWN_BUSY, 0.0) for _ in range(count))) as started:
            before = _gpm_sample(handle)
            time.sleep(4)
            monitored = _gpm(handle, before)
            found = {each.pid: each.smUtil for each in samples(handle, 0)}
            each_has = [found.get(one.pid) for one in started]
            rates = answer(pynvml.nvmlDeviceGetUtilizationRates, handle)
            whole = rates if isinstance(rates, str) else rates.gpu
            say(f"{count} processes of {KNOWN_BUSY:.0%}: {each_has}, the card {whole}; GPM {monitored}")


def presence(handle: Any, say: Say) -> None:
    """When the list names a process, and when no more: one that exits, one that gives its context back, one killed."""
    for name, seconds, linger in (("exits", 1.0, 0.0), ("destroys", 1.0, 2.0), ("killed", 30.0, 0.0)):
        one = Tenant(name, seconds, 0.0, linger)
        began = Thread(target=one.until, args=("ready",))
        began.start()
        seen_ns = _changed(handle, one.pid, listed=True)
        began.join()
        if name == "killed":
            one.kill()
        else:
            ending = Thread(target=one.end)
            ending.start()
        gone_ns = _changed(handle, one.pid, listed=False)
        if name != "killed":
            ending.join()
        left_ns = one.exited_ns if name == "killed" else one.left_ns
        say(
            f"{name}: in the list {(seen_ns - one.created_ns) / 1e6:+.1f} ms from when cuCtxCreate returned, gone "
            f"{(gone_ns - left_ns) / 1e6:+.1f} ms from leaving, {(gone_ns - one.exited_ns) / 1e6:+.1f} from its exit"
        )


def _changed(handle: Any, pid: int, *, listed: bool) -> int:
    deadline = time.monotonic() + 30
    while _listed(handle, pid) is not listed and time.monotonic() < deadline:
        time.sleep(0.0005)
    return time.time_ns()


def _listed(handle: Any, pid: int) -> bool:
    found = answer(pynvml.nvmlDeviceGetComputeRunningProcesses_v3, handle)
    return not isinstance(found, str) and pid in {each.pid for each in found}


def _gpm_sample(handle: Any) -> Any:
    sample = answer(pynvml.nvmlGpmSampleAlloc)
    if not isinstance(sample, str):
        failed = answer(pynvml.nvmlGpmSampleGet, handle, sample)
        return failed if isinstance(failed, str) else sample
    return sample


def _gpm(handle: Any, before: Any) -> Any:
    after = _gpm_sample(handle)
    if isinstance(before, str) or isinstance(after, str):
        return before if isinstance(before, str) else after
    asked = pynvml.c_nvmlGpmMetricsGet_t()
    asked.version, asked.numMetrics = pynvml.NVML_GPM_METRICS_GET_VERSION, 2
    asked.sample1, asked.sample2 = before, after
    asked.metrics[0].metricId = pynvml.NVML_GPM_METRIC_GRAPHICS_UTIL
    asked.metrics[1].metricId = pynvml.NVML_GPM_METRIC_SM_UTIL
    failed = answer(pynvml.nvmlGpmMetricsGet, asked)
    for each in (before, after):
        answer(pynvml.nvmlGpmSampleFree, each)
    if isinstance(failed, str):
        return failed
    return {"graphics": round(asked.metrics[0].value, 2), "sm": round(asked.metrics[1].value, 2)}


def costs(handle: Any, say: Say, counts: tuple[int, ...]) -> None:
    """What each call takes with so many processes, and what asking costs a tenant that launches kernels."""
    calls: dict[str, Callable[[], Any]] = {
        "compute list": lambda: pynvml.nvmlDeviceGetComputeRunningProcesses_v3(handle),
        "graphics list": lambda: pynvml.nvmlDeviceGetGraphicsRunningProcesses_v3(handle),
        "MPS list": lambda: pynvml.nvmlDeviceGetMPSComputeRunningProcesses_v3(handle),
        "utilisation": lambda: pynvml.nvmlDeviceGetProcessUtilization(handle, 0),
        "energy": lambda: pynvml.nvmlDeviceGetTotalEnergyConsumption(handle),
        "ECC": lambda: pynvml.nvmlDeviceGetTotalEccErrors(handle, 1, 0),
        "recovery action": lambda: pynvml.nvmlDeviceGetFieldValues(
            handle, [pynvml.NVML_FI_DEV_GET_GPU_RECOVERY_ACTION]
        ),
        "accounting pids": lambda: pynvml.nvmlDeviceGetAccountingPids(handle),
    }
    for count in counts:
        with tenants(*((f"one of {count}", -1.0, 0.0, 0.0) for _ in range(count))) as started:
            found = {name: median(took_ms(call)[0] for _ in range(10)) for name, call in calls.items()}
            say(f"{count} processes, ms a call: " + ", ".join(f"{name} {ms:.2f}" for name, ms in found.items()))
            listed = answer(calls["compute list"])
            if not isinstance(listed, str):
                say(f"  the compute list has {len(listed)} of {count}")
            if count == 1:
                for name, said in _under_load(started[0].launches, calls["compute list"]):
                    say(f"  empty kernels, {name}: p50 {said['p50_ns']} p99 {said['p99_ns']} most {said['most_ns']} ns")


def _under_load(
    launches: Callable[[], dict[str, Any]], call: Callable[[], Any]
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Launch times alone, and while another thread asks without a pause (the wrapper lets other threads run)."""
    yield "nobody asks", launches()
    stop = Event()

    def ask() -> None:
        while not stop.is_set():
            answer(call)

    asking = Thread(target=ask)
    asking.start()
    try:
        yield "lists asked without a pause", launches()
    finally:
        stop.set()
        asking.join()
