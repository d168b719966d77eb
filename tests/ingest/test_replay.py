"""Dead letters read again: what was mended counts, to the microsecond and once; what was not stays, with its reason."""

from __future__ import annotations

import json

import pyarrow as pa
import pytest
from msgspec import structs

from cardhour_contract import wire
from cardhour_contract.clock import VirtualClock
from cardhour_contract.errors import Refuse
from cardhour_contract.moment import DAY_MS, HOUR_MS, MINUTE_MS, MS_US
from cardhour_contract.record import Fault, Scan
from cardhour_ingest.loop import drain
from cardhour_ingest.replay import decoded, message_of, replay, waiting
from cardhour_ingest.source import Message, Position
from cardhour_ingest.warehouse.client import Warehouse
from cardhour_ingest.warehouse.letters import find_letters
from cardhour_ingest.warehouse.rollup import roll_up
from cardhour_ingest.warehouse.usage import attention, balance, usage
from tests.ingest.reports import AT_MS, CARD, NODE, message, report
from tests.ingest.reports import usage as row
from tests.ingest.skewed import ACTIVE, Delivered, minute

MINUTES = 30
NOW = AT_MS + DAY_MS


def span_balance(warehouse: Warehouse) -> tuple[int, int]:
    """Billable and idle time of the half hour."""
    roll_up(warehouse)
    found = balance(warehouse, AT_MS, AT_MS + MINUTES * MINUTE_MS)
    assert found.unobserved_us == found.faulted_us == 0
    return found.billable_us, found.idle_us


@pytest.mark.parametrize(
    "ahead_ms",
    [HOUR_MS, -HOUR_MS, HOUR_MS + 433_507, -HOUR_MS - 433_507],
    ids=["an hour ahead", "an hour behind", "ahead, off the quarter", "behind, off the quarter"],
)
def test_a_clock_that_was_off_is_put_right_to_the_microsecond(warehouse: Warehouse, ahead_ms: int) -> None:
    stored = drain(Delivered([minute(at, ahead_ms) for at in range(MINUTES)]), warehouse)
    assert stored.dead_letters == MINUTES
    assert usage(warehouse, AT_MS - 4 * HOUR_MS, AT_MS + 4 * HOUR_MS) == []

    letters = waiting(warehouse, reason="clock_skew")
    assert [each.detail.split(":")[0] for each in letters] == [f"offset_ms={ahead_ms}"] * MINUTES
    for _ in range(2):
        done = replay(warehouse, letters, clock=VirtualClock(NOW), who="lin")
        assert {(each.accepted, each.offset_ms) for each in done} == {(True, ahead_ms)}
        half_us = MINUTES * MINUTE_MS * MS_US // 2
        assert span_balance(warehouse) == (half_us, half_us), "the same however often they are read"
    active = "SELECT sum(active) FROM (SELECT DISTINCT process, start_ms, end_ms, active FROM usage_record)"
    assert warehouse.value(active) == MINUTES * (ACTIVE // 2), "nothing is lost where a row was cut"
    others = usage(warehouse, AT_MS - 4 * HOUR_MS, AT_MS) + usage(warehouse, AT_MS + HOUR_MS, AT_MS + 4 * HOUR_MS)
    assert others == []
    assert waiting(warehouse) == [], "each is marked as replayed"
    assert attention(warehouse, AT_MS, AT_MS + HOUR_MS).dead_letters == 0


def test_deliveries_that_took_longer_or_shorter_tell_one_clock(warehouse: Warehouse) -> None:
    messages = [minute(at, HOUR_MS) for at in range(MINUTES)]
    late = [structs.replace(each, received_at_ms=each.received_at_ms + at * 13) for at, each in enumerate(messages)]
    drain(Delivered(late), warehouse)
    done = replay(warehouse, waiting(warehouse), clock=VirtualClock(NOW), who="lin")
    assert {each.offset_ms for each in done} == {HOUR_MS}, "the quickest delivery took no time"
    half_us = MINUTES * MINUTE_MS * MS_US // 2
    assert span_balance(warehouse) == (half_us, half_us)


def test_a_report_that_also_arrived_in_time_is_not_moved(warehouse: Warehouse) -> None:
    """A delivery that hung in a queue looks like a wrong clock; its second copy was stored as it was."""
    messages = [minute(at, 0) for at in range(MINUTES)]
    hung = structs.replace(messages[3], received_at_ms=messages[3].received_at_ms + MINUTE_MS)
    drain(Delivered([hung, *messages]), warehouse)
    half_us = MINUTES * MINUTE_MS * MS_US // 2
    assert span_balance(warehouse) == (half_us, half_us)
    done = replay(warehouse, waiting(warehouse, reason="clock_skew"), clock=VirtualClock(NOW), who="lin")
    assert [each.accepted for each in done] == [True]
    assert span_balance(warehouse) == (half_us, half_us)
    assert waiting(warehouse) == []


def test_a_replay_that_died_goes_on_with_the_same_offset(warehouse: Warehouse) -> None:
    class Dead(BaseException):
        pass

    class Dying(Warehouse):
        def insert(self, table: str, rows: pa.Table) -> None:
            if table == "dirty_hour":
                raise Dead
            super().insert(table, rows)

    drain(Delivered([minute(0, HOUR_MS)]), warehouse)
    with Dying(warehouse.target) as dying, pytest.raises(Dead):
        replay(dying, waiting(warehouse), clock=VirtualClock(NOW), who="lin")
    (letter,) = waiting(warehouse)
    assert (letter.begun, letter.begun_offset_ms) == (True, HOUR_MS)
    replay(warehouse, [letter], clock=VirtualClock(NOW), who="lin")
    roll_up(warehouse)
    half_us = MINUTE_MS * MS_US // 2
    assert [each["billable_us"] for each in usage(warehouse, AT_MS, AT_MS + HOUR_MS)] == [half_us]


def test_what_still_fails_stays_with_the_new_reason(warehouse: Warehouse) -> None:
    skewed = minute(0, HOUR_MS)
    broken = message(
        report(
            wall_ms=AT_MS + HOUR_MS,
            started_at_ms=AT_MS + HOUR_MS,
            ended_at_ms=AT_MS + HOUR_MS,
            usage=(row(owner="nobody", started_at_ms=AT_MS + HOUR_MS, ended_at_ms=AT_MS + HOUR_MS + 1),),
        ),
        number=99,
        sent_at_ms=AT_MS + HOUR_MS,
    )
    broken = structs.replace(broken, received_at_ms=AT_MS)
    drain(Delivered([skewed, broken]), warehouse)
    done = replay(warehouse, waiting(warehouse), clock=VirtualClock(NOW), who="lin")
    assert sorted((each.accepted, each.reason, each.path) for each in done) == [
        (False, "bad_value", "$.usage.owner[0]"),
        (True, "", ""),
    ]
    (left,) = waiting(warehouse)
    assert (left.reason, left.path, left.replayed) == ("bad_value", "$.usage.owner[0]", False)
    assert len(find_letters(warehouse)) == 2
    assert find_letters(warehouse, reason="clock_skew")[0].replayed


def test_reports_of_a_newer_version_count_once_this_one_is_upgraded(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The agents were upgraded first. Nothing of what they sent meanwhile is lost, and nothing of it counts twice."""
    newer = "cardhour.usage.report.v2"
    sent = [of_type(minute(at, 0), newer) if at % 2 else minute(at, 0) for at in range(MINUTES)]
    assert drain(Delivered(sent), warehouse).dead_letters == MINUTES // 2

    (early,) = {each.reason for each in replay(warehouse, waiting(warehouse), clock=VirtualClock(NOW), who="lin")}
    assert early == "unknown_type", "too early: they stay letters"
    assert len(waiting(warehouse)) == MINUTES // 2

    monkeypatch.setattr(wire, "REPORT_TYPE", newer)
    for _ in range(2):
        done = replay(warehouse, waiting(warehouse), clock=VirtualClock(NOW), who="lin")
        assert all(each.accepted for each in done)
        half_us = MINUTES * MINUTE_MS * MS_US // 2
        assert span_balance(warehouse) == (half_us, half_us)
        assert waiting(warehouse) == []


def of_type(told: Message, kind: str) -> Message:
    return structs.replace(told, headers=[*((dict(told.headers) | {"ce_type": kind.encode()}).items())])


def test_faults_and_scans_move_with_the_clock(warehouse: Warehouse) -> None:
    fault = Fault(card=CARD, opened_at_ms=AT_MS + HOUR_MS, closed_at_ms=AT_MS + HOUR_MS + MINUTE_MS, reason="xid:79")
    sent = report(
        started_at_ms=AT_MS + HOUR_MS, ended_at_ms=AT_MS + HOUR_MS + MINUTE_MS, wall_ms=AT_MS + HOUR_MS + MINUTE_MS,
        usage=(), cards=(), faults=(fault,), scan=Scan(at_ms=AT_MS + HOUR_MS, cards=()),
    )  # fmt: skip
    late = structs.replace(message(sent, sent_at_ms=sent.wall_ms), received_at_ms=AT_MS + MINUTE_MS)
    drain(Delivered([late]), warehouse)
    replay(warehouse, waiting(warehouse), clock=VirtualClock(NOW), who="lin")
    assert warehouse.rows("SELECT opened_at_ms, closed_at_ms FROM fault") == [
        {"opened_at_ms": AT_MS, "closed_at_ms": AT_MS + MINUTE_MS}
    ]
    assert warehouse.value("SELECT at_ms FROM node_scan") == AT_MS


def test_a_letter_shows_its_message_as_far_as_it_can_be_read(warehouse: Warehouse) -> None:
    garbage = structs.replace(minute(7, 0), body=b"\xc1\xff", position=Position("reports/0", 7))
    drain(Delivered([minute(0, HOUR_MS), garbage]), warehouse)
    by_reason = {each.reason: each for each in find_letters(warehouse)}
    skewed = message_of(warehouse, by_reason["clock_skew"])
    assert skewed == minute(0, HOUR_MS), "byte for byte"
    shown = json.loads(decoded(skewed))
    assert (shown["node"], shown["usage"][0]["owner"], shown["cards"][0]["card"]) == (NODE, "k8s:team-a", CARD)
    assert "bad_payload" in decoded(message_of(warehouse, by_reason["bad_payload"]))


def test_a_letter_that_there_is_not_is_refused(warehouse: Warehouse) -> None:
    with pytest.raises(Refuse, match="no dead letter 000000000000002a"):
        waiting(warehouse, letters=[42])
