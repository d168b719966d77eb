"""Retractions on the real engine: what they take out, what they leave, and what they say beforehand."""

from __future__ import annotations

import pytest
from tests.ledger.facts import Card, Claim, Facts, FaultRow, UsageRow
from tests.ledger.store import put

from cardhour_contract.errors import Refuse
from cardhour_contract.moment import HOUR_MS, MINUTE_MS, QUARTER_MS, QUARTER_US
from cardhour_ingest.warehouse.client import Warehouse
from cardhour_ingest.warehouse.retraction import Retraction, Scope, preview, retract
from cardhour_ingest.warehouse.rollup import roll_up
from cardhour_ingest.warehouse.usage import usage

START = 480_000 * HOUR_MS
TEAM_A = Claim(owner="k8s:a", workload="train")
TEAM_B = Claim(owner="k8s:b", workload="serve")
MINUTE_US = MINUTE_MS * 1000


def held(claim: Claim, quarter: int, *, node: str = "n1", active: int | None = None) -> UsageRow:
    start_ms = START + quarter * QUARTER_MS
    end_ms = start_ms + QUARTER_MS
    process = ord(claim.owner[-1]) * 10 + int(node[1:])
    return UsageRow(
        card="GPU-1", process=process, node=node, start_ms=start_ms, end_ms=end_ms, claim=claim, active=active
    )


def retraction(scope: Scope, subject: str, from_minute: int, to_minute: int) -> Retraction:
    return Retraction(
        scope=scope,
        subject=subject,
        from_ms=START + from_minute * MINUTE_MS,
        to_ms=START + to_minute * MINUTE_MS,
        reason="imported twice under another name",
        who="lin",
    )


def billed(warehouse: Warehouse) -> dict[str, int]:
    rows = usage(warehouse, START, START + HOUR_MS)
    return {row["owner"]: row["billable_us"] for row in rows}


@pytest.fixture
def ledger(warehouse: Warehouse) -> Warehouse:
    """Team a holds a card for two quarters; in the second, team b is on it too, said by another node's agent."""
    usage_rows = (held(TEAM_A, 0, active=900_000_000_000), held(TEAM_A, 1), held(TEAM_B, 1, node="n2"))
    put(warehouse, Facts(usage=usage_rows, cards=(Card(card="GPU-1"),)), [START])
    roll_up(warehouse)
    assert billed(warehouse) == {"k8s:a": QUARTER_US + QUARTER_US // 2, "k8s:b": QUARTER_US // 2}
    return warehouse


@pytest.mark.parametrize(
    ("scope", "subject"),
    [(Scope.NODE, "n2"), (Scope.OWNER, "k8s:b"), (Scope.PROCESS, str(ord("b") * 10 + 2)), (Scope.BATCH, "2")],
)
def test_what_is_retracted_is_gone_and_the_others_have_the_card_to_themselves(
    ledger: Warehouse, scope: Scope, subject: str
) -> None:
    wrong = retraction(scope, subject, 0, 60)
    before = billed(ledger)

    shown = preview(ledger, wrong)
    assert billed(ledger) == before, "a preview changes nothing"
    assert {each.owner: each.after_us - each.before_us for each in shown} == {
        "k8s:a": QUARTER_US // 2,
        "k8s:b": -QUARTER_US // 2,
    }

    retract(ledger, wrong)
    roll_up(ledger)
    assert billed(ledger) == {"k8s:a": 2 * QUARTER_US}


def test_a_part_of_a_row_goes_with_its_part_of_the_activity(ledger: Warehouse) -> None:
    retract(ledger, retraction(Scope.CARD, "GPU-1", 5, 11))
    roll_up(ledger)
    first = usage(ledger, START, START + QUARTER_MS)
    assert [(row["billable_us"], row["active_us"]) for row in first] == [(9 * MINUTE_US, 9 * MINUTE_US)]


def test_a_corrected_import_counts_although_the_old_one_was_retracted(ledger: Warehouse) -> None:
    retract(ledger, retraction(Scope.OWNER, "k8s:b", 0, 60))
    ledger.command("""
        INSERT INTO usage_record SELECT * REPLACE (
            batch + 1000 AS batch, now64(3, 'UTC') + INTERVAL 1 DAY AS received_at, start_ms + 600000 AS start_ms)
        FROM usage_record WHERE owner = 'k8s:b'""")
    roll_up(ledger)
    assert billed(ledger)["k8s:b"] == 5 * MINUTE_US // 2


def test_a_retracted_fault_makes_the_time_billable_again(ledger: Warehouse) -> None:
    fault = FaultRow(card="GPU-1", opened_at_ms=START, closed_at_ms=START + QUARTER_MS)
    put(ledger, Facts(faults=(fault,), cards=()), [])
    ledger.command("INSERT INTO dirty_hour (hour, node, mark, done) SELECT hour, node, 99, 0 FROM dirty_hour")
    roll_up(ledger)
    assert billed(ledger)["k8s:a"] == QUARTER_US // 2

    retract(ledger, retraction(Scope.NODE, "n", 0, 60))
    roll_up(ledger)
    assert billed(ledger)["k8s:a"] == QUARTER_US + QUARTER_US // 2


def test_a_retraction_that_says_too_little_is_refused_whole(ledger: Warehouse) -> None:
    empty = Retraction(scope=Scope.BATCH, subject="import-7", from_ms=START, to_ms=START, reason=" ", who="lin")
    with pytest.raises(Refuse) as refused:
        retract(ledger, empty)
    assert len(refused.value.problems) == 3
    assert ledger.value("SELECT count() FROM retraction") == 0
