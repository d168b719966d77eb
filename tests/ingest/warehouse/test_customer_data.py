"""Erasing what was reported of an owner: it is gone, and no figure moves, whatever is computed afterwards."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest
from tests.ingest.warehouse.test_repair import mark
from tests.ledger.cases import row
from tests.ledger.facts import Attribution, Card, Claim, Facts
from tests.ledger.fleet import MIDNIGHT_MS as T
from tests.ledger.store import put

from cardhour_contract.errors import Refuse
from cardhour_contract.moment import HOUR_MS, MINUTE_MS, QUARTER_MS
from cardhour_ingest.warehouse.client import Warehouse
from cardhour_ingest.warehouse.compare import compare
from cardhour_ingest.warehouse.customer_data import Erasure, erase, held, ledger_rows, record_rows
from cardhour_ingest.warehouse.rollup import roll_up

ALL = Erasure(customer="acme", owners=["k8s:acme"], before_ms=T + HOUR_MS, who="lin")
PAGES = "SELECT * EXCEPT version FROM card_hour FINAL ORDER BY hour, card"


def letter(warehouse: Warehouse, number: int, body: str, reason: str = "bad_value") -> None:
    columns = {"letter": pa.array([number], pa.uint64()), "reason": [reason], "body": [body], "detail": ["x"]}
    warehouse.insert("dead_letter", pa.table(columns | {"received_at": pa.array([T], pa.timestamp("ms", "UTC"))}))


def texts(warehouse: Warehouse, owner: str) -> list[str]:
    """The tables in which anything still names something of that owner, but for those that are kept."""
    found = []
    for table, where in (
        ("usage_record", f"owner = '{owner}' OR process = 3"),
        ("process", "command LIKE '%acme%'"),
        ("workload", f"owner = '{owner}'"),
        ("dead_letter", f"position(body, '{owner}') > 0"),
        ("attribution", f"owner = '{owner}'"),
    ):
        if warehouse.value(f"SELECT count() FROM {table} WHERE {where}"):
            found.append(table)
    return found


@pytest.fixture
def ledger(warehouse: Warehouse) -> Warehouse:
    """Acme shares a card with another, and was the answer to an unknown process. Each process is described."""
    facts = Facts(
        cards=(Card(card="gpu"),),
        usage=(
            row("k8s:acme", workload="secret-plan", process=1, active=1_000_000),
            row("k8s:other", workload="train", process=2),
            row("unknown:exited", QUARTER_MS, 2 * QUARTER_MS, process=3),
        ),
        attributions=(Attribution(process=3, claim=Claim(owner="k8s:acme", workload="late"), at_ms=T),),
    )
    put(warehouse, facts, [T])
    described = {"process": [1, 2, 3], "node": ["n1"] * 3, "pid": [7, 8, 9], "command": ["acme -x", "other", "acme -y"]}
    warehouse.insert("process", pa.table(described))
    roll_up(warehouse)
    return warehouse


def test_what_is_erased_is_gone_and_no_figure_moves(ledger: Warehouse) -> None:
    letter(ledger, 1, "k8s:acme held", reason="too_late")
    before = ledger.rows(PAGES)
    assert texts(ledger, "k8s:acme") == ["usage_record", "process", "workload", "dead_letter", "attribution"]
    amount = held(ledger, ALL)
    assert (amount.usage_rows, amount.processes, amount.workloads, amount.letters) == (2, 2, 2, 1)
    assert ledger.value("SELECT count() FROM erasure_key") == 0, "a look leaves nothing"

    assert erase(ledger, ALL) == amount
    assert texts(ledger, "k8s:acme") == []
    assert ledger.rows(PAGES) == before
    assert ledger.value("SELECT command FROM process") == "other"
    told = ledger.rows("SELECT state, customer, usage_rows, who FROM erasure ORDER BY state")
    assert [tuple(each.values()) for each in told] == [("begun", "acme", 2, "lin"), ("done", "acme", 2, "lin")]

    mark(ledger, 91, hour=T // HOUR_MS)
    assert roll_up(ledger).sealed == 1, "what is left of the raw rows is not the page"
    assert ledger.rows(PAGES) == before
    assert compare(ledger, T, T + HOUR_MS) == []
    assert held(ledger, ALL).usage_rows == erase(ledger, ALL).usage_rows == 0


def test_rows_that_come_for_a_page_after_an_erasure_do_not_make_up_for_what_went(ledger: Warehouse) -> None:
    before = ledger.rows(PAGES)
    erase(ledger, ALL)
    ledger.command("CREATE TABLE came AS usage_record ENGINE = Memory")
    ledger.command("""INSERT INTO came SELECT * REPLACE (
            start_ms + second * 1000 AS start_ms, batch + second AS batch,
            now64(3, 'UTC') + INTERVAL 1 HOUR AS received_at)
        FROM (SELECT * FROM usage_record WHERE owner = 'k8s:other') AS r ARRAY JOIN range(1, 10) AS second""")
    ledger.command("INSERT INTO usage_record SELECT * FROM came")
    mark(ledger, 92, hour=T // HOUR_MS)
    assert roll_up(ledger).sealed == 1
    assert ledger.rows(PAGES) == before
    assert ledger.value("SELECT count() FROM dead_letter WHERE reason = 'too_late'") > 0


def test_what_later_rows_need_stays(ledger: Warehouse) -> None:
    """The unknown process goes on after the time that is erased: its answer and its description are still needed."""
    later = row("unknown:exited", process=3, start_ms=HOUR_MS, end_ms=HOUR_MS + MINUTE_MS)
    put(ledger, Facts(cards=(), usage=(later,)), [T + HOUR_MS])
    roll_up(ledger)
    before = ledger.rows(PAGES)
    erase(ledger, ALL)
    assert ledger.value("SELECT command FROM process WHERE process = 3") == "acme -y"
    assert ledger.value("SELECT count() FROM workload WHERE name = 'secret-plan'") == 0
    mark(ledger, 93, hour=T // HOUR_MS + 1)
    roll_up(ledger)
    assert ledger.rows(PAGES) == before


def test_a_letter_that_may_still_become_usage_is_settled_first(ledger: Warehouse) -> None:
    letter(ledger, 5, "k8s:acme and more")
    with pytest.raises(Refuse, match="1 dead letters that speak of 'acme' were not replayed"):
        erase(ledger, ALL)
    assert ledger.value("SELECT count() FROM erasure") == 0
    assert "usage_record" in texts(ledger, "k8s:acme")


def test_an_export_has_every_quarter_and_every_record_with_its_names(ledger: Warehouse) -> None:
    def rows(tables: Any) -> list[dict[str, Any]]:
        return [each for table in tables for each in table.to_pylist()]

    hours = (T // HOUR_MS, T // HOUR_MS + 1)
    page = rows(ledger_rows(ledger, ["k8s:acme"], *hours))
    assert [(each["start_ms"] - T, each["workload"], each["billable_us"]) for each in page] == [
        (0, "secret-plan", 450_000_000),
        (QUARTER_MS, "late", 900_000_000),
    ]
    records = rows(record_rows(ledger, ["k8s:acme"], *hours))
    assert [(each["process"], each["owner"], each["workload"], each["command"]) for each in records] == [
        (1, "k8s:acme", "secret-plan", "acme -x"),
        (3, "k8s:acme", "late", "acme -y"),
    ]
