"""The benchmark runs, and measures what it says."""

from __future__ import annotations

import os
import re
import subprocess
import sys

from tests.repository.tree import ROOT


def test_the_benchmark_measures_every_stage() -> None:
    command = [sys.executable, "-m", "bench", "--only", "stages", "--days", "1", "--json", os.devnull]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    counts = {
        row[1]: int(row[2].replace(",", "")) for row in re.finditer(r"^(\w.*?) {2,}([\d,]+) ", run.stdout, re.MULTILINE)
    }
    minutes, tenancies, cards = 24 * 60, 12, 8
    assert counts == {
        "sample, record, spool": minutes * tenancies,
        "decode": minutes * tenancies,
        "read, check, store": minutes * (tenancies + cards),
        "roll up": 24 * cards,
    }
