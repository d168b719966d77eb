"""``cardhour demo``: a month of a simulated fleet, from samples to documents, as a newcomer first meets it."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.e2e.homes import Done, Home, stop
from tests.portal.browser import PATIENCE_MS, running_browser

GOLDEN = Path(__file__).parent / "golden" / "demo.json"
"""Customer → currency, card-microseconds and total of March 2026. The fleet is drawn from the month's name: the same
everywhere. Not counted by hand: a change here is a change of what the demonstration, or the ledger, says."""

MONTH = "2026-03"
BEGINNINGS = {".csv": b"\xef\xbb\xbf", ".pdf": b"%PDF", ".xlsx": b"PK"}


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
    return home.run("cardhour", "demo", "--home", str(home.path), "--month", MONTH, "--no-serve", deadline_s=900)


def test_the_summary_leads_from_samples_to_files(home: Home, played: Done) -> None:
    assert f"Invoices of {MONTH}" in played.out
    assert "Margin, CNY" in played.out and "NVIDIA L40S" in played.out
    assert "samples of 4 servers" in played.out and "ledger pages → 3 invoices" in played.out
    documents = sorted((home.path / "documents").iterdir())
    assert [each.suffix for each in documents] == [".csv", ".pdf", ".xlsx"] * 3
    for each in documents:
        assert str(each) in played.out
        assert each.read_bytes().startswith(BEGINNINGS[each.suffix])
    assert "[debug" not in played.out + played.errors, "a newcomer reads what happened, not how"


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


def test_a_clerk_finds_where_a_figure_comes_from_in_three_clicks(home: Home, played: Done) -> None:
    """From the list: the invoice, the line's amount, and any other card of the day; each level adds up on the page."""
    with home.running("cardhour", "demo", "--home", str(home.path), "--port", "0") as process:
        assert process.stdout is not None
        address = next(found[1] for line in process.stdout if (found := re.search(r"Portal: (http\S+)", line)))
        with running_browser() as browser:
            page = browser.new_context(base_url=address, locale="en").new_page()
            page.set_default_timeout(PATIENCE_MS)
            sign_in(page)
            page.goto("/invoices/?q=qinghe")
            page.click("tbody th a")
            page.wait_for_url("**/invoices/*/")
            page.click("tbody td.number a >> nth=0")
            expect(page.locator("h1")).to_contain_text("comes from")
            with page.expect_navigation():
                page.click("#cards tbody tr:not(.chosen) th a >> nth=0")
            days, cards, quarters, records = (level(page, each) for each in LEVELS)
            assert cents(page.locator(".path .value").first.inner_text()) == sum(days) == total_of(page, LEVELS[0])
            for above, parts in zip(LEVELS, (cards, quarters, records), strict=False):
                assert sum(amounts(page, f"{above} tr.chosen")) == sum(parts)
            for each in LEVELS:
                assert sum(level(page, each)) == total_of(page, each)
            assert not [each for each in Axe().run(page).response["violations"] if each["impact"] != "minor"]
        stop(process)


LEVELS = ("#days", "#cards", "#quarters details", "#records")


def sign_in(page: Page) -> None:
    page.goto("/sign-in/")
    page.fill("input[name=username]", "staff")
    page.fill("input[name=password]", "card-hour-demo")
    page.click("form:has(input[name=password]) button")
    page.wait_for_url(lambda url: "/sign-in/" not in url)


def level(page: Page, section: str) -> list[int]:
    """The amounts of a level's rows, in minor units."""
    return amounts(page, f"{section} tbody")


def amounts(page: Page, place: str) -> list[int]:
    return [cents(each) for each in page.locator(f"{place} td.amount").all_text_contents()]


def total_of(page: Page, section: str) -> int:
    return cents(page.locator(f"{section} tfoot td.amount").text_content())


def cents(text: str | None) -> int:
    return int(re.sub(r"[^\d]", "", text or ""))
