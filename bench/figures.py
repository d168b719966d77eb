"""Figures: what was measured, printed as a table and written as JSON.

Owns the form of a result. A figure of one machine means little on another; a ratio of two figures of one run does.
"""

from __future__ import annotations

import json
import os
import platform
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import click
from msgspec import Struct, structs

SECOND_NS = 1_000_000_000
MIB = 1 << 20


class Figure(Struct, frozen=True, kw_only=True):
    """One measured value."""

    name: str
    """Stage and quantity, unit last: ``ingest.rows_per_s``."""
    value: float
    of: str = ""
    """What it was measured on: rows, message size, number of cards."""


class Watch:
    """Time and memory of one piece of work."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.cpu_seconds = 0.0
        """Of all threads of this process, the engine's included: what other work on the machine does not change."""
        self.peak_mib = 0.0
        """Highest resident memory of this process meanwhile, the engine's included."""


@contextmanager
def watched() -> Iterator[Watch]:
    watch = Watch()
    Path("/proc/self/clear_refs").write_text("5")  # the kernel forgets the peak so far
    started_ns, started_cpu_ns = time.perf_counter_ns(), time.process_time_ns()
    yield watch
    watch.seconds = (time.perf_counter_ns() - started_ns) / SECOND_NS
    watch.cpu_seconds = (time.process_time_ns() - started_cpu_ns) / SECOND_NS
    watch.peak_mib = _status_kib("VmHWM") / 1024


def resident_mib() -> float:
    return _status_kib("VmRSS") / 1024


def _status_kib(name: str) -> int:
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))


def show(figures: list[Figure]) -> None:
    for each in figures:
        shown = f"{each.value:,.0f}" if each.value >= 100 else f"{each.value:.2f}"
        click.echo(f"{each.name:32}{shown:>12}  {each.of}")


def write(figures: list[Figure], file: Path, command: str) -> None:
    """With what is needed to compare it with another run."""
    found = {
        "command": command,
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": {"processor": platform.processor() or platform.machine(), "cores": os.cpu_count()},
        "python": platform.python_version(),
        "load_1_min": os.getloadavg()[0],
        "figures": [structs.asdict(each) for each in figures],
    }
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
