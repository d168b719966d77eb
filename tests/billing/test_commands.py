"""The commands as people type them: what they print, how they fail, and what they leave behind.

Started as programs where the start is the point: a home that is not there yet, a store that is not the one beside it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import click
import pytest
import structlog

from cardhour_billing import __main__
from tests.billing.books import ACME, ISSUER, PRICE
from tests.billing.in_process import Installation

HEADER = "owner,workload,node,card,model,process,started_at,ended_at,share,sm_util_percent,memory_bytes\n"
USAGE = HEADER + "k8s:acme,job-1,n1,GPU-0,T4,,2026-01-05T00:00:00Z,2026-01-05T10:00:00Z,1,50,\n"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """An empty home, beside a catalog and a usage file."""
    (tmp_path / "catalog.toml").write_text(ISSUER + ACME + PRICE)
    (tmp_path / "usage.csv").write_text(USAGE)
    return tmp_path


def cardhour(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run ``cardhour`` in a process of its own."""
    others = {key: value for key, value in os.environ.items() if not key.startswith("CARDHOUR_")}
    return subprocess.run(
        [sys.executable, "-m", "cardhour_billing", *arguments],
        cwd=home,
        env={**others, "CARDHOUR_HOME": str(home / "home")},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=180,
    )


def test_from_a_usage_file_to_an_issued_invoice(home: Path) -> None:
    assert cardhour(home, "catalog", "apply", "catalog.toml", "--yes").returncode == 0
    imported = cardhour(home, "import", "usage.csv", "--format", "json")
    assert json.loads(imported.stdout)[0]["rows"] == 1, imported.stderr
    span = ("--from", "2026-01-01T00:00:00Z", "--to", "2026-02-01T00:00:00Z")
    used = cardhour(home, "usage", *span, "--by", "owner,model", "--format", "json")
    assert json.loads(used.stdout) == [
        {
            "owner": "k8s:acme",
            "model": "T4",
            "held_us": 36_000_000_000,
            "billable_us": 36_000_000_000,
            "active_us": 18_000_000_000,
            "card_hours": "10.000000000",
        }
    ]
    closed = cardhour(home, "close", "2026-01", "--issue", "--format", "json")
    assert closed.returncode == 0, closed.stderr
    (invoice,) = json.loads(closed.stdout)
    assert invoice["number"].startswith("EC-")
    assert {key: invoice[key] for key in ("customer", "state", "currency", "total", "lines", "findings")} == {
        "customer": "acme",
        "state": "issued",
        "currency": "USD",
        "total": "16.17",
        "lines": [
            {
                "kind": "usage",
                "source": "",
                "model": "T4",
                "description": "",
                "quantity_us": 36_000_000_000,
                "printed_quantity": "10.0000",
                "unit": "card-hour",
                "unit_price": "1.616532",
                "amount": "16.17",
            }
        ],
        "findings": [],
    }
    assert cardhour(home, "close", "2026-01", "--issue", "--format", "json").stdout == closed.stdout
    table = cardhour(home, "close", "2026-01").stdout
    assert invoice["number"] in table
    assert "16.17 USD" in table
    assert cardhour(home, "close", "2026-01", "--format", "csv").stdout.splitlines()[1].startswith("acme,EC-")


def test_a_catalog_shows_its_changes_and_asks_first(home: Path, installation: Installation) -> None:
    refused = installation.run("catalog", "apply", "catalog.toml", answer="n\n")
    assert refused.returncode == 1
    assert "1.616532 USD per card-hour" in refused.stdout
    assert "nothing was changed" in refused.stderr
    accepted = installation.run("catalog", "apply", "catalog.toml", answer="y\n")
    assert accepted.returncode == 0
    assert "Applied 4 changes." in accepted.stderr
    assert installation.run("catalog", "apply", "catalog.toml").stdout == "Nothing to change.\n"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("close", "2026-13"), "'2026-13' is not a month"),
        (("close", "2026-01"), "catalog apply"),
        (("catalog", "apply", "missing.toml"), "No such file"),
        (("usage", "--from", "2026-01-01", "--to", "2026-02-01T00:00:00Z"), "no offset"),
        (("usage", "--from", "2026-01-01T00:01:00Z", "--to", "2026-02-01T00:00:00Z"), "off a quarter hour"),
        (("usage", "--from", "2026-01-01T00:00:00Z", "--to", "2026-02-01T00:00:00Z", "--by", "colour"), "colour"),
        (("user", "add", "eve", "--customer", "nobody", "--password-stdin"), "password"),
    ],
)
def test_an_error_is_a_sentence_and_not_a_traceback(
    installation: Installation, arguments: tuple[str, ...], sentence: str
) -> None:
    failed = installation.run(*arguments)
    assert failed.returncode == 2
    assert sentence in failed.stderr
    assert "Traceback" not in failed.stderr
    assert failed.stdout == ""


def test_a_store_that_does_not_answer_is_named_without_its_password(home: Path) -> None:
    (home / "home").mkdir(mode=0o700)
    settings = home / "home" / "cardhour.toml"
    settings.write_text('[store]\nurl = "postgresql://billing:hunter2@127.0.0.1:1/cardhour"\n')
    failed = cardhour(home, "catalog", "apply", "catalog.toml", "--yes")
    assert failed.returncode == 1
    assert "postgresql://127.0.0.1:1/cardhour" in failed.stderr
    assert "hunter2" not in failed.stderr
    assert "Traceback" not in failed.stderr


def test_wrong_settings_are_reported_together(installation: Installation) -> None:
    (installation.home / "cardhour.toml").write_text('[web]\nport = "eighty"\n[billing]\ngrace = 3\n')
    failed = installation.run("close", "2026-01")
    assert failed.returncode == 2
    assert "[web]" in failed.stderr
    assert "[billing]" in failed.stderr


@pytest.mark.parametrize("url", ["mysql://localhost/cardhour", "postgresql://billing:hunter2@host/cardhour?sslmode"])
def test_a_store_of_no_known_kind_is_refused(home: Path, url: str) -> None:
    (home / "home").mkdir(mode=0o700)
    (home / "home" / "cardhour.toml").write_text(f'[store]\nurl = "{url}"\n')
    failed = cardhour(home, "catalog", "apply", "catalog.toml", "--yes")
    assert failed.returncode == 2
    assert "[store] url" in failed.stderr
    assert "hunter2" not in failed.stderr
    assert [path.name for path in (home / "home").iterdir()] == ["cardhour.toml"]


def test_doctor_changes_nothing_and_says_what_to_do_first(home: Path) -> None:
    seen = cardhour(home, "doctor", "--format", "json")
    assert seen.returncode == 0, seen.stderr
    findings = {finding["check"]: finding for finding in json.loads(seen.stdout)}
    assert findings["catalog"]["mend"] == "cardhour catalog apply FILE.toml"
    assert findings["logins"]["mend"].startswith("cardhour user add")
    assert not (home / "home").exists()


def test_doctor_fails_where_the_broker_is_silent(home: Path) -> None:
    (home / "home").mkdir(mode=0o700)
    settings = home / "home" / "cardhour.toml"
    settings.write_text('[stream]\nkind = "kafka"\nbootstrap_servers = ["127.0.0.1:1"]\n')
    seen = cardhour(home, "doctor", "--format", "json")
    assert seen.returncode == 1
    findings = {finding["check"]: finding for finding in json.loads(seen.stdout)}
    assert findings["stream"]["state"] == "wrong"
    assert "127.0.0.1:1" in findings["stream"]["what"]


@click.command()
def stopped() -> None:
    """Someone presses Ctrl-C in the middle of it."""
    raise KeyboardInterrupt


def test_a_command_stopped_in_the_middle_does_not_say_that_nothing_was_changed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(__main__.COMMANDS, "stopped", (f"{__name__}:stopped", ""))
    monkeypatch.setattr(sys, "argv", ["cardhour", "stopped"])
    configured = structlog.get_config()
    with pytest.raises(SystemExit) as left:
        __main__.main()
    structlog.configure(**configured)
    assert left.value.code == 130
    assert capsys.readouterr().err.split() == ["cardhour:", "interrupted"]


def test_help_needs_neither_engine_nor_django(home: Path) -> None:
    code = "import sys; from cardhour_billing.__main__ import cardhour; cardhour(['--help'], standalone_mode=False); "
    code += "sys.exit(any(name.split('.')[0] in ('django', 'chdb', 'pyarrow') for name in sys.modules))"
    helped = subprocess.run([sys.executable, "-c", code], cwd=home, capture_output=True, text=True, timeout=180)
    assert helped.returncode == 0
    for name in ("catalog", "close", "demo", "doctor", "import", "up", "usage", "user"):
        assert name in helped.stdout
