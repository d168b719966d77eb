"""The checks of ``make test-gpu`` themselves, where there is no GPU: tenants on the scripted driver."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from bench.driver import Driver, ScaledClock

from tests.repository.tree import ROOT


def checks(driver: Driver, **settings: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, **driver.environment, "CARDHOUR_GPU_QUICK": "yes", **settings}
    command = [sys.executable, "-m", "tests.gpu"]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=900)


def test_every_tenants_own_times_stand_beside_what_was_metered(tmp_path: Path) -> None:
    done = checks(Driver(tmp_path, ScaledClock(1), 20))
    # How far the two may be apart is for a machine with a GPU to say: one that runs all other tests may be slow.
    assert done.returncode in (0, 1), done.stderr
    assert "LACKING: accounting mode is off here" in done.stdout
    lines = {words[0]: words[1:] for line in done.stdout.splitlines() if (words := line.split())}
    assert {"steady", "lingering", "killed", "brief"} <= lines.keys()
    own_ms, metered_ms = (int(each) for each in lines["steady"][:2])
    assert own_ms >= 6000
    assert metered_ms > 0
    assert ("problems" in done.stdout) == bool(done.returncode)


def test_where_there_is_no_gpu_it_says_so(tmp_path: Path) -> None:
    done = checks(Driver(tmp_path, ScaledClock(1), 1), SCRIPTED_NVML="nowhere")
    assert done.returncode == 2
    assert done.stderr.startswith("no GPU to check: ")
