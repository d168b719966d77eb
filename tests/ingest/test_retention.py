"""How long raw is kept: refused where corrections could come too late, and done at night beside the comparison."""

from __future__ import annotations

from pathlib import Path

import pytest

from cardhour_contract.clock import VirtualClock
from cardhour_contract.errors import CardHourError, Refuse
from cardhour_contract.moment import DAY_MS, MINUTE_MS
from cardhour_contract.record import Scan, ScannedCard
from cardhour_ingest.config import load
from cardhour_ingest.loop import drain
from cardhour_ingest.service import Jobs
from cardhour_ingest.warehouse.client import Warehouse
from cardhour_ingest.warehouse.rollup import roll_up
from tests.ingest.reports import AT_MS, CARD, message, report
from tests.ingest.skewed import Delivered


def test_raw_that_would_go_before_its_corrections_is_refused_at_the_start(tmp_path: Path) -> None:
    environ = {"CARDHOUR_HOME": str(tmp_path)}
    assert load(environ).ingest.raw_days == 400
    least = 92 + 2 + 62
    load(environ | {"CARDHOUR_INGEST_RAW_DAYS": str(least)})
    with pytest.raises(Refuse, match=f"keep at least {least}"):
        load(environ | {"CARDHOUR_INGEST_RAW_DAYS": str(least - 1)})
    (tmp_path / "cardhour.toml").write_text("[billing]\ngrace_hours = 240\n")
    with pytest.raises(Refuse, match=f"keep at least {least + 8}"):
        load(environ | {"CARDHOUR_INGEST_RAW_DAYS": str(least)})


def test_the_nightly_pass_records_what_differs_and_drops_what_has_expired(warehouse: Warehouse) -> None:
    failures: list[CardHourError] = []
    scan = Scan(at_ms=AT_MS, cards=(ScannedCard(card=CARD, model="H100"),))
    drain(Delivered([message(report(scan=scan))]), warehouse)
    roll_up(warehouse)
    warehouse.command(
        "INSERT INTO usage_record SELECT * REPLACE ('k8s:other' AS owner, process + 1 AS process) FROM usage_record"
    )

    Jobs(warehouse, VirtualClock(AT_MS + DAY_MS), failures.append, raw_days=400).check()
    assert warehouse.value("SELECT count() FROM ledger_difference") == 1
    assert warehouse.value("SELECT count() FROM usage_record") == 2

    Jobs(warehouse, VirtualClock(AT_MS + 402 * DAY_MS + MINUTE_MS), failures.append, raw_days=400).check()
    assert warehouse.value("SELECT count() FROM usage_record") == 0
    assert warehouse.value("SELECT count() FROM card_hour") > 0, "pages stay"
    assert failures == []
