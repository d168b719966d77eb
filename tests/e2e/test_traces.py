"""Two public GPU traces, imported and rolled up, give exactly the totals that an independent sweep computed.

The traces lie beside the repository and are not part of it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cardhour_contract.moment import parse_rfc3339
from cardhour_ingest.importer import import_csv
from cardhour_ingest.warehouse.client import Warehouse
from cardhour_ingest.warehouse.rollup import roll_up
from cardhour_ingest.warehouse.usage import usage
from tests.services.engine import running_engine

TRACES = Path(__file__).parents[2].parent / "shared" / "traces"

pytestmark = pytest.mark.skipif(not TRACES.is_dir(), reason=f"the public traces are not in {TRACES}")


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warehouse]:
    """One warehouse for both traces: they share no card, node or hour."""
    with running_engine(tmp_path_factory.mktemp("engine")) as engine:
        opened = engine.empty_warehouse()
        yield opened
        engine.drop(opened)


@pytest.mark.parametrize("trace", ["openb-2026", "genai-pods"])
def test_a_trace_gives_its_exact_totals_however_often_it_is_imported(warehouse: Warehouse, trace: str) -> None:
    expected = json.loads((TRACES / f"{trace}.expected.json").read_text())

    first = import_csv(warehouse, TRACES / f"{trace}.usage.csv.gz")
    roll_up(warehouse)
    assert first.rows == expected["rows"]
    assert _totals(warehouse, expected) == expected

    again = import_csv(warehouse, TRACES / f"{trace}.usage.csv.gz")
    rolled = roll_up(warehouse)
    assert again.already_imported
    assert rolled.breached == rolled.sealed == 0
    assert _totals(warehouse, expected) == expected


def _totals(warehouse: Warehouse, expected: dict[str, Any]) -> dict[str, Any]:
    """The warehouse's answer in the form of the expected file."""
    rows = usage(warehouse, parse_rfc3339(expected["from"]), parse_rfc3339(expected["to"]), by=("owner", "model"))
    names = expected["by_owner_model"][0].keys()
    totals = {
        "from": expected["from"],
        "to": expected["to"],
        "rows": expected["rows"],
        "held_us": sum(row["held_us"] for row in rows),
        "billable_us": sum(row["billable_us"] for row in rows),
        "by_owner_model": [{name: row[name] for name in names} for row in rows],
    }
    if "active_us" in expected:
        totals["active_us"] = sum(row["active_us"] for row in rows)
    return totals
