"""docs/clerks-month.md, executed: exactly the files and commands that stand in it, with a real mail server beside."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.billing.mail_server import post_office
from tests.repository.tree import ROOT

PAGE = (ROOT / "docs" / "clerks-month.md").read_text(encoding="utf-8")
ENDS = "set -o pipefail\n"
AFTERWARDS = """
for each in 'invoice list' 'credit-note list' 'bank list' 'payment list'; do
    echo "== $each"
    cardhour $each --format json
done
"""


def block(kind: str, number: int = 0) -> str:
    """The page's ``number``th block of a kind."""
    found: list[str] = re.findall(rf"```{kind}\n(.*?)```", PAGE, re.DOTALL)
    return found[number]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The files that the page says to save."""
    (tmp_path / "usage.csv").write_text(block("csv"), encoding="utf-8")
    (tmp_path / "catalog.toml").write_text(block("toml"), encoding="utf-8")
    (tmp_path / "lab.toml").write_text(block("toml", 1), encoding="utf-8")
    return tmp_path


def test_the_clerks_month_goes_as_it_says(folder: Path) -> None:
    script = ENDS + "".join(re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)) + AFTERWARDS
    with post_office() as (post, port):
        environment = {
            "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
            "CARDHOUR_HOME": str(folder / "home"),
            "LC_ALL": "C.UTF-8",
            "CARDHOUR_MAIL_HOST": "127.0.0.1",
            "CARDHOUR_MAIL_PORT": str(port),
            "CARDHOUR_MAIL_TLS": "none",
            "CARDHOUR_MAIL_SENDER": "Example Compute <billing@example.com>",
        }
        run = subprocess.run(
            ["bash", "-euc", script], cwd=folder, env=environment, capture_output=True, text=True, check=False
        )
    assert run.returncode == 0, run.stderr
    printed, *listed = re.split(r"^== .*$", run.stdout, flags=re.MULTILINE)
    invoices, notes, lines, payments = (json.loads(each) for each in listed)

    assert "2.00 card-hours have no customer (owners: 1); 20.00 USD at list price" in printed
    assert sums(invoices, "kind") == {("red", "invoice"): "106.00", ("blue", "invoice"): "74.20"} | {
        ("red", "credit-note"): "-21.20"
    }
    assert {row["state"] for row in invoices} == {"paid"}
    assert [(row["reason"], row["total"]) for row in notes] == [("correction", "-21.20")]
    assert [row["used_for"] for row in lines] == ["P1", "P2", "interest"]
    assert [row["left"] for row in payments] == ["0.00", "0.00"]
    assert "Nothing to bill, so without invoice: blue, red" in printed
    assert sorted(to for recipients, _ in post.received for to in recipients) == [
        "accounts@blue.example", "accounts@red.example",
    ]  # fmt: skip
    for figure in ("106.00 USD", "53.00 USD", "74.20 USD", "21.20 USD", "84.80 USD", "20.00 USD at list price"):
        assert figure in PAGE


def sums(rows: list[dict[str, Any]], key: str) -> dict[tuple[str, str], str]:
    return {(row["customer"], row.get(key, "invoice")): row["total"] for row in rows}
