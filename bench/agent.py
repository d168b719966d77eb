"""What metering costs a node: the agent beside ``nvitop-exporter`` and ``gpustat`` on the same cards and processes.

Owns the node (eight cards with eight real processes each, under the scripted driver), the three pollers, all at one
interval and at the same time, and reading what the kernel counted for them. The agent signs, serves metrics, sends to
a real broker and has every resolver on.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

from tests.services.kafka_broker import running_broker

from bench.driver import CARDS, Driver, ScaledClock
from bench.figures import MIB, SECOND_NS, Figure
from cardhour_contract.settings import StreamSettings
from cardhour_ingest.kafka_topics import create_topics

PROCESSES = 8
SAMPLE_S, REPORT_S = 5, 60
SETTLE_S = 15
"""After this all have started, and asked at least twice."""

HOUR_S = 3600


class Spent(NamedTuple):
    """What the kernel has counted of a process and its children."""

    cpu_ns: int
    pss_bytes: int
    calls: int


class Poller:
    """One of those compared."""

    def __init__(self, name: str, command: list[str], driver: Driver, **environment: str) -> None:
        self.name = name
        self._driver = driver
        self._process = subprocess.Popen(
            command,
            env={**os.environ, **driver.environment, **environment},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def spent(self) -> Spent:
        if self._process.poll() is not None:
            raise RuntimeError(f"{self.name} has ended with exit code {self._process.returncode}")
        pids = _with_children(self._process.pid)
        return Spent(sum(map(_cpu_ns, pids)), sum(map(_pss_bytes, pids)), self._driver.calls)

    def end(self) -> None:
        self._process.terminate()
        self._process.wait(30)


def measure(folder: Path, *, seconds: int, peers: str) -> list[Figure]:
    """``peers``: a Python that has nvitop-exporter and gpustat; empty for the agent alone."""
    with ExitStack() as stack:
        node = stack.enter_context(_node(folder, seconds + 5 * SETTLE_S))
        broker = stack.enter_context(running_broker(folder / "kafka"))
        pollers = [_agent(folder, node("agent"), broker.bootstrap_servers)]
        stack.callback(pollers[0].end)
        if peers:
            for poller in _peers(peers, node):
                pollers.append(poller)
                stack.callback(poller.end)
        time.sleep(SETTLE_S)
        before = [each.spent() for each in pollers]
        began_ns = time.monotonic_ns()
        while (left_s := seconds - (time.monotonic_ns() - began_ns) / SECOND_NS) > 0:
            time.sleep(min(SAMPLE_S, left_s))
            if peers:
                _scrape(EXPORTER_PORT)
            _scrape(METRICS_PORT)
        after = [each.spent() for each in pollers]
        took_s = (time.monotonic_ns() - began_ns) / SECOND_NS
    return list(_figures([each.name for each in pollers], before, after, took_s))


EXPORTER_PORT, METRICS_PORT = 19_470, 19_471


@contextmanager
def _node(folder: Path, seconds: int) -> Iterator[Callable[[str], Driver]]:
    """Eight tenants on each card; a driver for each who asks, so that calls are counted apart."""
    clock = ScaledClock(1)
    (folder / "node").mkdir()
    driver = Driver(folder / "node", clock, CARDS * PROCESSES, kept=4000)
    for at, slot in enumerate(driver.slots):
        slot.cards, slot.sm, slot.life_ns = 1 << at % CARDS, 40, seconds * SECOND_NS
    with driver.tenants():
        while any(each.state == 0 for each in driver.slots):
            time.sleep(0.01)

        def copy(name: str) -> Driver:
            (folder / name).mkdir()
            own = Driver(folder / name, clock, CARDS * PROCESSES)
            shutil.copyfile(driver.file, folder / "now")
            own.fill((folder / "now").read_bytes())
            return own

        yield copy


def _agent(folder: Path, driver: Driver, servers: str) -> Poller:
    stream = StreamSettings(kind="kafka", bootstrap_servers=(servers,))
    create_topics(stream, partitions=1, replicas=1)
    home = folder / "home"
    home.mkdir()
    settings = {
        "CARDHOUR_HOME": str(home),
        "CARDHOUR_AGENT_NODE": "bench",
        "CARDHOUR_AGENT_SAMPLE_INTERVAL_S": str(SAMPLE_S),
        "CARDHOUR_AGENT_REPORT_INTERVAL_S": str(REPORT_S),
        "CARDHOUR_AGENT_METRICS_PORT": str(METRICS_PORT),
        "CARDHOUR_STREAM_KIND": "kafka",
        "CARDHOUR_STREAM_BOOTSTRAP_SERVERS": servers,
    }
    command = [sys.executable, "-m", "cardhour_agent"]
    subprocess.run([*command, "key", "create"], env={**os.environ, **settings}, check=True, capture_output=True)
    return Poller("agent", command, driver, **settings)


def _peers(python: str, node: Callable[[str], Driver]) -> Iterator[Poller]:
    exporter = [str(Path(python).with_name("nvitop-exporter")), "--interval", str(SAMPLE_S)]
    yield Poller("nvitop_exporter", [*exporter, "--port", str(EXPORTER_PORT)], node("nvitop"))
    script = str(Path(__file__).with_name("gpustat_poll.py"))
    yield Poller("gpustat", [python, script, str(SAMPLE_S)], node("gpustat"))


def _scrape(port: int) -> None:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        answer.read()


def _figures(names: list[str], before: list[Spent], after: list[Spent], took_s: float) -> Iterator[Figure]:
    of = f"{CARDS} cards x {PROCESSES} processes, every {SAMPLE_S} s for {took_s:.0f} s"
    hour = {
        name: (late.cpu_ns - early.cpu_ns) / SECOND_NS / took_s * HOUR_S
        for name, early, late in zip(names, before, after, strict=True)
    }
    for name, early, late in zip(names, before, after, strict=True):
        yield Figure(name=f"{name}.cpu_s_an_hour", value=hour[name], of=of)
        yield Figure(name=f"{name}.core_percent", value=hour[name] / HOUR_S * 100, of="of one core")
        yield Figure(name=f"{name}.pss_mib", value=late.pss_bytes / MIB, of="all its processes")
        yield Figure(name=f"{name}.nvml_calls", value=(late.calls - early.calls) / took_s * SAMPLE_S, of="a sample")
    for name in names[1:]:
        yield Figure(name=f"agent.cpu_to_{name}", value=hour["agent"] / hour[name], of="CPU of one run")


def _with_children(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task").glob("*/children")
    found = [int(each) for path in children for each in path.read_text().split()]
    return [pid, *(each for child in found for each in _with_children(child))]


def _cpu_ns(pid: int) -> int:
    """Of all its threads, those that have ended included: the CPU clock of another process (clock_getcpuclockid(3))."""
    return time.clock_gettime_ns(~pid << 3 | 2)


def _pss_bytes(pid: int) -> int:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))
