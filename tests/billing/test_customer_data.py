"""A customer's usage, handed out and erased, as people type it: shown first, asked, audited, and no figure moves."""

from __future__ import annotations

import csv
import sqlite3

import pytest

from tests.billing.books import ACME, ISSUER, PRICE
from tests.billing.in_process import Installation
from tests.billing.test_commands import HEADER
from tests.billing.test_repair_commands import JANUARY

SHARED = """
[[customer]]
id = "other"
name = "Other Ltd"
[[binding]]
owner = "user:*"
customer = "acme"
from = 2026-01-01T00:00:00Z
[[binding]]
owner = "user:both"
cluster = "edge"
customer = "other"
from = 2026-01-01T00:00:00Z
"""

ROWS = (
    HEADER + "k8s:acme,job-1,n1,GPU-0,T4,,2026-01-05T00:00:00Z,2026-01-05T10:00:00Z,1,50,\n"
    "k8s:nobody,job-9,n1,GPU-0,T4,,2026-01-05T00:00:00Z,2026-01-05T02:00:00Z,0.5,,\n"
    "user:eve,notebook,n1,GPU-1,T4,,2026-01-05T00:00:00Z,2026-01-05T01:00:00Z,1,,\n"
)


@pytest.fixture
def home(installation: Installation) -> Installation:
    """January of acme, who shares a card with a stranger for two hours, is issued."""
    (installation.folder / "catalog.toml").write_text(ISSUER + ACME + SHARED + PRICE)
    (installation.folder / "usage.csv").write_text(ROWS)
    for given in (
        ("catalog", "apply", "catalog.toml", "--yes"),
        ("import", "usage.csv"),
        ("close", "2026-01", "--issue"),
    ):
        done = installation.run(*given)
        assert done.returncode == 0, done.stderr
    return installation


def test_a_customer_takes_its_usage_along_and_is_forgotten_and_no_figure_moves(home: Installation) -> None:
    span = (*JANUARY, "--into", "acme")
    assert home.run("customer-data", "export", "acme", *span).returncode == 0
    with (home.folder / "acme" / "ledger.csv").open() as file:
        ledger = list(csv.DictReader(file))
    with (home.folder / "acme" / "records.csv").open() as file:
        records = list(csv.DictReader(file))
    assert {(each["owner"], each["workload"]) for each in ledger} == {("k8s:acme", "job-1"), ("user:eve", "notebook")}
    usage = home.rows("usage", *JANUARY)
    billed = {row["owner"]: row["billable_us"] for row in usage}
    assert sum(int(each["billable_us"]) for each in ledger) == billed["k8s:acme"] + billed["user:eve"]
    assert {each["owner"] for each in records} == {"k8s:acme", "user:eve"}
    assert len(records) == 44
    again = home.run("customer-data", "export", "acme", *span)
    assert again.returncode == 2
    assert "exists already" in again.stderr

    declined = home.run("customer-data", "erase", "acme", answer="n\n")
    assert declined.returncode == 1
    assert "acme before 2026-02-01T00:00:00Z, as k8s:acme, user:eve: 44 raw rows" in declined.stderr.replace("\n", " ")
    early = home.run("customer-data", "erase", "acme", "--before", "2026-01-05T00:15:00Z", "--yes")
    assert early.returncode == 2
    assert "off the hour" in early.stderr
    erased = home.run("customer-data", "erase", "acme", "--yes")
    assert erased.returncode == 0, erased.stderr

    assert home.rows("usage", *JANUARY) == usage
    (invoice,) = [row for row in home.rows("invoice", "list") if row["customer"] == "acme"]
    verified = home.run("verify", invoice["number"])
    assert verified.returncode == 0, verified.stderr
    assert home.run("customer-data", "export", "acme", *JANUARY, "--into", "after").returncode == 0
    assert (home.folder / "after" / "records.csv").read_text() == ""
    assert "job-1" not in (home.folder / "after" / "ledger.csv").read_text()
    with sqlite3.connect(home.home / "billing.db") as store:
        done = [
            row[0] for row in store.execute("SELECT action FROM billing_auditlog WHERE action LIKE 'customer-data%'")
        ]
    store.close()
    assert done == ["customer-data export", "customer-data erase", "customer-data export"]


def test_who_has_nothing_of_its_own_or_is_not_billed_yet_is_refused(home: Installation) -> None:
    for customer, sentence in (("nobody", "there is no customer"), ("other", "nothing was issued")):
        refused = home.run("customer-data", "erase", customer, "--yes")
        assert refused.returncode == 2, refused.stderr
        assert sentence in refused.stderr.replace("\n", " ")
