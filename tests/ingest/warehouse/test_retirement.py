"""A card that is gone: from when on nobody claims to watch it, and what becomes of its pages."""

from __future__ import annotations

import pytest
from tests.ingest.warehouse.test_balance import alive
from tests.ingest.warehouse.test_homes import listed

from cardhour_contract.errors import Refuse
from cardhour_contract.moment import DAY_MS, HOUR_MS
from cardhour_ingest.warehouse.balance import decompose
from cardhour_ingest.warehouse.client import Warehouse
from cardhour_ingest.warehouse.homes import Scanned
from cardhour_ingest.warehouse.retirement import FOREVER, Retired, Word, retire, retirements, settle_retirements
from cardhour_ingest.warehouse.rollup import roll_up, run, sweep

START = 480_000 * HOUR_MS


@pytest.mark.parametrize(
    ("story", "told", "gone"),
    [
        pytest.param("a1 a2-", [], [], id="missed, and not yet for long"),
        pytest.param("a1 a2- a31-", [], [], id="a day short of thirty"),
        pytest.param("a1 a2- a32-", [], [(32, None)], id="missed for thirty days"),
        pytest.param("a1 a2- a90-", [], [(32, None)], id="and a scan long after says no more"),
        pytest.param("a1", [], [], id="a node that is silent says nothing"),
        pytest.param("a1 b40-", [], [], id="nor does another node"),
        pytest.param("a1 a2- b20 a60-", [], [], id="put into another node meanwhile"),
        pytest.param("a1 a2- a40- a50 a51", [], [(32, 50)], id="put back"),
        pytest.param("a50 a2- a1 a40-", [], [(32, 50)], id="scans that arrive in any order"),
        pytest.param("a1", [9], [(9, None)], id="staff say so of a dead node"),
        pytest.param("a1 b20", [9], [(9, 20)], id="and were wrong"),
        pytest.param("a1 a2- a40-", [9], [(9, None)], id="staff knew earlier"),
    ],
)
def test_retirement_follows_from_scans_and_from_staff(
    story: str, told: list[int], gone: list[tuple[int, int | None]]
) -> None:
    """``a1 a9-``: node a lists the card on day 1, and no longer on day 9."""
    scans = [Scanned(int(each[1:].rstrip("-")) * DAY_MS, each[0], not each.endswith("-")) for each in story.split()]
    found = retirements(scans, [day * DAY_MS for day in told])
    assert found == [
        Retired(since * DAY_MS, FOREVER if until is None else until * DAY_MS) for since, until in gone
    ]  # fmt: skip


def hours_with_pages(warehouse: Warehouse, card: str = "GPU-1") -> list[int]:
    rows = warehouse.rows("SELECT hour FROM card_hour FINAL WHERE card = {card:String} ORDER BY hour", card=card)
    return [row["hour"] - START // HOUR_MS for row in rows]


def swept(warehouse: Warehouse, until_ms: int) -> list[int]:
    """Hours of GPU-1 with a page, after a sweep."""
    settle_retirements(warehouse)
    sweep(warehouse, until_ms)
    roll_up(warehouse)
    return hours_with_pages(warehouse)


def watched_hours(warehouse: Warehouse, until_ms: int) -> int:
    found = [each for each in decompose(warehouse, START, until_ms, until_ms - 1) if each.card == "GPU-1"]
    assert all(each.terms_us == each.span_us for each in found)
    return sum(each.span_us for each in found) // (HOUR_MS * 1000)


def test_a_card_that_its_living_node_misses_has_pages_for_thirty_days_and_none_after(warehouse: Warehouse) -> None:
    gone_ms, now_ms = START + 2 * HOUR_MS + 30 * DAY_MS, START + 40 * DAY_MS
    listed(warehouse, "n1", START, "GPU-1", "GPU-2")
    for at_ms in (START + 2 * HOUR_MS, gone_ms, now_ms):
        listed(warehouse, "n1", at_ms, "GPU-2")
    alive(warehouse, "n1", now_ms)
    hours = list(range((gone_ms - START) // HOUR_MS))
    assert swept(warehouse, now_ms) == hours
    assert len(hours_with_pages(warehouse, "GPU-2")) == 40 * 24, "while the node and its other card live on"
    assert watched_hours(warehouse, now_ms) == len(hours)

    # It is put back: what it was between stays as it was.
    listed(warehouse, "n1", now_ms, "GPU-1")
    again = [*hours, *range(40 * 24, 40 * 24 + 3)]
    assert swept(warehouse, now_ms + 3 * HOUR_MS) == again
    assert watched_hours(warehouse, now_ms + 3 * HOUR_MS) == len(again)


def test_a_silent_node_keeps_its_cards_until_staff_give_one_up_and_its_pages_go(warehouse: Warehouse) -> None:
    now_ms = START + 50 * DAY_MS
    listed(warehouse, "n1", START, "GPU-1")
    assert swept(warehouse, now_ms) == list(range(50 * 24)), "a node that is offline has not lost its card"

    with pytest.raises(Refuse, match="was there on"):
        retire(warehouse, Word(card="GPU-1", from_ms=START, reason="burnt", who="lin"))
    with pytest.raises(Refuse, match="no scan has ever listed"):
        retire(warehouse, Word(card="GPU-9", from_ms=START, reason="burnt", who="lin"))
    with pytest.raises(Refuse, match="say why"):
        retire(warehouse, Word(card="GPU-1", from_ms=START + 1, reason=" ", who="lin"))

    retire(warehouse, Word(card="GPU-1", from_ms=START + DAY_MS + 1, reason="burnt", who="lin"))
    assert swept(warehouse, now_ms) == list(range(25)), "the hour in which it was given up is the last"
    assert watched_hours(warehouse, now_ms) == 25
    assert settle_retirements(warehouse) == 0, "and then nothing is left to do"

    # A spool that was thought lost arrives after all, with a scan of the tenth day.
    listed(warehouse, "n1", START + 10 * DAY_MS, "GPU-1")
    assert swept(warehouse, now_ms) == [*range(25), *range(240, 50 * 24)]


@pytest.mark.parametrize("moment", ["rollup/word", "rollup/publish", "rollup/settle"])
def test_a_rollup_that_races_a_retirement_leaves_no_silent_page(
    moment: str, warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The card is given up just before this statement of a rollup that has computed its silence already."""
    now_ms = START + 5 * HOUR_MS
    listed(warehouse, "n1", START, "GPU-1")
    sweep(warehouse, now_ms)
    plain = run.Run.command
    told: list[int] = []

    def command(self: run.Run, statement: str, **parameters: object) -> None:
        if statement == moment and not told:
            retire(warehouse, Word(card="GPU-1", from_ms=START + 2 * HOUR_MS, reason="burnt", who="lin"))
            told.append(settle_retirements(warehouse))
        plain(self, statement, **parameters)

    monkeypatch.setattr(run.Run, "command", command)
    roll_up(warehouse)
    assert told == [1]
    assert hours_with_pages(warehouse) == [0, 1]
