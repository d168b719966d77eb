"""Making room in a full spool: fewer records, and not one integer of the ledger different."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from cardhour_agent.merging import AT_ONCE, Merger, groups, merge
from cardhour_agent.outbox import entry_of
from cardhour_contract.moment import HOUR_MS, MINUTE_MS, QUARTER_MS, SECOND_MS
from cardhour_contract.record import (
    Attribution,
    CardRecord,
    CardState,
    Fault,
    Process,
    Report,
    Scan,
    ScannedCard,
    UsageRecord,
)
from cardhour_contract.spool import Spool
from cardhour_contract.unpack import unpack
from cardhour_contract.wire import BODY_BYTES_MAX, PACKED, decode
from tests.agent.watch import T0
from tests.ledger.facts import Card, CardRow, Claim, Facts, FaultRow, UsageRow
from tests.ledger.reference import page

HOUR = T0 - T0 % HOUR_MS


def minute(number: int, **changes: Any) -> Report:
    """One minute of a node with one process, which uses the card more from minute to minute."""
    start = HOUR + number * MINUTE_MS
    span: dict[str, Any] = {"started_at_ms": start, "ended_at_ms": start + MINUTE_MS}
    process = UsageRecord(
        card="GPU-1", process=7, owner="k8s:a", workload="w", active=number * 1_000, memory=number, **span
    )
    values: dict[str, Any] = {
        **span,
        "node": "n",
        "cluster": "c",
        "boot_id": "b",
        "wall_ms": start + MINUTE_MS,
        "monotonic_ms": number * MINUTE_MS,
        "usage": (process,),
        "cards": (CardRecord(card="GPU-1", energy_mj=number, **span),),
    }
    return Report(**(values | changes))


def put(spool: Spool, reports: Sequence[Report]) -> None:
    spool.append([entry_of(each) for each in reports])


def kept(spool: Spool) -> list[Report]:
    return [unpack(decode(each.entry.body, PACKED)) for each in spool.read()]


def test_an_hour_of_minutes_becomes_its_four_quarters(tmp_path: Path) -> None:
    with Spool(tmp_path / "spool.db") as spool:
        put(spool, [minute(number) for number in range(60)])
        assert Merger(spool).make_room() == 56
        quarters = kept(spool)
    assert [(each.started_at_ms, each.ended_at_ms) for each in quarters] == [
        (HOUR + at * QUARTER_MS, HOUR + (at + 1) * QUARTER_MS) for at in range(4)
    ]
    for at, quarter in enumerate(quarters):
        (record,), (card,) = quarter.usage, quarter.cards
        total = sum(range(at * 15, at * 15 + 15))
        assert (record.active, record.memory, card.energy_mj) == (total * 1_000, total, total)
        assert record.ended_at_ms - record.started_at_ms == card.ended_at_ms - card.started_at_ms == QUARTER_MS


def test_nothing_is_merged_that_a_reader_has_taken(tmp_path: Path) -> None:
    """It may be with the broker already, and of two copies the ledger would take the higher rate."""
    path = tmp_path / "spool.db"
    with Spool(path) as spool, Spool(path) as reader:
        put(spool, [minute(number) for number in range(15)])
        taken = reader.take(limit=5)
        assert Merger(spool).make_room() == 9
        assert spool.read()[:5] == taken
        assert not spool.replace([1, 2], taken[0].entry)
    with Spool(path) as spool:
        assert Merger(spool).make_room() == 0, "it is remembered across a restart"


def test_what_differs_or_does_not_touch_stays_apart() -> None:
    start, middle, end = HOUR, HOUR + MINUTE_MS, HOUR + 2 * MINUTE_MS

    def record(started: int, ended: int, **changes: Any) -> UsageRecord:
        values: dict[str, Any] = {"card": "GPU-1", "process": 7, "owner": "k8s:a", "workload": "w"}
        return UsageRecord(started_at_ms=started, ended_at_ms=ended, **(values | changes))

    first = record(start, middle)
    for second in (
        record(middle, end, owner="k8s:b"),
        record(middle, end, share=500),
        record(middle, end, bridged=True),
        record(middle, end, active=0),
        record(middle, end, card="GPU-2"),
        record(middle + 1, end),
        record(middle - 1, end),
    ):
        merged = merge([minute(0, usage=(first,)), minute(1, usage=(second,))])
        assert sorted(merged.usage, key=repr) == sorted([first, second], key=repr)


def test_facts_of_all_reports_are_kept() -> None:
    fault = Fault(card="GPU-1", opened_at_ms=HOUR, reason="xid:79")
    process = Process(process=7, pid=1, start_ticks=2)
    early, late = (Attribution(process=7, owner=owner, workload="w") for owner in ("k8s:a", "k8s:b"))
    scan = Scan(at_ms=HOUR, cards=(ScannedCard(card="GPU-1", model="T4"),))
    merged = merge([
        minute(0, faults=(fault,), processes=(process,), attributions=(early,), scan=scan),
        minute(1, processes=(process,), attributions=(late,), ntp_synced=True),
    ])  # fmt: skip
    assert (merged.faults, merged.processes, merged.attributions) == ((fault,), (process,), (late,))
    assert (merged.scan, merged.wall_ms, merged.ntp_synced) == (scan, HOUR + 2 * MINUTE_MS, True)


def test_reports_that_cannot_be_one_are_not(tmp_path: Path) -> None:
    def sizes(name: str, *reports: Report) -> list[int]:
        with Spool(tmp_path / name) as spool:
            put(spool, reports)
            return [len(each) for each in groups(spool.read())]

    scan = Scan(at_ms=HOUR, cards=())
    assert sizes("scans", minute(0, scan=scan), minute(1), minute(2, scan=scan)) == [2, 1]
    assert sizes("boots", minute(0), minute(1, boot_id="b2"), minute(2, boot_id="b2")) == [1, 2]
    large = tuple(
        Process(process=number, pid=1, start_ticks=2, command="x" * 1_000) for number in range(BODY_BYTES_MAX // 2_000)
    )
    assert sizes("large", minute(0, processes=large), minute(1, processes=large), minute(2)) == [1, 2]


def test_a_long_spool_is_merged_part_by_part_and_looked_at_once(tmp_path: Path) -> None:
    minutes = 2 * AT_ONCE + 100
    with Spool(tmp_path / "spool.db") as spool:
        put(spool, [minute(number) for number in range(minutes)])
        merger = Merger(spool)
        while merger.make_room():
            pass
        assert spool.depth().reports == -(-minutes // 15) == minutes - merger.merged
        put(spool, [minute(minutes)])
        assert merger.make_room() == 1, "the last quarter goes on growing"


@st.composite
def busy_hours(draw: st.DrawFn) -> list[Report]:
    """An hour of minutes with processes that come, go, change their owner, are bridged and not always measured."""
    told = []
    for number in range(60):
        start = HOUR + number * MINUTE_MS
        usage = []
        for process in range(draw(st.integers(0, 3))):
            cut = draw(st.sampled_from([0, 0, 0, 10, 59])) * SECOND_MS
            length = MINUTE_MS - cut
            usage.append(
                UsageRecord(
                    card="GPU-1",
                    process=process,
                    owner=f"k8s:{draw(st.sampled_from('aab'))}",
                    workload=f"w{process}",
                    share=draw(st.sampled_from([1000, 1000, 460])),
                    started_at_ms=start + cut,
                    ended_at_ms=start + MINUTE_MS,
                    bridged=draw(st.sampled_from([False, False, True])),
                    active=draw(st.none() | st.integers(0, 1_000_000 * length)),
                    memory=draw(st.none() | st.integers(0, 2**40 * length)),
                )
            )
        state = draw(st.sampled_from([CardState.OBSERVED] * 5 + [CardState.NVML_FAILED]))
        card = CardRecord(card="GPU-1", started_at_ms=start, ended_at_ms=start + MINUTE_MS, state=state)
        told.append(minute(number, usage=tuple(usage), cards=(card,)))
    return told


def ledger(reports: Sequence[Report]) -> object:
    """The page of the hour, by the ledger's own definition, with a fault in the middle of a quarter."""
    usage = tuple(
        UsageRow(
            card=row.card,
            process=row.process,
            node="n",
            start_ms=row.started_at_ms,
            end_ms=row.ended_at_ms,
            claim=Claim(owner=row.owner, workload=row.workload, share=row.share),
            active=row.active,
            memory=row.memory,
            bridged=row.bridged,
        )
        for report in reports
        for row in report.usage
    )
    cards = tuple(
        CardRow(card=row.card, start_ms=row.started_at_ms, end_ms=row.ended_at_ms, state=row.state)
        for report in reports
        for row in report.cards
    )
    fault = FaultRow(card="GPU-1", opened_at_ms=HOUR + 20 * MINUTE_MS, closed_at_ms=HOUR + 25 * MINUTE_MS + 7)
    return page(Facts(cards=(Card(card="GPU-1"),), usage=usage, card_rows=cards, faults=(fault,)), "GPU-1", HOUR)


@settings(max_examples=15, deadline=None)
@given(told=busy_hours(), data=st.data())
def test_merging_changes_no_integer_of_the_ledger(told: list[Report], data: st.DataObject) -> None:
    """Whatever part of each quarter is merged, and also where what was merged is merged again."""
    expected = ledger(told)
    quarters: list[Report] = []
    for first in range(0, 60, 15):
        some = data.draw(st.integers(1, 15))
        part = [merge(told[first : first + some]), *told[first + some : first + 15]]
        quarters += [merge(part)] if data.draw(st.booleans()) else part
    assert ledger(quarters) == expected
