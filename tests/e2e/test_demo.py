"""``cardhour demo``: a month of a simulated fleet, from samples to documents, as a newcomer first meets it."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import pytest

from tests.e2e.homes import Done, Home

GOLDEN = Path(__file__).parent / "golden" / "demo.json"
"""Customer → currency, card-microseconds and total of March 2026. The fleet is drawn from the month's name: the same
everywhere. Not counted by hand: a change here is a change of what the demonstration, or the ledger, says."""

MONTH = "2026-03"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    return Home(tmp_path_factory.mktemp("demo") / "home")


@pytest.fixture(scope="module")
def played(home: Home) -> Done:
    """The month, played once for all tests: it takes half a minute."""
    done = demo(home)
    assert done.code == 0, done.errors
    return done


def demo(home: Home) -> Done:
    return home.run("cardhour", "demo", "--home", str(home.path), "--month", MONTH, "--no-serve", deadline_s=240)


def test_the_summary_leads_from_samples_to_files(home: Home, played: Done) -> None:
    assert f"Invoices of {MONTH}" in played.out
    assert "samples of 4 servers" in played.out and "ledger pages → 3 invoices" in played.out
    documents = sorted((home.path / "documents").iterdir())
    assert [each.suffix for each in documents] == [".csv", ".pdf"] * 3
    for each in documents:
        assert str(each) in played.out
        assert each.read_bytes().startswith(b"%PDF" if each.suffix == ".pdf" else b"\xef\xbb\xbf")


def test_the_ledger_adds_up_in_print(played: Done) -> None:
    """The table's terms, to the last decimal, are its last row: 32 cards for a month of 744 hours."""
    rows = re.findall(r"^(\w[\w ]*?) +([\d,]+\.\d{9})$", played.out, re.MULTILINE)
    figures = {name: int(hours.replace(",", "").replace(".", "")) for name, hours in rows}
    whole = figures.pop("all 32 cards")
    assert whole == 32 * 744 * 10**9
    assert set(figures) == {"billable", "idle", "faulted", "unobserved", "rounding"}
    assert sum(figures.values()) == whole


def test_customers_owe_what_they_owed_before(home: Home, played: Done) -> None:
    _, invoices = home.json("cardhour", "close", MONTH)
    found = {
        each["customer"]: {
            "currency": each["currency"],
            "quantity_us": sum(line["quantity_us"] for line in each["lines"]),
            "total": each["total"],
        }
        for each in invoices
    }
    assert all(each["state"] == "issued" for each in invoices)
    assert found == json.loads(GOLDEN.read_text())
    for each in invoices:
        with (home.path / "documents" / f"{each['number']}.csv").open(encoding="utf-8-sig", newline="") as file:
            assert len(list(csv.DictReader(file))) >= len(each["lines"])


def test_a_second_run_shows_the_first(home: Home, played: Done) -> None:
    again = demo(home)
    assert again.code == 0
    assert "is complete; --fresh plays it again" in again.out.replace("\n", " ")
