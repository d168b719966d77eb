"""From a stream to the warehouse: batches, dead letters, and crashes at every step, with the real engine."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from msgspec import structs

from cardhour_contract.clock import VirtualClock
from cardhour_contract.errors import InvariantBroken, Retry
from cardhour_contract.moment import HOUR_MS, MINUTE_MS
from cardhour_contract.record import ACTIVE_WHOLE, Attribution, Report, Scan, ScannedCard
from cardhour_contract.settings import StreamSettings
from cardhour_ingest.loop import Limits, Loop, Totals, drain
from cardhour_ingest.source import Message, Position
from cardhour_ingest.spool_source import SpoolSource
from cardhour_ingest.warehouse.client import Warehouse
from cardhour_ingest.warehouse.rollup import roll_up
from tests.ingest.crashes import Crash, Failing, Watched
from tests.ingest.reports import AT_MS, BOOT, NODE, PROCESS, card, message, report, usage
from tests.ingest.streams import DEADLINE_S, KafkaStream, SpoolStream, poll, turns

HOUR = AT_MS // HOUR_MS
HALF_BUSY = ACTIVE_WHOLE // 2


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[SpoolStream]:
    stream = SpoolStream(tmp_path / "spool.db")
    yield stream
    stream.close()


def three_minutes() -> list[Report]:
    """A node's first report with a scan, and two more."""
    scan = Scan(at_ms=AT_MS, cards=(ScannedCard(card="GPU-1", model="T4"),))
    found = []
    for minute in range(3):
        span = {"started_at_ms": AT_MS + minute * MINUTE_MS, "ended_at_ms": AT_MS + (minute + 1) * MINUTE_MS}
        rows = {"usage": (usage(**span, active=HALF_BUSY * MINUTE_MS),), "cards": (card(**span),)}
        found.append(report(**span, **rows, wall_ms=span["ended_at_ms"], scan=scan if minute == 0 else None))
    return found


def ledger(warehouse: Warehouse) -> list[dict[str, Any]]:
    """Every page, without what may differ between two computations of the same."""
    return warehouse.rows("SELECT * EXCEPT (version, raw_rows) FROM card_hour FINAL ORDER BY hour, card")


def count(warehouse: Warehouse, table: str) -> int:
    return int(warehouse.value("SELECT count() FROM {table:Identifier}", table=table))


def test_a_spool_becomes_rows_marks_and_pages_and_is_empty(spool: SpoolStream, warehouse: Warehouse) -> None:
    spool.send(*three_minutes())
    totals = drain(spool.source(), warehouse)
    assert totals == Totals(messages=3, usage_rows=3, card_rows=3, dead_letters=0)
    assert spool.waiting() == 0
    assert warehouse.rows("SELECT hour, node, done FROM dirty_hour") == [{"hour": HOUR, "node": NODE, "done": 0}]
    assert count(warehouse, "ingest_batch") == 3
    roll_up(warehouse)
    (page,) = ledger(warehouse)
    assert page["by_owner.owner"] == ["k8s:team-a"]
    assert page["by_owner.held_us"] == [3 * MINUTE_MS * 1_000]


def test_full_batches_are_stored_as_they_fill(
    spool: SpoolStream, warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cardhour_ingest.spool_source.POLL_REPORTS", 1)
    spool.send(*three_minutes())
    seen: list[int] = []
    totals = drain(
        spool.source(), warehouse, limits=Limits(batch_rows=4), progress=lambda so_far: seen.append(so_far.messages)
    )
    assert totals.messages == 3
    assert seen == [2, 3]  # a report has two rows: two reports fill a batch, and the end stores the third


def test_the_next_batch_is_read_while_one_is_being_written_and_committed_after_it(
    spool: SpoolStream, warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cardhour_ingest.spool_source.POLL_REPORTS", 1)
    spool.send(*three_minutes())
    read_on = threading.Event()
    committed: list[list[int]] = []

    class Slow(Warehouse):
        def insert(self, table: str, rows: pa.Table) -> None:
            assert read_on.wait(DEADLINE_S), "the second batch was not read while the first was being written"
            super().insert(table, rows)

    class Telling(SpoolSource):
        polls = 0

        def poll(self, *, wait_ms: int) -> list[Message]:
            self.polls += 1
            if self.polls == 2:
                read_on.set()
            return super().poll(wait_ms=wait_ms)

        def commit(self, positions: Sequence[Position]) -> None:
            committed.append([each.offset for each in positions])
            super().commit(positions)

    with Slow(warehouse.target) as slow:
        drain(Telling([spool.path], clock=VirtualClock(AT_MS)), slow, limits=Limits(batch_rows=1))
    assert committed == [[1], [2], [3]]
    assert count(warehouse, "usage_record") == 3


def test_a_batch_that_does_not_fill_is_stored_when_it_is_old_enough(spool: SpoolStream, warehouse: Warehouse) -> None:
    spool.send(*three_minutes())
    clock, stop = VirtualClock(AT_MS + HOUR_MS), threading.Event()
    source = Watched(SpoolSource([spool.path], clock=clock), commit=stop.set)
    Loop(source, warehouse, limits=Limits(batch_age_ms=5_000), clock=clock, stop=stop).run()
    assert 5_000 <= clock.monotonic_ms() < 6_000
    assert count(warehouse, "usage_record") == 3


def test_a_request_to_stop_stores_the_batch_in_hand(spool: SpoolStream, warehouse: Warehouse) -> None:
    spool.send(*three_minutes())
    clock, stop = VirtualClock(AT_MS + HOUR_MS), threading.Event()

    class Stopping(SpoolSource):
        def poll(self, *, wait_ms: int) -> list[Message]:
            found = super().poll(wait_ms=wait_ms)
            stop.set()
            return found

    Loop(Stopping([spool.path], clock=clock), warehouse, clock=clock, stop=stop).run()
    assert spool.waiting() == 0
    assert count(warehouse, "usage_record") == 3


@pytest.mark.parametrize("table", ["node", "usage_record", "ingest_batch", "dirty_hour", "dead_letter"])
def test_a_crash_before_any_insert_changes_no_total(table: str, spool: SpoolStream, warehouse: Warehouse) -> None:
    spool.send(*three_minutes())
    spool.send_bytes(b"\xc1 no report")
    with Failing(warehouse.target).fail_at(table, Crash()) as dying, pytest.raises(Crash):
        drain(spool.source(), dying)
    assert spool.waiting() == 4
    assert drain(spool.source(), warehouse).messages == 4
    assert_three_minutes_and_a_letter(spool, warehouse)


@pytest.mark.parametrize("step", ["publish", "commit"])
def test_a_crash_after_the_inserts_changes_no_total(step: str, spool: SpoolStream, warehouse: Warehouse) -> None:
    def crash() -> None:
        raise Crash

    spool.send(*three_minutes())
    spool.send_bytes(b"\xc1 no report")
    for _ in range(2):
        with pytest.raises(Crash):
            drain(Watched(spool.source(), **{step: crash}), warehouse)
    assert count(warehouse, "usage_record") >= 3
    drain(spool.source(), warehouse)
    assert_three_minutes_and_a_letter(spool, warehouse)


def assert_three_minutes_and_a_letter(spool: SpoolStream, warehouse: Warehouse) -> None:
    roll_up(warehouse)
    (page,) = ledger(warehouse)
    assert page["by_owner.billable_us"] == [3 * MINUTE_MS * 1_000]
    assert page["by_owner.active_us"] == [3 * MINUTE_MS * 1_000 // 2]
    assert warehouse.value("SELECT uniqExact(letter) FROM dead_letter") == 1
    assert spool.waiting() == 0


@pytest.mark.parametrize("table", ["usage_record", "dirty_hour", "dead_letter"])
def test_a_warehouse_that_does_not_answer_is_waited_for(table: str, spool: SpoolStream, warehouse: Warehouse) -> None:
    spool.send(*three_minutes())
    spool.send_bytes(b"")
    with Failing(warehouse.target).fail_at(table, Retry("the engine restarts")) as flaky:
        assert drain(spool.source(), flaky).messages == 4
    assert_three_minutes_and_a_letter(spool, warehouse)


def test_stopping_while_the_warehouse_is_away_keeps_everything_in_the_spool(
    spool: SpoolStream, warehouse: Warehouse
) -> None:
    spool.send(*three_minutes())
    stop = threading.Event()

    class Away(Warehouse):
        def insert(self, table: str, rows: pa.Table) -> None:
            stop.set()
            raise Retry("no answer")

    with Away(warehouse.target) as away:
        totals = Loop(spool.source(), away, limits=Limits(batch_age_ms=0), stop=stop).run()
    assert totals == Totals()
    assert spool.waiting() == 3


def test_random_bytes_on_the_topic_become_a_dead_letter_and_nothing_else_is_lost(
    stream: StreamSettings, warehouse: Warehouse
) -> None:
    topic = KafkaStream(stream)
    noise = b"\x93\x00\xff\xc1 not a report"
    headers = message(report()).headers
    topic.send(report())
    topic.send_bytes((NODE, noise, headers), (NODE, b"", []))
    topic.send(report(usage=(usage(started_at_ms=AT_MS + 1),)))
    source = topic.source()
    stop = threading.Event()
    wanted = 4

    def enough() -> None:
        if count(warehouse, "ingest_batch") + count(warehouse, "dead_letter") >= wanted:
            stop.set()

    Loop(Watched(source, commit=enough), warehouse, limits=Limits(batch_age_ms=0), stop=stop).run()
    source.close()
    assert count(warehouse, "usage_record") == 2
    found = warehouse.rows("SELECT reason, path, hex(body) AS body, position, node FROM dead_letter ORDER BY position")
    assert [(each["reason"], bytes.fromhex(each["body"])) for each in found] == [
        ("bad_payload", noise),
        ("bad_envelope", b""),
    ]
    assert found[0]["node"] == NODE
    assert found[1]["path"] == "headers.ce_specversion"
    dead_topic = KafkaStream(structs.replace(stream, topic=stream.dead_letter_topic)).source()
    published: list[Message] = []
    for _ in turns():
        published += poll(dead_topic)
        if len({each.body for each in published}) == 2:  # one that was published again comes twice
            break
    assert {dict(each.headers)["reason"] for each in published} == {b"bad_payload", b"bad_envelope"}
    assert {each.body for each in published} == {noise, b""}
    dead_topic.close()


def test_a_message_delivered_twice_changes_no_page(stream: StreamSettings, warehouse: Warehouse) -> None:
    topic = KafkaStream(stream)
    for each in three_minutes():
        topic.send(each)
        topic.send(each)  # under another id, as from an agent whose acknowledgement was lost
    source = topic.source()
    stop = threading.Event()

    def enough() -> None:
        if count(warehouse, "ingest_batch") >= 6:
            stop.set()

    Loop(Watched(source, commit=enough), warehouse, limits=Limits(batch_age_ms=0), stop=stop).run()
    source.close()
    roll_up(warehouse)
    (page,) = ledger(warehouse)
    assert page["by_owner.billable_us"] == [3 * MINUTE_MS * 1_000]


def test_too_many_dead_letters_stop_ingest_before_anything_is_consumed(
    spool: SpoolStream, warehouse: Warehouse
) -> None:
    spool.send(report())
    for _ in range(6):
        spool.send_bytes(b"nonsense")
    with pytest.raises(InvariantBroken, match="6 of the last 7 messages would be dead letters"):
        drain(spool.source(), warehouse, limits=Limits(dead_letters_max=5))
    assert spool.waiting() == 7
    assert count(warehouse, "dead_letter") == 0


def test_a_late_answer_marks_the_hours_of_the_rows_it_changes(spool: SpoolStream, warehouse: Warehouse) -> None:
    spool.send(report(usage=(usage(owner="unknown:no_answer"),)))
    drain(spool.source(), warehouse)
    roll_up(warehouse)
    answer = Attribution(process=PROCESS, owner="slurm:physics", workload="job-7")
    later = {"started_at_ms": AT_MS + 3 * HOUR_MS, "ended_at_ms": AT_MS + 3 * HOUR_MS, "wall_ms": AT_MS + 3 * HOUR_MS}
    spool.send(report(**later, usage=(), cards=(), attributions=(answer,)))
    drain(spool.source(), warehouse)
    still_open = "SELECT hour, node FROM dirty_hour GROUP BY hour, node, mark HAVING max(done) = 0"
    assert warehouse.rows(still_open) == [{"hour": HOUR, "node": NODE}]


def test_two_batches_never_share_a_mark(spool: SpoolStream, warehouse: Warehouse) -> None:
    """A rollup that saw the first must leave the second open."""
    for each in three_minutes():
        spool.send(each)
        drain(spool.source(), warehouse)
    assert warehouse.value("SELECT uniqExact(mark) FROM dirty_hour") == 3


def test_a_report_too_large_is_a_dead_letter(spool: SpoolStream, warehouse: Warehouse) -> None:
    spool.send_bytes(b"x" * 1_000_001)
    assert drain(spool.source(), warehouse).dead_letters == 1
    (letter,) = warehouse.rows("SELECT reason, length(body) AS bytes, source_id FROM dead_letter")
    assert (letter["reason"], letter["bytes"]) == ("too_large", 1_000_001)
    assert letter["source_id"].startswith(f"{NODE}/{BOOT}/")
