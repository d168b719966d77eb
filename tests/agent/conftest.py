"""The driver of ours, built once for a test run."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.agent.stub_driver import StubDriver


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
