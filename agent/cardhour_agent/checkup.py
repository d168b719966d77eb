"""Looking at a node: what the agent needs, what it finds, and how to mend what is wrong.

Owns the checks. Each looks at one thing, changes nothing, and turns trouble into a finding instead of failing. Does not
own printing (``show``).
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path
from typing import Literal

from msgspec import Struct

from cardhour_agent.config import Config
from cardhour_agent.device import GpuModes, Inspection
from cardhour_agent.key_file import KeyFile
from cardhour_agent.ntp import ntp_synced
from cardhour_agent.nvml.watched import WatchedNvml
from cardhour_agent.procfs import PROC, read_process
from cardhour_agent.shipper import BOOTSTRAP_MS, probe
from cardhour_contract.clock import SystemClock
from cardhour_contract.errors import CardHourError
from cardhour_contract.spool import Spool

SPACE_BYTES_MIN = 100 * 1024**2
"""Less free space than this is a day or two of reports."""

FIRST_PID_NAMESPACE = 0xEFFFFFFC
"""The inode of the machine's own pid namespace: fixed in the kernel's sources (PROC_PID_INIT_INO)."""

SKEWED_DRIVERS = (535, 43), (535, 98)
"""From, and before: a larger struct behind an unchanged symbol, whose replies ``nvml.lists`` discards."""

CLASHING = ("pynvml", "nvidia-ml-py3", "py3nvml")
"""Retired packages with the module name, or the structs, of another time."""

MIB = 1024**2


class Finding(Struct, frozen=True, kw_only=True):
    """What one check saw. ``mend`` says what to do; empty where nothing is."""

    check: str
    state: Literal["ok", "note", "wrong"]
    what: str
    mend: str = ""


def examine(
    config: Config,
    *,
    proc: Path = PROC,
    synced: Callable[[], bool | None] = ntp_synced,
    broker_wait_ms: int = BOOTSTRAP_MS,
) -> Iterator[Finding]:
    """Every finding, in the order in which trouble is best mended."""
    agent = config.agent
    yield Finding(check="settings", state="ok", what=f"node {agent.node} of cluster {agent.cluster}")
    if agent.scenario:
        yield Finding(check="driver", state="note", what=f"simulated from {agent.scenario}; NVML is not read")
    else:
        nvml = WatchedNvml(SystemClock(), config.nvml_timeout_ms)
        try:
            yield from _driver(nvml.inspect())
        finally:
            nvml.close()
        yield _processes(proc)
        yield _pid_namespace(proc)
    yield _spool(config)
    yield _broker(config, broker_wait_ms)
    if config.stream.kind == "kafka":
        yield _signing(config)
    yield _clock(synced())


def _driver(inspection: Inspection) -> Iterator[Finding]:
    failure = inspection.failure
    if failure is not None:
        mend = "load the NVIDIA driver (nvidia-smi must answer), and let this account open /dev/nvidia*"
        if failure.reason in ("nvml_hung", "nvml_crashed"):
            mend = "look for Xid lines in the kernel's log; the driver, or the machine, must be restarted"
        yield Finding(check="driver", state="wrong", what=f"{failure.reason}: {failure.detail}", mend=mend)
        return
    yield from _known_bad(inspection.driver)
    gpus = inspection.gpus
    what = f"driver {inspection.driver}, {len(gpus)} GPUs"
    if gpus:
        yield Finding(check="driver", state="ok", what=what)
    else:
        yield Finding(check="driver", state="wrong", what=what, mend="see why nvidia-smi lists no GPU")
    hidden = [each for each in gpus if each.processes_failure]
    if hidden:
        what = "; ".join(f"{each.card}: {each.processes_failure}" for each in hidden)
        mend = "cards that this account may not list processes of are not metered: run the agent as root there"
        yield Finding(check="processes on cards", state="wrong", what=what, mend=mend)
    off = [each for each in gpus if each.persistence is False]
    mend = "nvidia-persistenced, or nvidia-smi -pm 1: without it the driver forgets its counters when nobody uses it"
    yield _mode("persistence mode", off, gpus, mend)
    off = [each for each in gpus if each.accounting is False and not each.mig]
    mend = "nvidia-smi -am 1, as root, where processes shorter than a sample interval are to be billed"
    yield _mode("accounting mode", off, gpus, mend)


def _known_bad(driver: str) -> Iterator[Finding]:
    """What is known to answer wrongly, before it does."""
    numbers = tuple(int(each) for each in driver.split(".")[:2] if each.isdigit())
    if SKEWED_DRIVERS[0] <= numbers < SKEWED_DRIVERS[1]:
        what = f"driver {driver} lists processes in a struct that no header describes: its replies are discarded"
        yield Finding(check="driver version", state="wrong", what=what, mend="install 535.98 or later")
    clashing = [name for name in CLASHING if _installed(name)]
    if clashing:
        what = f"{', '.join(clashing)} is installed beside nvidia-ml-py, and may be imported in its place"
        yield Finding(check="python packages", state="wrong", what=what, mend=f"pip uninstall {' '.join(clashing)}")


def _installed(name: str) -> bool:
    try:
        metadata.distribution(name)
    except metadata.PackageNotFoundError:
        return False
    return True


def _mode(check: str, off: list[GpuModes], gpus: tuple[GpuModes, ...], mend: str) -> Finding:
    if off:
        return Finding(check=check, state="note", what=f"off on {len(off)} of {len(gpus)} GPUs", mend=mend)
    return Finding(check=check, state="ok", what="on, or of no use here")


def _processes(proc: Path) -> Finding:
    """The first process is root's: who sees it sees everybody's."""
    try:
        read_process(1, proc)
    except (OSError, ValueError) as error:
        return Finding(
            check="other users' processes",
            state="wrong",
            what=f"/proc hides them from this account ({error})",
            mend="mount /proc without hidepid, or put the account into the group of its gid= option",
        )
    return Finding(check="other users' processes", state="ok", what="/proc shows them")


def _pid_namespace(proc: Path) -> Finding:
    if (proc / "self/ns/pid").stat().st_ino == FIRST_PID_NAMESPACE:
        return Finding(check="pid namespace", state="ok", what="the machine's own")
    return Finding(
        check="pid namespace",
        state="wrong",
        what="a container's: the driver names processes by numbers that mean others here",
        mend="run the agent with hostPID: true (Kubernetes) or --pid=host (Docker, Podman)",
    )


def _spool(config: Config) -> Finding:
    path = config.spool
    there = next(each for each in path.parents if each.exists())
    if not (there.is_dir() and os.access(there, os.W_OK | os.X_OK)):
        mend = "give the account this folder, or name another in [agent] spool"
        return Finding(check="spool", state="wrong", what=f"{there} cannot be written to", mend=mend)
    reports = used_bytes = 0
    if path.exists():
        try:
            with Spool(path) as spool:
                reports, used_bytes, _ = spool.depth()
        except CardHourError as error:
            return Finding(check="spool", state="wrong", what=str(error), mend="move the file aside")
    free_bytes, limit_bytes = shutil.disk_usage(there).free, config.agent.spool_bytes_max
    what = f"{reports} reports in {path}; {free_bytes // MIB} MiB free"
    if free_bytes < SPACE_BYTES_MIN:
        return Finding(check="spool", state="wrong", what=what, mend="make room on that disk")
    if free_bytes < limit_bytes - used_bytes:
        mend = f"the disk is full before the spool is: make room, or lower [agent] spool_bytes_max ({limit_bytes})"
        return Finding(check="spool", state="note", what=what, mend=mend)
    return Finding(check="spool", state="ok", what=what)


def _broker(config: Config, wait_ms: int) -> Finding:
    stream = config.stream
    if stream.kind != "kafka":
        return Finding(check="broker", state="ok", what="none: ingest on this machine reads the spool")
    servers = ", ".join(stream.bootstrap_servers)
    failure = probe(stream, wait_ms)
    if failure:
        return Finding(
            check="broker",
            state="wrong",
            what=f"{servers}, topic {stream.topic}: {failure}",
            mend="check [stream] and the way to the broker; cardhour-ingest topics creates the topic. Nothing is lost"
            " meanwhile: reports wait in the spool",
        )
    return Finding(check="broker", state="ok", what=f"{servers} answers for topic {stream.topic}")


def _signing(config: Config) -> Finding:
    try:
        key = KeyFile(config.key_file)()
    except CardHourError as error:
        return Finding(check="signing", state="wrong", what=str(error), mend="the agent does not start with this key")
    if key is None:
        mend = "cardhour-agent key create: where ingest requires signatures, it takes no other report"
        return Finding(check="signing", state="note", what="reports are not signed: this node has no key", mend=mend)
    return Finding(check="signing", state="ok", what=f"with key {key.public.key_id}")


def _clock(synced: bool | None) -> Finding:
    mend = "run chrony or systemd-timesyncd: reports of a clock more than 30 s off are set aside"
    if synced is None:
        return Finding(check="clock", state="note", what="the kernel does not say whether it is kept", mend=mend)
    if not synced:
        return Finding(check="clock", state="wrong", what="not synchronised", mend=mend)
    return Finding(check="clock", state="ok", what="synchronised")
