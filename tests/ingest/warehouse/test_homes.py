"""Where a card belongs that two nodes have listed: as business cases, and on the real engine."""

from __future__ import annotations

import pyarrow as pa
import pytest
from tests.ledger.facts import Claim, Facts, UsageRow
from tests.ledger.store import put

from cardhour_contract.moment import HOUR_MS, MINUTE_MS, QUARTER_MS, QUARTER_US
from cardhour_ingest.warehouse.client import Warehouse
from cardhour_ingest.warehouse.homes import Home, Scanned, homes, listing_runs
from cardhour_ingest.warehouse.rollup import roll_up
from cardhour_ingest.warehouse.usage import usage

TEAM = Claim(owner="k8s:a", workload="train")


def scans(text: str) -> list[Scanned]:
    """``a1 b5 a9-``: node a lists the card at 1, node b at 5, and node a no longer does at 9."""
    return [Scanned(int(each[1:].rstrip("-")), each[0], not each.endswith("-")) for each in text.split()]


@pytest.mark.parametrize(
    ("story", "moves", "at_home"),
    [
        pytest.param("a1 a2 a3", "", "a1", id="a card that never moved"),
        pytest.param("a1 a2 a3- b4 b5", "", "a1 b4", id="taken out of one node and put into another"),
        pytest.param("a1 a2 b4 a9- b9", "", "a1 b4", id="the old node came back late without it"),
        pytest.param("a1 a5 b3 a6-", "", "a1 b5", id="both listed it for a while"),
        pytest.param("a1 b2 b3 b4", "", "a1", id="the first node has not said that it is gone"),
        pytest.param("b4 a1 a3- b5 a2", "", "a1 b4", id="scans that arrive in any order"),
        pytest.param("a1 a2- b3 b4- a5", "", "a1 b3 a5", id="there and back"),
        pytest.param("a1 b2 b3", "b2", "a1 b2", id="staff move what a dead node cannot give up"),
        pytest.param("a1 a2- a3 a4", "", "a1", id="a card that a node lost and found"),
    ],
)
def test_homes_follow_from_scans_and_moves(story: str, moves: str, at_home: str) -> None:
    moved = [Home(int(each[1:]), each[0]) for each in moves.split()]
    assert homes(listing_runs(scans(story)), moved) == [Home(int(each[1:]), each[0]) for each in at_home.split()]


def listed(warehouse: Warehouse, node: str, at_ms: int, *cards: str) -> None:
    """A scan of ``node``, as ingest writes it."""
    seen = [
        {"card": card, "scanned": 1, "node": node, "cluster": "main", "model": "H100", "parent": "", "memory_bytes": 0,
         "first_seen_ms": at_ms, "last_seen_ms": at_ms}
        for card in cards
    ]  # fmt: skip
    if seen:
        warehouse.insert("card", pa.Table.from_pylist(seen))
    columns = {
        "node": pa.array([node]),
        "at_ms": pa.array([at_ms], pa.uint64()),
        "cards": pa.array([list(cards)], pa.list_(pa.string())),
        "batch": pa.array([at_ms], pa.uint64()),
        "received_at": pa.array([at_ms], pa.timestamp("ms", "UTC")),
    }
    warehouse.insert("node_scan", pa.table(columns))


def held(node: str, start_ms: int) -> UsageRow:
    return UsageRow(
        card="GPU-1", process=hash(node) % 97, node=node, start_ms=start_ms, end_ms=start_ms + QUARTER_MS, claim=TEAM
    )


def test_only_the_home_of_a_moved_card_is_counted_and_a_late_scan_corrects_the_past(warehouse: Warehouse) -> None:
    start = 480_000 * HOUR_MS
    put(warehouse, Facts(cards=(), usage=(held("a", start), held("b", start), held("b", start + 2 * HOUR_MS))), [])
    for node, hour in (("a", 0), ("b", 0), ("b", 2)):
        mark = {"hour": start // HOUR_MS + hour, "node": node, "mark": hour, "done": 0}
        warehouse.insert("dirty_hour", pa.Table.from_pylist([mark]))
    listed(warehouse, "a", start, "GPU-1")
    listed(warehouse, "b", start + MINUTE_MS, "GPU-1")
    roll_up(warehouse)

    # Node a has not given the card up: what node b says of it is a conflict.
    by_node = usage(warehouse, start, start + 3 * HOUR_MS, by=("node",))
    assert [(row["node"], row["billable_us"]) for row in by_node] == [("a", QUARTER_US)]

    # Its next scan lacks the card: it has been with node b since that node's first scan, a minute into the hour.
    listed(warehouse, "a", start + HOUR_MS)
    roll_up(warehouse)
    by_node = usage(warehouse, start, start + 3 * HOUR_MS, by=("node",))
    minute_us = MINUTE_MS * 1000
    assert [(row["node"], row["billable_us"]) for row in by_node] == [
        ("a", minute_us),
        ("b", QUARTER_US - minute_us + QUARTER_US),
    ]
