"""The driver of ours, built once for a test run."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cardhour_agent import allocations
from cardhour_agent.resolve import door, grpc_door, owners, slurm
from tests.agent.stub_driver import StubDriver
from tests.agent.test_command import environment
from tests.services.waiting import PATIENCE_MS, PATIENCE_S


@pytest.fixture(autouse=True)
def nobody_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that is busy with other tests answers late: a test in which a time must run out sets it itself."""
    monkeypatch.setattr(allocations, "WAIT_S", PATIENCE_S)
    monkeypatch.setattr(owners, "SAMPLE_WAIT_MS", PATIENCE_MS)
    for asked in (door, grpc_door, slurm):
        monkeypatch.setattr(asked, "TIMEOUT_S", PATIENCE_S)


@pytest.fixture(scope="session")
def stub_libraries(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Folders with the stub library: as a current driver, and as ones without the MPS list or the newest lists."""
    source = Path(__file__).with_name("stub_nvml.c")
    folders = {}
    for name, flags in (("current", []), ("without_mps", ["-DNO_MPS"]), ("without_v3", ["-DNO_V3"])):
        folder = folders[name] = tmp_path_factory.mktemp(name)
        library = str(folder / "libnvidia-ml.so.1")
        subprocess.run(
            ["cc", "-shared", "-fPIC", "-Wall", "-Wextra", "-Werror", *flags, "-o", library, str(source)], check=True
        )
    return folders


@pytest.fixture
def driver(stub_libraries: dict[str, Path], tmp_path: Path) -> StubDriver:
    """A driver for processes started with its ``environment``; healthy until told otherwise."""
    return StubDriver(stub_libraries["current"], tmp_path / "driver")


@pytest.fixture
def agent(tmp_path: Path, driver: StubDriver) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts an agent that samples every second and reports every second."""
    started: list[subprocess.Popen[str]] = []

    def start(**settings: str) -> subprocess.Popen[str]:
        settings = {"CARDHOUR_AGENT_SAMPLE_INTERVAL_S": "1", "CARDHOUR_AGENT_REPORT_INTERVAL_S": "1", **settings}
        process = subprocess.Popen(
            [sys.executable, "-m", "cardhour_agent"],
            env={**environment(tmp_path, **settings), **driver.environment},
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()
