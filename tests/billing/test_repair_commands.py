"""The commands that look after the ledger, as people type them: shown first, asked, audited, and repeatable."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from cardhour_billing.config import load_config
from cardhour_billing.usage.store import opened_warehouse
from cardhour_contract.clock import SystemClock
from cardhour_contract.spool import Entry, Spool
from cardhour_ingest.loop import drain
from cardhour_ingest.spool_source import SpoolSource
from tests.billing.books import ACME, ISSUER, PRICE
from tests.billing.in_process import Installation
from tests.billing.test_commands import HEADER, USAGE

JANUARY = ("--from", "2026-01-01T00:00:00Z", "--to", "2026-02-01T00:00:00Z")
DAY = ("--from", "2026-01-05T00:00:00Z", "--to", "2026-01-06T00:00:00Z")
HOUR_US = 3_600_000_000


def prepared(home: Installation) -> Installation:
    """Ten hours of acme, and a file with two more and one of a stranger; all imported and priced."""
    folder = home.folder
    (folder / "catalog.toml").write_text(ISSUER + ACME + PRICE)
    (folder / "usage.csv").write_text(USAGE)
    (folder / "wrong.csv").write_text(
        HEADER + "k8s:acme,job-2,n1,GPU-1,T4,,2026-01-05T00:00:00Z,2026-01-05T02:00:00Z,1,,\n"
        "k8s:nobody,job-3,n1,GPU-1,T4,,2026-01-05T02:00:00Z,2026-01-05T03:00:00Z,1,,\n"
    )
    for arguments in (("catalog", "apply", "catalog.toml", "--yes"), ("import", "usage.csv"), ("import", "wrong.csv")):
        done = home.run(*arguments)
        assert done.returncode == 0, done.stderr
    return home


@pytest.fixture(scope="module")
def imported(install: Callable[[Path], Installation], tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """A home whose usage no test changes."""
    return prepared(install(tmp_path_factory.mktemp("imported")))


def used(home: Installation) -> dict[str, int]:
    return {row["owner"]: row["billable_us"] for row in home.rows("usage", *JANUARY)}


def test_a_wrong_file_is_retracted_by_its_name_after_its_price_was_shown(installation: Installation) -> None:
    home = prepared(installation)
    assert home.run("close", "2026-01", "--issue").returncode == 0
    before = used(home)
    assert before == {"k8s:acme": 12 * HOUR_US, "k8s:nobody": HOUR_US}
    command = ("retract", "file", "wrong.csv", "--reason", "wrong cluster")

    declined = home.run(*command, answer="n\n")
    assert declined.returncode == 1
    for shown in ("k8s:acme", "2.000000000", "19.40", "16.17", "k8s:nobody", "1.62", "stay"):
        assert shown in declined.stdout + declined.stderr
    assert "nothing was changed" in declined.stderr
    assert used(home) == before

    shown = home.rows(*command, "--yes")
    assert [{name: row[name] for name in ("kind", "before_us", "after_us", "before", "after")} for row in shown] == [
        {"kind": "usage", "before_us": 2 * HOUR_US, "after_us": 0, "before": None, "after": None},
        {"kind": "usage", "before_us": HOUR_US, "after_us": 0, "before": None, "after": None},
        {"kind": "money", "before_us": 12 * HOUR_US, "after_us": 10 * HOUR_US, "before": "19.40", "after": "16.17"},
        {"kind": "unassigned", "before_us": HOUR_US, "after_us": 0, "before": "1.62", "after": None},
    ]
    assert shown[2]["invoice"].startswith("EC-")
    assert used(home) == {"k8s:acme": 10 * HOUR_US}
    with sqlite3.connect(home.home / "billing.db") as store:
        query = "SELECT subject, detail FROM billing_auditlog WHERE action = 'retract'"
        ((subject, detail),) = store.execute(query).fetchall()
    store.close()
    assert subject == "file wrong.csv"
    assert json.loads(detail)["reason"] == "wrong cluster"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("retract", "file", "other.csv", "--reason", "x"), "no file of name or SHA-256 'other.csv'"),
        (("retract", "node", "n1", "--reason", "x"), "--from and --to"),
        (("retract", "batch", "seven", *DAY, "--reason", "x"), "named by its key in decimal"),
        (("ledger", "rebuild", "--from", "2026-01-05T00:15:00Z", "--to", "2026-01-06T00:00:00Z"), "off the hour"),
        (("balance", "--from", "2026-01-05T00:01:00Z", "--to", "2026-01-06T00:00:00Z"), "off a quarter hour"),
        (("dead-letters", "show", "ffff"), "no dead letter ffff"),
        (("dead-letters", "show", "seven"), "16 hexadecimal digits"),
        (("dead-letters", "replay"), "name letters, or --reason"),
        (("card", "move", "GPU-0", "n2", "--from", "2026-01-05T00:00:00Z"), "no scan has ever listed"),
        (("card", "retire", "GPU-0", "--from", "2026-01-05T00:00:00Z", "--reason", "sold"), "no scan has ever listed"),
    ],
)
def test_what_cannot_be_done_is_a_sentence(imported: Installation, arguments: tuple[str, ...], sentence: str) -> None:
    failed = imported.run(*arguments)
    assert failed.returncode == 2, failed.stderr
    assert sentence in failed.stderr
    assert "Traceback" not in failed.stderr


def test_the_balance_accounts_for_every_card_hour(imported: Installation) -> None:
    cards = imported.rows("balance", *DAY)
    assert [(row["card"], row["span_us"], row["billable_us"], row["unobserved_us"]) for row in cards] == [
        ("GPU-0", 24 * HOUR_US, 10 * HOUR_US, 14 * HOUR_US),
        ("GPU-1", 24 * HOUR_US, 3 * HOUR_US, 21 * HOUR_US),
    ]
    (model,) = imported.rows("balance", *DAY, "--by", "model")
    assert (model["model"], model["span_us"], model["leased_us"]) == ("T4", 48 * HOUR_US, 0)
    stretches = imported.rows("balance", *DAY, "--unobserved")
    assert [(row["card"], row["reason"], row["since"], row["until"]) for row in stretches] == [
        ("GPU-0", "imported", "2026-01-05T10:00:00Z", "2026-01-06T00:00:00Z"),
        ("GPU-1", "imported", "2026-01-05T03:00:00Z", "2026-01-06T00:00:00Z"),
    ]
    table = imported.run("balance", *DAY).stdout
    assert "Unobserved: 35.00 card-hours" in table


def test_the_ledger_is_what_raw_gives(imported: Installation) -> None:
    assert imported.rows("ledger", "rebuild", *DAY) == [{"pages": 13, "changed": 0, "sealed": 0, "breached": 0}]
    assert imported.rows("ledger", "compare", *DAY) == []
    assert imported.rows("ledger", "conflicts", *DAY) == []
    assert imported.rows("ledger", "expire", "--dry-run") == []


def test_a_letter_that_still_cannot_be_read_stays(imported: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    with Spool(imported.home / "spool.db") as spool:
        spool.append([Entry("n1", "boot", 0, b"\xc1 no report")])
    monkeypatch.setenv("CARDHOUR_HOME", str(imported.home))
    with opened_warehouse(load_config()) as warehouse:
        drain(SpoolSource([imported.home / "spool.db"], clock=SystemClock()), warehouse)
    (letter,) = imported.rows("dead-letters", "list")
    assert (letter["reason"], letter["state"], letter["node"]) == ("bad_payload", "waiting", "n1")
    assert imported.rows("dead-letters", "list", "--reason", "clock_skew") == []
    (shown,) = imported.rows("dead-letters", "show", letter["letter"])
    assert shown["headers"]["ce_source"] == "/nodes/n1"
    assert "no report" in shown["body"]
    assert "ce_source: /nodes/n1" in imported.run("dead-letters", "show", letter["letter"]).stdout

    replayed = imported.run("dead-letters", "replay", letter["letter"], "--yes", "--format", "json")
    assert replayed.returncode == 1
    assert [(each["outcome"], each["reason"]) for each in json.loads(replayed.stdout)] == [("rejected", "bad_payload")]
    assert imported.rows("dead-letters", "list")[0]["state"] == "waiting"
