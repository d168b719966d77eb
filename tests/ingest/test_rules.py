"""What ingest accepts of a report and what it sends back, with the path to what is wrong."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec import structs

from cardhour_contract.errors import Reject
from cardhour_contract.moment import DAY_MS, HOUR_MS, MINUTE_MS, QUARTER_MS
from cardhour_contract.record import Attribution, Basis, CardState, Fault, Process, Report, Scan, ScannedCard
from cardhour_contract.wire import encode_rows, pack
from cardhour_ingest.reading import Arrived, read
from cardhour_ingest.source import Message
from cardhour_ingest.tables import facts_of
from tests.ingest.reports import AT_MS, PROCESS, card, message, report, usage

LONG_NAME = "x" * 257


def rejection(sent: Message) -> Reject:
    """Why ingest rejects a message, whichever stage finds it."""
    try:
        arrived = read(sent)
    except Reject as error:
        return error
    _, rejected = facts_of([arrived])
    return rejected[0]


def rows(*reports: Report, table: str = "usage_record") -> list[dict[str, Any]]:
    """The rows of accepted reports."""
    facts, rejected = facts_of([read(message(each, number=at)) for at, each in enumerate(reports)])
    assert rejected == {}
    found: list[dict[str, Any]] = facts.tables[table].to_pylist()
    return found


@pytest.mark.parametrize(
    ("changes", "reason", "path"),
    [
        ({"card": ""}, "bad_value", "$.usage.card[1]"),
        ({"card": LONG_NAME}, "bad_value", "$.usage.card[1]"),
        ({"owner": "team-a"}, "bad_value", "$.usage.owner[1]"),
        ({"owner": "k8s:" + LONG_NAME}, "bad_value", "$.usage.owner[1]"),
        ({"workload": ""}, "bad_value", "$.usage.workload[1]"),
        ({"share": 0}, "bad_value", "$.usage.share[1]"),
        ({"share": 1200}, "bad_value", "$.usage.share[1]"),
        ({"basis": Basis.IMPORTED}, "bad_value", "$.usage.basis[1]"),
        ({"ended_at_ms": AT_MS - 1}, "bad_value", "$.usage.ended_at_ms[1]"),
        ({"started_at_ms": AT_MS - DAY_MS}, "bad_value", "$.usage.ended_at_ms[1]"),
        ({"started_at_ms": AT_MS - 401 * DAY_MS}, "out_of_time", "$.usage.started_at_ms[1]"),
        ({"ended_at_ms": AT_MS + 2 * DAY_MS}, "out_of_time", "$.usage.ended_at_ms[1]"),
        ({"ended_at_ms": 2**64 - 1}, "out_of_time", "$.usage.ended_at_ms[1]"),
        ({"active": 1_000_000 * MINUTE_MS + 1}, "bad_value", "$.usage.active[1]"),
        ({"memory": 2**64 - 1}, "bad_value", "$.usage.memory[1]"),
    ],
)
def test_one_bad_usage_row_rejects_its_report_and_names_itself(changes: dict[str, Any], reason: str, path: str) -> None:
    found = rejection(message(report(usage=(usage(), usage(**changes)))))
    assert (found.reason, found.path) == (reason, path)


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"card": ""}, "$.cards.card[0]"),
        ({"ended_at_ms": AT_MS - 1}, "$.cards.ended_at_ms[0]"),
        ({"started_at_ms": AT_MS + 3 * DAY_MS, "ended_at_ms": AT_MS + 3 * DAY_MS}, "$.cards.started_at_ms[0]"),
    ],
)
def test_one_bad_card_row_rejects_its_report(changes: dict[str, Any], path: str) -> None:
    assert rejection(message(report(cards=(card(**changes),)))).path == path


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"node": ""}, "$.node"),
        ({"cluster": LONG_NAME}, "$.cluster"),
        ({"boot_id": ""}, "$.boot_id"),
        ({"wall_ms": -1}, "$.wall_ms"),
        ({"monotonic_ms": -1}, "$.monotonic_ms"),
        ({"ended_at_ms": AT_MS - 1}, "$.ended_at_ms"),
        ({"started_at_ms": 0}, "$.started_at_ms"),
        ({"scan": Scan(at_ms=AT_MS, cards=(ScannedCard(card="GPU-1", model=""),))}, "$.scan.cards[0].model"),
        ({"scan": Scan(at_ms=0, cards=())}, "$.scan.at_ms"),
        ({"faults": (Fault(card="GPU-1", opened_at_ms=AT_MS, reason=""),)}, "$.faults[0].reason"),
        (
            {"faults": (Fault(card="GPU-1", opened_at_ms=AT_MS, closed_at_ms=AT_MS - 1, reason="xid:79"),)},
            "$.faults[0].closed_at_ms",
        ),
        ({"attributions": (Attribution(process=1, owner="alice", workload="w"),)}, "$.attributions[0].owner"),
        ({"attributions": (Attribution(process=-1, owner="user:a", workload="w"),)}, "$.attributions[0].process"),
        (
            {"attributions": (Attribution(process=1, owner="user:a", workload="w", share=0),)},
            "$.attributions[0].share",
        ),
        ({"processes": (Process(process=1, pid=-1, start_ticks=0),)}, "$.processes[0].pid"),
    ],
)
def test_one_bad_value_outside_the_rows_rejects_the_report(changes: dict[str, Any], path: str) -> None:
    assert rejection(message(report(**changes))).path == path


def test_a_row_that_points_to_no_string_is_rejected() -> None:
    packed = pack(report())
    for strings in ((), packed.strings[:1]):
        arrived = read(message(report()))
        arrived = structs.replace(arrived, report=structs.replace(packed, strings=strings))
        _, rejected = facts_of([arrived])
        assert rejected[0].path.startswith("$.usage.")
        assert "no such string" in rejected[0].detail


def test_an_unknown_card_state_is_rejected() -> None:
    packed = pack(report())
    cards = structs.replace(packed.cards, state=bytes([max(CardState) + 1]))
    arrived = structs.replace(read(message(report())), report=structs.replace(packed, cards=cards))
    _, rejected = facts_of([arrived])
    assert rejected[0].path == "$.cards.state[0]"


def test_a_bad_report_takes_nothing_from_the_others_of_its_batch() -> None:
    good, bad = report(), report(node="node-2", usage=(usage(share=0),))
    facts, rejected = facts_of([read(message(good)), read(message(bad, number=2)), read(message(good, number=3))])
    assert list(rejected) == [1]
    assert facts.usage_rows == 2
    assert facts.card_rows == 2
    assert facts.tables["ingest_batch"].column("node").to_pylist() == ["node-1", "node-1"]


def test_a_report_sent_by_another_node_is_rejected() -> None:
    sent = message(report(node="node-1"))
    forged = structs.replace(
        sent, headers=[("ce_source", b"/nodes/node-2") if n == "ce_source" else (n, v) for n, v in sent.headers]
    )
    assert rejection(forged).reason == "wrong_source"


@pytest.mark.parametrize("offset_ms", [-30_001, 30_001, DAY_MS])
def test_a_sender_whose_clock_is_off_is_rejected_with_the_offset(offset_ms: int) -> None:
    sent = report()
    arrived_ms = sent.wall_ms + 1_000
    found = rejection(message(sent, sent_at_ms=arrived_ms + offset_ms))
    assert found.reason == "clock_skew"
    assert f"offset_ms={offset_ms}:" in found.detail


@pytest.mark.parametrize("offset_ms", [-30_000, 0, 30_000])
def test_half_a_minute_between_two_clocks_is_no_skew(offset_ms: int) -> None:
    sent = report()
    assert isinstance(read(message(sent, sent_at_ms=sent.wall_ms + 1_000 + offset_ms)), Arrived)


def test_a_node_that_lives_a_week_ahead_is_rejected_even_where_nothing_was_sent() -> None:
    sent = message(report())
    early = structs.replace(sent, received_at_ms=sent.received_at_ms - 7 * DAY_MS)
    assert rejection(early).path == "$.wall_ms"


def test_a_row_of_no_length_is_dropped_without_complaint() -> None:
    assert rows(report(usage=(usage(ended_at_ms=AT_MS), usage(started_at_ms=AT_MS + 1)))) == rows(
        report(usage=(usage(started_at_ms=AT_MS + 1),))
    )


def test_a_row_across_quarters_becomes_exact_parts() -> None:
    start_ms, end_ms = AT_MS + 10 * MINUTE_MS, AT_MS + 40 * MINUTE_MS
    length_ms = end_ms - start_ms
    found = rows(report(usage=(usage(started_at_ms=start_ms, ended_at_ms=end_ms, active=7 * length_ms),)))
    assert [(each["start_ms"], each["end_ms"], each["active"], each["memory"]) for each in found] == [
        (start_ms, AT_MS + QUARTER_MS, 7 * 5 * MINUTE_MS, None),
        (AT_MS + QUARTER_MS, AT_MS + 2 * QUARTER_MS, 7 * QUARTER_MS, None),
        (AT_MS + 2 * QUARTER_MS, end_ms, 7 * 10 * MINUTE_MS, None),
    ]
    assert {each["hour"] for each in found} == {AT_MS // HOUR_MS}


def test_a_large_integral_is_divided_without_overflow() -> None:
    """A day of 80 GB: byte × ms × ms would need 90 bits."""
    held = 80 * 2**30
    found = rows(report(usage=(usage(started_at_ms=AT_MS, ended_at_ms=AT_MS + DAY_MS, memory=held * DAY_MS),)))
    assert len(found) == 96
    assert {each["memory"] for each in found} == {held * QUARTER_MS}


def test_an_integral_that_cannot_be_divided_exactly_is_rejected_not_rounded() -> None:
    across = usage(started_at_ms=AT_MS + 14 * MINUTE_MS, ended_at_ms=AT_MS + 16 * MINUTE_MS, active=3)
    found = rejection(message(report(usage=(usage(ended_at_ms=AT_MS), usage(), across))))
    assert (found.reason, found.path) == ("crosses_quarter", "$.usage.ended_at_ms[2]")


def test_energy_across_a_quarter_follows_the_same_rule() -> None:
    span = {"started_at_ms": AT_MS + 14 * MINUTE_MS, "ended_at_ms": AT_MS + 16 * MINUTE_MS}
    assert [each["energy_mj"] for each in rows(report(cards=(card(**span, energy_mj=8),)), table="card_record")] == [
        4,
        4,
    ]
    assert rejection(message(report(cards=(card(**span, energy_mj=9),)))).reason == "crosses_quarter"


def test_json_rows_and_packed_columns_give_the_same_facts() -> None:
    sent = report(usage=(usage(active=5, bridged=True), usage(process=PROCESS + 1, owner="user:b")))
    packed, _ = facts_of([read(message(sent))])
    as_rows = message(sent, encode=encode_rows)
    headers = [
        (n, b"application/vnd.cardhour.report.v1+json") if n == "content-type" else (n, v) for n, v in as_rows.headers
    ]
    from_rows, _ = facts_of([read(structs.replace(as_rows, headers=headers))])
    for table in packed.tables:
        assert packed.tables[table].to_pylist() == from_rows.tables[table].to_pylist(), table
