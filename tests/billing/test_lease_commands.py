"""``cardhour lease``, ``balance`` and ``margin`` as people type them, on one installation."""

from __future__ import annotations

import pytest

from tests.billing.in_process import Installation
from tests.billing.test_commands import HEADER
from tests.billing.test_lease_charges import BOOKS, LEASE
from tests.billing.test_margin_month import COST

HOUR_US = 3_600_000_000
SPAN = ("--from", "2026-10-01T00:00:00+08:00", "--to", "2026-10-02T00:00:00+08:00")


@pytest.fixture
def home(installation: Installation) -> Installation:
    """Ten hours of use of a leased card, by the lessee."""
    (installation.folder / "catalog.toml").write_text(BOOKS + LEASE + "to = 2026-11-01T00:00:00+08:00\n" + COST)
    row = "k8s:acme,job,n8,GPU-0,A100,,2026-10-01T00:00:00+08:00,2026-10-01T10:00:00+08:00,,,\n"
    (installation.folder / "usage.csv").write_text(HEADER + row)
    for command in (["catalog", "apply", "catalog.toml", "--yes"], ["import", "usage.csv"]):
        done = installation.run(*command)
        assert done.returncode == 0, done.stderr
    return installation


def test_a_lease_from_the_list_to_its_end_and_what_it_earns(home: Installation) -> None:
    (listed,) = home.rows("lease", "list", "--all")
    assert {key: listed[key] for key in ("lease", "customer", "count", "kind", "per", "amount")} == {
        "lease": "acme-1", "customer": "acme", "count": 8, "kind": "nodes", "per": "server-month",
        "amount": "133400.00",
    }  # fmt: skip
    (card,) = home.rows("balance", *SPAN)
    assert (card["leased_us"], card["billable_us"], card["span_us"]) == (24 * HOUR_US, 0, 24 * HOUR_US)

    hesitant = home.run("lease", "extend", "acme-1", "--months", "1", answer="n\n")
    assert hesitant.returncode == 1
    assert "133,400.00" in hesitant.stdout
    assert "nothing was changed" in hesitant.stderr
    (back,) = home.rows("lease", "terminate", "acme-1", "--at", "2026-10-16T00:00:00+08:00", "--yes")
    assert (back["before"], back["after"], back["to_bill"]) == ("133400.00", "64548.39", "64548.39")

    assert home.run("close", "2026-10", "--issue", "--within-grace").returncode == 0
    shown = home.run("lease", "show", "acme-1").stdout
    assert "to 2026-10-15T16:00:00Z" in shown
    assert shown.count("Before ") == 1
    assert "64548.39" in shown

    # Seven cards that nobody watches for 360 hours, one that was seen all month: 3 264 card-hours, which cost 44 236.56
    (earned,) = home.rows("margin", "--month", "2026-10", "--price-cut", "25")
    assert (earned["model"], earned["revenue"], earned["gross_margin_percent"]) == ("A100", "64548.39", "31.47")
    assert (earned["capacity_us"], earned["cost"]) == (3_264 * HOUR_US, "44236.56")
