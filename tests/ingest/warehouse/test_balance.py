"""Every card's time, decomposed: known microseconds of each term at once, and nothing left over anywhere."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa
import pytest
from tests.ingest.warehouse.test_homes import listed
from tests.ledger.facts import Claim, Facts, UsageRow
from tests.ledger.store import put

from cardhour_contract.moment import DAY_MS, HOUR_MS, MINUTE_MS, MS_US, QUARTER_MS
from cardhour_contract.record import Basis, CardState
from cardhour_ingest.warehouse.balance import By, CardTime, Unobserved, decompose, summed, unobserved
from cardhour_ingest.warehouse.client import Warehouse
from cardhour_ingest.warehouse.retirement import Word, retire
from cardhour_ingest.warehouse.rollup import roll_up

START = 480_000 * HOUR_MS
END = START + 4 * HOUR_MS
HOUR_US = HOUR_MS * MS_US
MINUTE_US = MINUTE_MS * MS_US
SECOND_US = 1_000_000


def minutes(count: int) -> int:
    return START + count * MINUTE_MS


def card(warehouse: Warehouse, name: str, node: str, first_ms: int, last_ms: int, *, parent: str = "") -> None:
    row = {
        "card": name, "scanned": 1, "node": node, "cluster": "main", "model": "MIG" if parent else "H100",
        "parent": parent, "memory_bytes": 0, "first_seen_ms": first_ms, "last_seen_ms": last_ms,
    }  # fmt: skip
    warehouse.insert("card", pa.Table.from_pylist([row]))


def watched(
    warehouse: Warehouse, name: str, node: str, from_minute: int, to_minute: int, state: CardState = CardState.OBSERVED
) -> None:
    """Card records of a span, cut at quarter hours as ingest cuts them."""
    rows = [
        {"hour": s // HOUR_MS, "card": name, "start_ms": s, "batch": s, "end_ms": e, "node": node, "state": int(state)}
        for s, e in quarters(minutes(from_minute), minutes(to_minute))
    ]
    warehouse.insert("card_record", pa.Table.from_pylist(rows).append_column("received_at", now(len(rows))))


def now(count: int) -> pa.Array:
    return pa.array([END] * count, pa.timestamp("ms", "UTC"))


def quarters(from_ms: int, to_ms: int) -> Iterator[tuple[int, int]]:
    for start_ms in range(from_ms - from_ms % QUARTER_MS, to_ms, QUARTER_MS):
        yield max(from_ms, start_ms), min(to_ms, start_ms + QUARTER_MS)


def held(name: str, node: str, owner: str, start_ms: int, end_ms: int, basis: Basis = Basis.PROCESS) -> UsageRow:
    claim = Claim(owner=owner, workload="w")
    process = sum(map(ord, owner + name))
    return UsageRow(card=name, process=process, node=node, start_ms=start_ms, end_ms=end_ms, claim=claim, basis=basis)


def alive(warehouse: Warehouse, node: str, at_ms: int) -> None:
    """The node reported at that time."""
    warehouse.insert("node", pa.Table.from_pylist([{"node": node, "cluster": "main", "seen_at_ms": at_ms}]))


def fault(warehouse: Warehouse, name: str, from_minute: int, to_minute: int) -> None:
    row = {"card": name, "opened_at_ms": minutes(from_minute), "closed_at_ms": minutes(to_minute), "reason": "xid:79"}
    table = pa.Table.from_pylist([row | {"node": "n1", "batch": from_minute}])
    warehouse.insert("fault", table.append_column("received_at", now(1)))


@pytest.fixture(scope="module")
def fleet(shared_warehouse: Warehouse) -> Warehouse:
    return planted(shared_warehouse)


def planted(warehouse: Warehouse) -> Warehouse:
    """Four hours: a shared card, a MIG instance and its GPU, a card that moved, one retired, one new, one imported."""
    card(warehouse, "GPU-S", "n1", START, END)
    watched(warehouse, "GPU-S", "n1", 0, 120)
    watched(warehouse, "GPU-S", "n1", 120, 135, CardState.NVML_FAILED)
    watched(warehouse, "GPU-S", "n1", 135, 210)
    fault(warehouse, "GPU-S", 60, 70)

    card(warehouse, "GPU-P", "n1", START, END)
    watched(warehouse, "GPU-P", "n1", 0, 240, CardState.MIG_PARENT)
    card(warehouse, "MIG-1", "n1", START, END, parent="GPU-P")
    watched(warehouse, "MIG-1", "n1", 0, 240)
    fault(warehouse, "GPU-P", 120, 125)

    for node, at_minute, names in (
        ("n1", 0, ["GPU-M"]),
        ("n1", 90, ["GPU-M"]),
        ("n1", 120, []),
        ("n2", 105, ["GPU-M"]),
    ):
        listed(warehouse, node, minutes(at_minute), *names)
    card(warehouse, "GPU-M", "n2", minutes(105), END)
    watched(warehouse, "GPU-M", "n1", 0, 90)
    watched(warehouse, "GPU-M", "n2", 105, 240)

    # Missed by its node for thirty days at 02:00; and one whose node is dead, which staff gave up from 01:00 on.
    listed(warehouse, "n2", START - 60 * DAY_MS, "GPU-R")
    listed(warehouse, "n2", minutes(120) - 30 * DAY_MS)
    listed(warehouse, "n2", minutes(180), "GPU-M")
    alive(warehouse, "n2", END)
    listed(warehouse, "n3", START - DAY_MS, "GPU-Q")
    retire(warehouse, Word(card="GPU-Q", from_ms=minutes(60), reason="burnt", who="lin"))

    card(warehouse, "GPU-N", "n1", minutes(80), END)
    watched(warehouse, "GPU-N", "n1", 80, 240)

    imported = {"card": "I-1", "scanned": 0, "node": "files", "model": "T4"}
    imported |= {"first_seen_ms": minutes(60), "last_seen_ms": minutes(70)}
    warehouse.insert("card", pa.Table.from_pylist([imported]))

    rows = (
        *(held("GPU-S", "n1", f"k8s:{team}", START, START + 1_000) for team in "abc"),
        held("MIG-1", "n1", "k8s:a", START, minutes(15)),
        held("GPU-M", "n1", "k8s:a", minutes(15), minutes(30)),
        held("GPU-M", "n2", "k8s:b", minutes(180), minutes(195)),
        held("I-1", "files", "k8s:c", minutes(60), minutes(70), Basis.IMPORTED),
    )
    put(warehouse, Facts(cards=(), usage=rows), [])
    marks = [("n1", at) for at in range(4)] + [("n2", at) for at in range(1, 4)] + [("files", 1)]
    marks += [("n3", at) for at in range(4)]
    for key, (node, at) in enumerate(marks):
        row = {"hour": START // HOUR_MS + at, "node": node, "mark": key, "done": 0}
        warehouse.insert("dirty_hour", pa.Table.from_pylist([row]))
    assert roll_up(warehouse).breached == 0
    return warehouse


PLANTED = [
    # Three teams for one second, of which a microsecond cannot be divided; ten minutes out of order; a quarter in which
    # NVML failed; and nothing from its last half hour.
    CardTime(
        card="GPU-S", node="n1", model="H100", span_us=14_400_000_000, billable_us=999_999, rounding_us=1,
        faulted_us=600_000_000, unobserved_us=2_700_000_000, idle_us=11_099_000_000,
    ),
    CardTime(
        card="GPU-P", node="n1", model="H100", span_us=14_400_000_000, faulted_us=300_000_000,
        unobserved_us=14_100_000_000,
    ),
    # Its GPU's fault is its own.
    CardTime(
        card="MIG-1", node="n1", model="MIG", span_us=14_400_000_000, billable_us=900_000_000, faulted_us=300_000_000,
        idle_us=13_200_000_000,
    ),
    # At home on n1 until 01:45, when n2 first listed it; the hour from 01:00 is n1's.
    CardTime(
        card="GPU-M", node="n1", model="H100", span_us=7_200_000_000, billable_us=900_000_000,
        unobserved_us=900_000_000, idle_us=5_400_000_000,
    ),
    CardTime(
        card="GPU-M", node="n2", model="H100", span_us=7_200_000_000, billable_us=900_000_000, idle_us=6_300_000_000,
    ),
    # Retired at 02:00, thirty days after the first scan without it; the second at 01:00, by staff.
    CardTime(card="GPU-Q", node="n3", model="H100", span_us=3_600_000_000, unobserved_us=3_600_000_000),
    CardTime(card="GPU-R", node="n2", model="H100", span_us=7_200_000_000, unobserved_us=7_200_000_000),
    # First seen at 01:20: its time counts from that hour on.
    CardTime(
        card="GPU-N", node="n1", model="H100", span_us=10_800_000_000, unobserved_us=1_200_000_000,
        idle_us=9_600_000_000,
    ),
    CardTime(
        card="I-1", node="files", model="T4", span_us=14_400_000_000, billable_us=600_000_000,
        unobserved_us=13_800_000_000,
    ),
]  # fmt: skip


def test_every_term_of_every_card_is_what_was_planted(fleet: Warehouse) -> None:
    found = decompose(fleet, START, END, END)
    assert {(each.card, each.node): each for each in found} == {(each.card, each.node): each for each in PLANTED}
    assert len(found) == len(PLANTED)


def test_unobserved_time_says_since_when_on_which_node_and_why(fleet: Warehouse) -> None:
    found = unobserved(fleet, START, END, END)
    stretches = [
        ("GPU-M", "n1", "silent", 90, 105, 15 * MINUTE_US),
        ("GPU-N", "n1", "silent", 60, 90, 20 * MINUTE_US),
        ("GPU-P", "n1", "mig_parent", 0, 240, 235 * MINUTE_US),
        ("GPU-Q", "n3", "silent", 0, 60, HOUR_US),
        ("GPU-R", "n2", "not_rolled_up", 0, 60, HOUR_US),
        ("GPU-R", "n2", "silent", 60, 120, HOUR_US),
        ("GPU-S", "n1", "nvml_failed", 120, 135, 15 * MINUTE_US),
        ("GPU-S", "n1", "silent", 210, 240, 30 * MINUTE_US),
        ("I-1", "files", "imported", 0, 240, 230 * MINUTE_US),
    ]
    assert [
        (each.card, each.node, each.reason, each.since_ms, each.until_ms, each.unobserved_us) for each in found
    ] == [(name, node, why, minutes(since), minutes(until), us) for name, node, why, since, until, us in stretches]


@pytest.mark.parametrize(
    ("from_minute", "to_minute"), [(0, 240), (15, 60), (45, 75), (60, 135), (90, 105), (-600, 900), (225, 240)]
)
def test_the_terms_add_up_to_the_span_whatever_is_asked(fleet: Warehouse, from_minute: int, to_minute: int) -> None:
    span = minutes(from_minute), minutes(to_minute)
    found = decompose(fleet, *span, END)
    assert found
    assert [each.terms_us for each in found] == [each.span_us for each in found]
    stretches: list[Unobserved] = unobserved(fleet, *span, END)
    by_card = {each.card: each.unobserved_us for each in summed(found, By.CARD) if each.unobserved_us}
    listed_us: dict[str, int] = {}
    for each in stretches:
        listed_us[each.card] = listed_us.get(each.card, 0) + each.unobserved_us
    assert listed_us == by_card


def test_a_balance_by_node_or_model_is_the_sum_of_its_cards(fleet: Warehouse) -> None:
    found = decompose(fleet, START, END, END)
    by_node = {each.node: each.span_us for each in summed(found, By.NODE)}
    assert by_node == {"files": 4 * HOUR_US, "n1": 17 * HOUR_US, "n2": 4 * HOUR_US, "n3": HOUR_US}
    by_model = {each.model: (each.billable_us, each.card, each.node) for each in summed(found, By.MODEL)}
    assert by_model == {
        "H100": (1_800_000_000 + SECOND_US - 1, "", ""),
        "MIG": (900_000_000, "", ""),
        "T4": (600_000_000, "", ""),
    }


def test_hours_to_come_are_nobodys(fleet: Warehouse) -> None:
    found = decompose(fleet, END, END + DAY_MS, END + HOUR_MS + 1)
    assert {each.span_us for each in found} == {2 * HOUR_US}, "the hour that has begun counts, those after it do not"
    assert {each.card for each in found} == {"GPU-S", "GPU-P", "MIG-1", "GPU-M", "GPU-N", "I-1"}
