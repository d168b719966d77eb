"""What the agent meters of CUDA processes: all the way from the driver to what ``cardhour-agent decode`` shows.

Owns the agent's process, the tenants' times beside its records, and what may be between them. Does not own what the
driver does (``questions``).
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

from cardhour_contract.interval import Interval, union
from cardhour_contract.spool import Spool
from tests.gpu.tenants import Tenant

SAMPLE_S, REPORT_S = 1, 5
SLACK_MS = 500
"""Between a tenant's clock reading and what it tells of: starting and ending a CUDA process takes its time."""

MS_NS = 1_000_000


class Metered(NamedTuple):
    """One tenant: its own times, and its records."""

    name: str
    pid: int
    started_ms: float
    """When its process began; the context was there by ``created_ms``."""
    created_ms: float
    left_ms: float
    exited_ms: float
    spans: list[Interval]
    active: int | None
    """As records have it: 1e-4 percent x ms."""
    busy_ms: float | None

    def problems(self, *, accounting: bool) -> list[str]:
        sample_ms = SAMPLE_S * 1000
        if not self.spans:
            short = self.left_ms - self.created_ms < sample_ms and not accounting
            return [] if short else [f"{self.name}: nothing was metered"]
        found = []
        start_ms, end_ms = self.spans[0].start_ms, self.spans[-1].end_ms
        if not self.started_ms - SLACK_MS <= start_ms <= self.created_ms + (0 if accounting else sample_ms) + SLACK_MS:
            found.append(f"{self.name}: starts {start_ms - self.created_ms:+.0f} ms from its context")
        if not self.left_ms - sample_ms - SLACK_MS <= end_ms <= self.exited_ms + SLACK_MS:
            found.append(f"{self.name}: ends {end_ms - self.left_ms:+.0f} ms from its own end")
        if len(self.spans) > 1:
            found.append(f"{self.name}: has holes: {self.spans}")
        return found

    def line(self) -> str:
        if not self.spans:
            return f"{self.name:10}{self.left_ms - self.created_ms:>11.0f}   not seen"
        start_ms, end_ms = self.spans[0].start_ms, self.spans[-1].end_ms
        length_ms = sum(each.length_ms for each in self.spans)
        busy = "" if self.busy_ms is None else f"{100 * self.busy_ms / (self.left_ms - self.created_ms):.1f}"
        metered = "" if self.active is None else f"{self.active / length_ms / 10_000:.1f}"
        return (
            f"{self.name:10}{self.left_ms - self.created_ms:>11.0f}{length_ms:>11}{start_ms - self.started_ms:>+11.0f}"
            f"{start_ms - self.created_ms:>+11.0f}{end_ms - self.left_ms:>+11.0f}{end_ms - self.exited_ms:>+11.0f}"
            f"{busy:>9}{metered:>9}"
        )


HEADING = (
    f"{'':10}{'own ms':>11}{'metered':>11}{'start-proc':>11}{'start-ctx':>11}{'end-left':>11}{'end-exit':>11}"
    f"{'busy %':>9}{'metered':>9}"
)


class Agent:
    """The agent as a process, with a home of its own."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self._environment = {
            **os.environ,
            "CARDHOUR_HOME": str(home),
            "CARDHOUR_AGENT_NODE": "gpu-check",
            "CARDHOUR_AGENT_SAMPLE_INTERVAL_S": str(SAMPLE_S),
            "CARDHOUR_AGENT_REPORT_INTERVAL_S": str(REPORT_S),
        }
        self._process: subprocess.Popen[str] | None = None

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "cardhour_agent", *arguments]
        return subprocess.run(command, env=self._environment, capture_output=True, text=True, timeout=120)

    def start(self) -> None:
        command = [sys.executable, "-m", "cardhour_agent"]
        with (self.home / "log").open("w") as log:
            self._process = subprocess.Popen(command, env=self._environment, stderr=log, text=True)
        self.wait_for_reports(1)

    def wait_for_reports(self, more: int) -> None:
        """Until so many more have been spooled."""
        enough = self._reports() + more
        deadline = time.monotonic() + 60
        while self._reports() < enough:
            if time.monotonic() > deadline or (self._process is not None and self._process.poll() is not None):
                raise RuntimeError(f"the agent makes no reports: {(self.home / 'log').read_text()[-2000:]}")
            time.sleep(0.2)

    def stop(self) -> list[dict[str, Any]]:
        """Its reports, as ``cardhour-agent decode`` shows them."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(60)
        with Spool(self.home / "spool.db") as spool:
            bodies = [each.entry.body for each in spool.read()]
        found = []
        for at, body in enumerate(bodies):
            path = self.home / f"{at}.report"
            path.write_bytes(body)
            done = self.command("decode", str(path), "--format", "json")
            if done.returncode:
                raise RuntimeError(f"cardhour-agent decode: {done.stderr}")
            found += json.loads(done.stdout)
        return found

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def _reports(self) -> int:
        if not (self.home / "spool.db").exists():
            return 0
        with Spool(self.home / "spool.db") as spool:
            return spool.depth().reports


def joined(tenant: Tenant, reports: list[dict[str, Any]]) -> Metered:
    """A tenant's times beside what was metered of its pid."""
    keys = {each["process"] for report in reports for each in report["processes"] if each["pid"] == tenant.pid}
    records = [each for report in reports for each in report["usage"] if each["process"] in keys]
    measured = [each["active"] for each in records if each["active"] is not None]
    last = tenant.said.get("ends") or tenant.said.get("destroyed")
    left_ns = tenant.left_ns if last else tenant.exited_ns
    return Metered(
        name=tenant.name,
        pid=tenant.pid,
        started_ms=tenant.said["started"]["at_ns"] / MS_NS,
        created_ms=tenant.created_ns / MS_NS,
        left_ms=left_ns / MS_NS,
        exited_ms=tenant.exited_ns / MS_NS,
        spans=union(Interval(each["started_at_ms"], each["ended_at_ms"]) for each in records),
        active=sum(measured) if measured else None,
        busy_ms=last["busy_ns"] / MS_NS if last else None,
    )
