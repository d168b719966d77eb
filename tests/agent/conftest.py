"""The driver of ours, built once for a test run."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.agent.stub_driver import StubDriver
from tests.agent.test_command import environment


@pytest.fixture(scope="session")
def stub_libraries(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Folders with the stub library: as a current driver, and as one without the MPS list."""
    source = Path(__file__).with_name("stub_nvml.c")
    folders = {}
    for name, flags in (("current", []), ("without_mps", ["-DNO_MPS"])):
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
