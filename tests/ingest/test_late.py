"""What comes late, twice, from two agents or from two versions: on real parts, and to the microsecond."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from cardhour_contract.identity import process_key
from cardhour_contract.moment import DAY_MS, HOUR_MS, MINUTE_MS, MS_US
from cardhour_contract.record import Basis, Report, Scan, ScannedCard
from cardhour_contract.settings import StreamSettings
from cardhour_contract.wire import (
    PACKED,
    REPORT_TYPE,
    ROWS,
    Envelope,
    Headers,
    encode_packed,
    encode_rows,
    envelope_headers,
)
from cardhour_ingest.loop import Limits, Loop, drain
from cardhour_ingest.warehouse.balance import By, CardTime, decompose, summed, unobserved
from cardhour_ingest.warehouse.client import Warehouse
from cardhour_ingest.warehouse.compare import rebuild
from cardhour_ingest.warehouse.rollup import roll_up, sweep
from cardhour_ingest.warehouse.sql import sql
from cardhour_ingest.warehouse.usage import usage as used
from tests.ingest.crashes import Watched
from tests.ingest.reports import AT_MS, BOOT, CARD, NODE, PROCESS, card, report, usage
from tests.ingest.streams import KafkaStream, SpoolStream

MINUTE_US = MINUTE_MS * MS_US
HOUR_US = HOUR_MS * MS_US


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[SpoolStream]:
    stream = SpoolStream(tmp_path / "spool.db")
    yield stream
    stream.close()


def minute(start_ms: int, *, scan: bool = False, **changes: Any) -> Report:
    """A minute of one process on one watched card."""
    span = {"started_at_ms": start_ms, "ended_at_ms": start_ms + MINUTE_MS}
    rows = {"usage": (usage(**span),), "cards": (card(**span),)}
    listed = Scan(at_ms=start_ms, cards=(ScannedCard(card=CARD, model="T4"),)) if scan else None
    return report(**{**span, **rows, "wall_ms": span["ended_at_ms"], "scan": listed, **changes})


def account(warehouse: Warehouse, until_ms: int) -> CardTime:
    (found,) = summed(decompose(warehouse, AT_MS, until_ms, until_ms - 1), By.CARD)
    assert found.terms_us == found.span_us == (until_ms - AT_MS) * MS_US
    return found


def pages(warehouse: Warehouse) -> list[dict[str, Any]]:
    roll_up(warehouse)
    return warehouse.rows("SELECT * EXCEPT (version, raw_rows) FROM card_hour FINAL ORDER BY hour, card")


def test_a_node_that_was_offline_for_a_hundred_days_fills_its_silence_in(
    spool: SpoolStream, warehouse: Warehouse
) -> None:
    now_ms = AT_MS + 100 * DAY_MS
    spool.send(minute(AT_MS, scan=True))
    drain(spool.source(), warehouse)
    sweep(warehouse, now_ms, lookback_ms=101 * DAY_MS)
    roll_up(warehouse)
    silent = account(warehouse, now_ms)
    assert (silent.billable_us, silent.unobserved_us) == (MINUTE_US, 100 * 24 * HOUR_US - MINUTE_US)

    late = [AT_MS + day * DAY_MS + at * MINUTE_MS for day in (1, 31, 99) for at in range(7)]
    spool.send(*map(minute, late))
    assert drain(spool.source(), warehouse).dead_letters == 0, "being late is no fault"
    roll_up(warehouse)
    found = account(warehouse, now_ms)
    assert (found.billable_us, found.idle_us) == (22 * MINUTE_US, 0)
    assert found.unobserved_us == silent.unobserved_us - 21 * MINUTE_US
    stretches = unobserved(warehouse, AT_MS, now_ms, now_ms - 1)
    assert {(each.node, each.reason) for each in stretches} == {(NODE, "silent")}
    assert sum(each.unobserved_us for each in stretches) == found.unobserved_us


def test_two_agents_of_one_node_count_once(tmp_path: Path, warehouse: Warehouse) -> None:
    """One runs in a container that its host's agent knows nothing of: two spools, two cadences, the same processes."""
    for name, shift_ms in (("host", 0), ("container", 20_000)):
        stream = SpoolStream(tmp_path / name)
        stream.send(*(minute(AT_MS + at * MINUTE_MS + shift_ms) for at in range(5)))
        drain(stream.source(), warehouse)
        stream.close()
    roll_up(warehouse)
    (row,) = used(warehouse, AT_MS, AT_MS + HOUR_MS)
    assert (row["held_us"], row["billable_us"]) == (5 * MINUTE_US + 20_000_000, 5 * MINUTE_US + 20_000_000)


def test_reports_in_any_order_and_any_batches_give_the_same_pages(tmp_path: Path, warehouse: Warehouse) -> None:
    other = process_key(NODE, BOOT, 200, 9)
    sent = [minute(AT_MS + at * MINUTE_MS, scan=at == 0) for at in range(0, 90, 3)]
    sent += [
        minute(each.started_at_ms, usage=(usage(process=other, owner="k8s:b", started_at_ms=each.started_at_ms,
                                                ended_at_ms=each.ended_at_ms),))
        for each in sent[::2]
    ]  # fmt: skip
    chance, found = random.Random(7), []
    for attempt in range(3):
        shuffled = chance.sample(sent, len(sent)) if attempt else sent
        for first in range(0, len(sent), 15):
            stream = SpoolStream(tmp_path / f"spool-{attempt}-{first}")
            stream.send(*shuffled[first : first + 15])
            drain(stream.source(), warehouse)
            stream.close()
            pages(warehouse)
        found.append(pages(warehouse))
        for table in ("usage_record", "card_record", "card_hour", "dirty_hour"):
            warehouse.command("TRUNCATE TABLE {table:Identifier}", table=table)
    assert found[0]
    assert found[1:] == found[:1] * 2


def test_a_basis_that_changes_rewrites_no_page_before(spool: SpoolStream, warehouse: Warehouse) -> None:
    spool.send(*(minute(AT_MS + at * MINUTE_MS, scan=at == 0) for at in (0, 59)))
    pod = {"process": 77, "basis": Basis.ALLOCATION, "owner": "k8s:pod"}
    for at in (60, 119):
        start_ms = AT_MS + at * MINUTE_MS
        span = {"started_at_ms": start_ms, "ended_at_ms": start_ms + MINUTE_MS}
        spool.send(minute(start_ms, basis="allocation", usage=(usage(**span), usage(**span, **pod))))
    spool.send(minute(AT_MS + 120 * MINUTE_MS, basis="allocation"))
    drain(spool.source(), warehouse)
    roll_up(warehouse)
    by_hour = [
        {row["owner"]: row["billable_us"] for row in used(warehouse, start_ms, start_ms + HOUR_MS)}
        for start_ms in (AT_MS, AT_MS + HOUR_MS, AT_MS + 2 * HOUR_MS)
    ]
    # The first word of the new basis comes with the second hour's first minute, and holds from the third hour on.
    assert by_hour[0] == {"k8s:team-a": 2 * MINUTE_US}
    assert by_hour[1] == {"k8s:team-a": 2 * MINUTE_US}
    assert by_hour[2].get("k8s:team-a", 0) == 0
    assert warehouse.rows("SELECT basis FROM card_hour FINAL ORDER BY hour") == [{"basis": at} for at in (0, 0, 1)]
    assert rebuild(warehouse, AT_MS, AT_MS + 3 * HOUR_MS).changed == 0


def of_a_newer_agent(sent: Report) -> bytes:
    """The same report with fields that this version does not know, at every level."""
    body = msgspec.msgpack.decode(encode_packed(sent))
    rows = len(body["usage"]["basis"])
    body |= {"firmware": "2.0", "usage": body["usage"] | {"temperature": bytes(2 * rows)}}
    body["cards"] |= {"fan": bytes(2 * rows)}
    return msgspec.msgpack.encode(body)


def headers(number: int, content_type: str, kind: str = REPORT_TYPE) -> Headers:
    envelope = Envelope(id=f"{NODE}/{BOOT}/up/{number}", source=f"/nodes/{NODE}", content_type=content_type, type=kind)
    return envelope_headers(envelope)


def test_versions_that_flow_at_once_during_an_upgrade_count_alike(stream: StreamSettings, warehouse: Warehouse) -> None:
    topic = KafkaStream(stream)
    bodies: list[tuple[str, bytes, Headers]] = []
    for at in range(9):
        sent = minute(AT_MS + at * MINUTE_MS)
        encoded = ((encode_packed(sent), PACKED), (of_a_newer_agent(sent), PACKED), (encode_rows(sent), ROWS))[at % 3]
        bodies.append((NODE, encoded[0], headers(at, encoded[1])))
    unreadable = b"\x81\xa3new\x01"
    bodies.insert(4, (NODE, unreadable, headers(99, PACKED, "cardhour.usage.report.v2")))
    topic.send_bytes(*bodies)
    source, stop = topic.source(), threading.Event()

    def enough() -> None:
        if (
            warehouse.value("SELECT count() FROM ingest_batch") + warehouse.value("SELECT count() FROM dead_letter")
            >= 10
        ):
            stop.set()

    Loop(Watched(source, commit=enough), warehouse, limits=Limits(batch_age_ms=0), stop=stop).run()
    source.close()
    roll_up(warehouse)
    assert [row["billable_us"] for row in used(warehouse, AT_MS, AT_MS + HOUR_MS)] == [9 * MINUTE_US]
    (letter,) = warehouse.rows("SELECT reason, path, hex(body) AS body FROM dead_letter")
    assert (letter["reason"], letter["path"]) == ("unknown_type", "headers.ce_type")
    assert bytes.fromhex(letter["body"]) == unreadable, "kept whole, for the version that can read it to replay"


def test_a_late_answer_finds_the_hours_of_its_process_by_an_index(warehouse: Warehouse) -> None:
    warehouse.command(
        """INSERT INTO usage_record (hour, card, process, start_ms, batch, end_ms, received_at)
           SELECT number, 'GPU-1', cityHash64(number), number * 3600000, 1, number * 3600000 + 1, toDateTime64(1, 3)
           FROM numbers(100000)"""
    )
    text = sql("queries/hours_of_processes")
    plan = [row["explain"].strip() for row in warehouse.rows(f"EXPLAIN indexes = 1 {text}", processes=[PROCESS])]
    at = plan.index("Name: of_process")
    (granules,) = [line.removeprefix("Granules: ") for line in plan[at:] if line.startswith("Granules:")][:1]
    left, of = map(int, granules.split("/"))
    assert of >= 10
    assert left <= of // 4, "most of raw is passed over"
