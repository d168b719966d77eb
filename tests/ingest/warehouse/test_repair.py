"""The ledger beside raw: rebuilt, compared, sealed when raw expires, and computed by two at once."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pyarrow as pa
import pytest
from tests.ingest.warehouse.test_homes import listed
from tests.ledger.facts import Card, CardRow, Claim, Facts, UsageRow
from tests.ledger.store import put

from cardhour_contract.errors import Refuse
from cardhour_contract.moment import HOUR_MS, MINUTE_MS, MS_US, QUARTER_MS, QUARTER_US, to_ms
from cardhour_ingest.warehouse.client import Warehouse
from cardhour_ingest.warehouse.compare import Rebuilt, compare, rebuild
from cardhour_ingest.warehouse.conflicts import Move, conflicts, move_card
from cardhour_ingest.warehouse.expiry import expire, expired_days
from cardhour_ingest.warehouse.rollup import RollupResult, roll_up
from cardhour_ingest.warehouse.rollup.run import Run
from cardhour_ingest.warehouse.usage import usage

START = to_ms(datetime(2026, 3, 1, tzinfo=UTC))
HOUR = START // HOUR_MS
LATER = START + 500 * 24 * HOUR_MS
TEAM_A = Claim(owner="k8s:a", workload="train")
TEAM_B = Claim(owner="k8s:b", workload="serve")
CARD = Card(card="GPU-1")


def held(claim: Claim, from_minute: int, to_minute: int) -> UsageRow:
    """Minutes of the first quarter of the hour."""
    start_ms, end_ms = START + from_minute * MINUTE_MS, START + to_minute * MINUTE_MS
    return UsageRow(card="GPU-1", process=len(claim.owner), node="n1", start_ms=start_ms, end_ms=end_ms, claim=claim)


def mark(warehouse: Warehouse, key: int, hour: int = HOUR, node: str = "n1") -> None:
    row = {"hour": hour, "node": node, "mark": key, "done": 0}
    warehouse.insert("dirty_hour", pa.Table.from_pylist([row]))


def billed(warehouse: Warehouse) -> dict[str, int]:
    return {row["owner"]: row["billable_us"] for row in usage(warehouse, START, START + HOUR_MS)}


def slip_in(warehouse: Warehouse, received_at: str = "2026-03-02 00:00:00") -> None:
    """Minutes 5 to 10 of team b, a copy of team a's row, as another batch; nothing marks the hour."""
    warehouse.command(
        f"""INSERT INTO usage_record SELECT * REPLACE (
            'k8s:b' AS owner, 77::UInt64 AS process, batch + 500 AS batch, {{start:UInt64}} AS start_ms,
            {{end:UInt64}} AS end_ms, toDateTime64('{received_at}', 3, 'UTC') AS received_at)
        FROM (SELECT * FROM usage_record WHERE owner = 'k8s:a' LIMIT 1)""",
        start=START + 5 * MINUTE_MS,
        end=START + 10 * MINUTE_MS,
    )


@pytest.fixture
def ledger(warehouse: Warehouse) -> Warehouse:
    """Team a held the card for five minutes of an hour in which it was watched for a quarter."""
    watched = CardRow(card="GPU-1", start_ms=START, end_ms=START + QUARTER_MS)
    put(warehouse, Facts(cards=(CARD,), usage=(held(TEAM_A, 0, 5),), card_rows=(watched,)), [START])
    roll_up(warehouse)
    assert billed(warehouse) == {"k8s:a": 5 * MINUTE_MS * MS_US}
    return warehouse


def test_a_rebuild_gives_identical_pages_and_says_when_they_were_not(ledger: Warehouse) -> None:
    span = START - HOUR_MS, START + 2 * HOUR_MS
    assert rebuild(ledger, *span) == Rebuilt(pages=1, changed=0, sealed=0, breached=0)
    slip_in(ledger)
    assert rebuild(ledger, *span) == Rebuilt(pages=1, changed=1, sealed=0, breached=0)
    assert billed(ledger) == {"k8s:a": 5 * MINUTE_MS * MS_US, "k8s:b": 5 * MINUTE_MS * MS_US}
    with pytest.raises(Refuse, match="off the hour"):
        rebuild(ledger, START + QUARTER_MS, START + HOUR_MS)


def test_a_comparison_finds_a_page_that_raw_gives_otherwise_and_writes_none(ledger: Warehouse) -> None:
    span = START, START + HOUR_MS
    assert compare(ledger, *span) == []
    slip_in(ledger)
    before = billed(ledger)
    (found,) = compare(ledger, *span)
    assert (found.hour, found.card) == (HOUR, "GPU-1")
    assert "k8s:b" in found.raw
    assert "k8s:b" not in found.ledger
    assert billed(ledger) == before, "a comparison mends nothing"
    recorded = ledger.rows("SELECT hour, card, ledger, raw FROM ledger_difference")
    assert recorded == [{"hour": HOUR, "card": "GPU-1", "ledger": found.ledger, "raw": found.raw}]

    mark(ledger, 9)
    assert compare(ledger, *span) == [], "an hour that waits for its rollup is not compared"
    roll_up(ledger)
    assert compare(ledger, *span) == []


def test_a_page_that_the_ledger_lost_is_a_difference(ledger: Warehouse) -> None:
    ledger.command("ALTER TABLE card_hour DELETE WHERE hour = {hour:UInt32} SETTINGS mutations_sync = 2", hour=HOUR)
    (found,) = compare(ledger, START, START + HOUR_MS)
    assert found.ledger == ""


def test_raw_expires_by_whole_days_of_arrival_and_pages_stay(ledger: Warehouse) -> None:
    day = date(2026, 3, 2)
    assert expired_days(ledger, START + 401 * 24 * HOUR_MS, 400) == [], "kept for 400 days after the day it arrived"
    (expired,) = expired_days(ledger, LATER, 400)
    assert (expired.day, expired.usage_rows, expired.card_rows) == (day, 1, 1)
    assert ledger.value("SELECT count() FROM usage_record") == 1, "looking drops nothing"
    before = billed(ledger)
    assert [each.day for each in expire(ledger, LATER, 400)] == [day]
    assert ledger.value("SELECT count() FROM usage_record") + ledger.value("SELECT count() FROM card_record") == 0
    assert expire(ledger, LATER, 400) == []
    assert rebuild(ledger, START, START + HOUR_MS) == Rebuilt(pages=1, changed=0, sealed=1, breached=0)
    assert billed(ledger) == before
    assert compare(ledger, START, START + HOUR_MS) == []


@pytest.mark.parametrize("late_rows", [1, 5], ids=["fewer than have expired", "more than have expired"])
def test_rows_for_a_sealed_page_are_put_aside_once_with_their_value(ledger: Warehouse, late_rows: int) -> None:
    expire(ledger, LATER, 400)
    before = billed(ledger)
    rows = tuple(held(TEAM_B, 2 * at, 2 * at + 1) for at in range(late_rows))
    put(ledger, Facts(cards=(CARD,), usage=rows), [])
    ledger.command("CREATE TABLE came AS usage_record ENGINE = Memory")
    ledger.command("INSERT INTO came SELECT * REPLACE (now64(3, 'UTC') AS received_at, 7 AS batch) FROM usage_record")
    ledger.command("TRUNCATE TABLE usage_record")
    ledger.command("INSERT INTO usage_record SELECT * FROM came")
    ledger.command("DROP TABLE came")
    mark(ledger, 3)
    assert roll_up(ledger).sealed == 1
    assert billed(ledger) == before

    letters = "SELECT reason, node, detail FROM dead_letter"
    (letter,) = ledger.rows(letters)
    assert (letter["reason"], letter["node"]) == ("too_late", "n1")
    assert letter["detail"] == (
        f"owner=k8s:b model=H100 card=GPU-1 hour=2026-03-01T00:00:00Z held_us={late_rows * MINUTE_MS * MS_US}"
    )
    mark(ledger, 4)
    roll_up(ledger)
    assert len(ledger.rows(letters)) == 1, "however often the page is computed"


@pytest.mark.parametrize("slow_writes", ["first", "last"])
def test_of_two_racing_recomputations_the_one_that_read_later_wins(ledger: Warehouse, slow_writes: str) -> None:
    mark(ledger, 21)
    with Run(ledger) as slow, Run(ledger) as quick:
        slow.choose("rollup/work", limit=10)
        read_at = slow.version()
        slow.compute(read_at)
        slip_in(ledger)
        mark(ledger, 22)
        quick.choose("rollup/work", limit=10)
        later = quick.version()
        quick.compute(later)
        turns = [(slow, read_at), (quick, later)]
        for run, version in turns if slow_writes == "first" else reversed(turns):
            run.command("rollup/publish", version=version)
            run.command("rollup/settle")
    assert billed(ledger)["k8s:b"] == 5 * MINUTE_MS * MS_US
    assert roll_up(ledger) == RollupResult(), "no mark is left open"


def test_what_a_second_node_says_of_a_card_is_listed_until_staff_decide(warehouse: Warehouse) -> None:
    rows = tuple(
        UsageRow(
            card="GPU-1", process=at, node=node, start_ms=START, end_ms=START + QUARTER_MS,
            claim=Claim(owner=f"k8s:{node}", workload="w"),
        )
        for at, node in enumerate(("a", "b"))
    )  # fmt: skip
    put(warehouse, Facts(cards=(), usage=rows), [])
    listed(warehouse, "a", START, "GPU-1")
    listed(warehouse, "b", START + MINUTE_MS, "GPU-1")
    for at, node in enumerate(("a", "b")):
        mark(warehouse, at, node=node)
    roll_up(warehouse)
    assert billed(warehouse) == {"k8s:a": QUARTER_US}

    (conflict,) = conflicts(warehouse, START, START + HOUR_MS)
    assert (conflict.card, conflict.node, conflict.home) == ("GPU-1", "b", "a")
    assert (conflict.from_ms, conflict.to_ms, conflict.held_us) == (START, START + QUARTER_MS, QUARTER_US)

    move = Move(card="GPU-1", node="b", from_ms=START, who="lin")
    move_card(warehouse, move)
    roll_up(warehouse)
    assert billed(warehouse) == {"k8s:b": QUARTER_US}
    assert [each.node for each in conflicts(warehouse, START, START + HOUR_MS)] == ["a"]


@pytest.mark.parametrize(
    ("card", "node", "sentence"),
    [
        ("GPU-9", "a", "no scan has ever listed"),
        ("GPU-1", "c", "a and b did"),
        ("GPU-2", "a", "at home on 'a' already"),
    ],
)
def test_a_move_that_no_scan_supports_is_refused(warehouse: Warehouse, card: str, node: str, sentence: str) -> None:
    listed(warehouse, "a", START, "GPU-1", "GPU-2")
    listed(warehouse, "b", START + MINUTE_MS, "GPU-1")
    with pytest.raises(Refuse, match=sentence):
        move_card(warehouse, Move(card=card, node=node, from_ms=START, who="lin"))
    assert warehouse.value("SELECT count() FROM card_move") == 0
