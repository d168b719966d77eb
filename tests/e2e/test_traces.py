"""Two public GPU traces, imported at the command line, give exactly the totals that an independent sweep computed.

The traces lie beside the repository and are not part of it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

TRACES = Path(__file__).parents[2].parent / "shared" / "traces"

pytestmark = pytest.mark.skipif(not TRACES.is_dir(), reason=f"the public traces are not in {TRACES}")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One home for both traces: they share no card, node or hour."""
    return tmp_path_factory.mktemp("home")


@pytest.mark.parametrize("trace", ["openb-2026", "genai-pods"])
def test_a_trace_gives_its_exact_totals_however_often_it_is_imported(home: Path, trace: str) -> None:
    expected = json.loads((TRACES / f"{trace}.expected.json").read_text())
    for already_imported in ("no", "yes"):
        (result,) = cardhour(home, "import", str(TRACES / f"{trace}.usage.csv.gz"))
        assert (result["rows"], result["already_imported"]) == (expected["rows"], already_imported)
        assert totals(home, expected) == expected


def cardhour(home: Path, *arguments: str) -> list[dict[str, Any]]:
    """What the command prints as JSON."""
    done = subprocess.run(
        [sys.executable, "-m", "cardhour_billing", *arguments, "--format", "json"],
        env={**os.environ, "CARDHOUR_HOME": str(home)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    rows: list[dict[str, Any]] = json.loads(done.stdout)
    return rows


def totals(home: Path, expected: dict[str, Any]) -> dict[str, Any]:
    """The usage that the ledger shows, in the form of the expected file."""
    span = ("--from", expected["from"], "--to", expected["to"])
    rows = cardhour(home, "usage", *span, "--by", "owner,model")
    names = expected["by_owner_model"][0].keys()
    found = {
        "from": expected["from"],
        "to": expected["to"],
        "rows": expected["rows"],
        "held_us": sum(row["held_us"] for row in rows),
        "billable_us": sum(row["billable_us"] for row in rows),
        "by_owner_model": [{name: row[name] for name in names} for row in rows],
    }
    if "active_us" in expected:
        found["active_us"] = sum(row["active_us"] for row in rows)
    return found
