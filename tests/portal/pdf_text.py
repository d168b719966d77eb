"""What a reader can copy from a PDF, by the poppler tools; where they are missing, the test is skipped and says so."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest


def run_poppler(program: str, *arguments: str) -> str:
    """What ``pdftotext`` or ``pdffonts`` prints."""
    if shutil.which(program) is None:
        pytest.skip(f"no {program} here: install the poppler-utils package")
    return subprocess.run([program, *arguments], check=True, capture_output=True, text=True, encoding="utf-8").stdout


def text_of(file: Path) -> str:
    return run_poppler("pdftotext", "-layout", str(file), "-")
