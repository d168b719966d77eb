"""Two public GPU traces, imported at the command line, give exactly the totals that an independent sweep computed, and
invoices that an independent calculation has to the cent.

The traces lie beside the repository and are not part of it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from cardhour_contract.moment import CARD_HOUR_US
from tests.e2e import trace_catalog
from tests.e2e.independent_bill import invoices, usage

TRACES = Path(__file__).parents[2].parent / "shared" / "traces"
OPENB = TRACES / "openb-2026.usage.csv.gz"

pytestmark = pytest.mark.skipif(not TRACES.is_dir(), reason=f"the public traces are not in {TRACES}")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One home for both traces: they share no card, node or hour."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def openb(home: Path) -> dict[str, Any]:
    """The larger trace, imported once."""
    (result,) = cardhour(home, "import", str(OPENB))
    return result


@pytest.mark.parametrize("trace", ["openb-2026", "genai-pods"])
def test_a_trace_gives_its_exact_totals_however_often_it_is_imported(
    home: Path, openb: dict[str, Any], trace: str
) -> None:
    expected = json.loads((TRACES / f"{trace}.expected.json").read_text())
    file = str(TRACES / f"{trace}.usage.csv.gz")
    first = openb if trace == "openb-2026" else cardhour(home, "import", file)[0]
    assert (first["rows"], first["already_imported"]) == (expected["rows"], "no")
    assert totals(home, expected) == expected
    (again,) = cardhour(home, "import", file)
    assert (again["rows"], again["already_imported"]) == (expected["rows"], "yes")
    assert totals(home, expected) == expected


def test_the_independent_usage_is_that_of_the_published_totals() -> None:
    expected = json.loads((TRACES / "openb-2026.expected.json").read_text())
    found = usage(OPENB, datetime(2026, 6, 1, tzinfo=UTC), datetime(2026, 7, 1, tzinfo=UTC))
    assert {key: hours * CARD_HOUR_US for key, hours in found.items()} == {
        (row["owner"], row["model"]): row["billable_us"] for row in expected["by_owner_model"]
    }


def test_a_month_of_a_trace_is_billed_to_the_cent_at_real_list_prices(home: Path, openb: dict[str, Any]) -> None:
    assert openb["rows"]
    file = home / "catalog.toml"
    file.write_text(trace_catalog.catalog(), encoding="utf-8")
    cardhour(home, "catalog", "apply", str(file), "--yes")
    found = {
        each["customer"]: (
            [(line["model"], cents(line["amount"])) for line in each["lines"]],
            sum(cents(row["tax"]) for row in each["tax"]),
            cents(each["total"]),
        )
        for each in cardhour(home, "close", "2026-06")
    }
    expected = invoices(file, OPENB, (2026, 6))
    assert {line[0] for lines, *_ in expected.values() for line in lines} == set(trace_catalog.LIKE)
    assert len(expected) == trace_catalog.TENANTS
    assert sum(line == ("T4", 13) for lines, *_ in expected.values() for line in lines) > 1, "half a cent went up"
    assert found == expected


def cents(amount: str) -> int:
    return int(amount.replace(".", ""))


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
