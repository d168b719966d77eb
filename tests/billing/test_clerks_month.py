"""docs/clerks-month.md, executed: exactly the files and commands that stand in it, with a real mail server beside.

The commands run in this process, since there are thirty; ``tests/repository/test_docs.py`` starts those of the
quickstart as programs.
"""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from tests.billing.in_process import Installation
from tests.billing.mail_server import post_office
from tests.billing.shell import run_script
from tests.repository.tree import ROOT

PAGE = (ROOT / "docs" / "clerks-month.md").read_text(encoding="utf-8")
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


MAIL = """
[mail]
host = "127.0.0.1"
port = {port}
tls = "none"
sender = "Example Compute <billing@example.com>"
"""


@pytest.fixture
def office(installation: Installation) -> Installation:
    """The files that the page says to save."""
    for name, text in {"usage.csv": block("csv"), "catalog.toml": block("toml"), "lab.toml": block("toml", 1)}.items():
        (installation.folder / name).write_text(text, encoding="utf-8")
    return installation


def test_the_clerks_month_goes_as_it_says(office: Installation, tmp_path_factory: pytest.TempPathFactory) -> None:
    script = "".join(re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)) + AFTERWARDS
    with post_office() as (post, port):
        with (office.home / "cardhour.toml").open("a") as settings:
            settings.write(MAIL.format(port=port))
        run = run_script(script, office, tmp_path_factory.mktemp("shell"))
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
