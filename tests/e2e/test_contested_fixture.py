"""Contested cards, counted by hand: whoever shares a card with whom, and however the time was cut.

Each case is a card of its own on 2 March 2026. Lengths are odd milliseconds, so that shares of a third or a seventh
leave remainders. The same usage is imported once as the long rows below and once cut at every minute; both must give
the integers written here, with their arithmetic (weights and floors as docs/concepts.md defines them: one floor for
each denominator, owner and quarter hour).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from cardhour_contract.interval import Interval, split
from cardhour_contract.moment import MINUTE_MS, format_rfc3339, parse_rfc3339
from cardhour_ingest.importer import import_csv
from cardhour_ingest.warehouse.client import Warehouse
from cardhour_ingest.warehouse.rollup import roll_up
from cardhour_ingest.warehouse.usage import balance, usage
from tests.services.engine import running_engine

HEADER = "owner,workload,card,model,process,started_at,ended_at,share,sm_util_percent,memory_bytes"

DAY = parse_rfc3339("2026-03-02T00:00:00Z"), parse_rfc3339("2026-03-03T00:00:00Z")


class Held(NamedTuple):
    """A long row. Times are of 2 March, UTC."""

    card: str
    owner: str
    start: str
    end: str
    share: str = ""
    workload: str = "w"
    percent: str = "10"


ROWS = [
    # Three undeclared tenants for 600 001 ms: denominator 3000. One of them with two workloads, which get it no more.
    *(Held("three", f"k8s:t{number}", "10:00:00.000", "10:10:00.001") for number in range(3)),
    Held("three", "k8s:t0", "10:00:00.000", "10:10:00.001", workload="w2"),
    # Seven, from 420 001 ms before a quarter hour to 420 002 ms after it: denominator 7000.
    *(Held("seven", f"k8s:t{number}", "10:07:59.999", "10:22:00.002") for number in range(7)),
    # Tenants that come one by one: denominators 1000, 2000 and 3000 in one quarter.
    Held("joining", "k8s:a", "10:00:00.000", "10:15:00.000"),
    Held("joining", "k8s:b", "10:05:00.000", "10:15:00.000"),
    Held("joining", "k8s:c", "10:10:00.001", "10:15:00.000"),
    # An owner's workloads add up to at most the card; half of one more: denominator 1500.
    Held("declared", "k8s:two", "10:00:00.000", "10:07:30.001", "0.7", "w1"),
    Held("declared", "k8s:two", "10:00:00.000", "10:07:30.001", "0.7", "w2"),
    Held("declared", "k8s:half", "10:00:00.000", "10:07:30.001", "0.5"),
    # Declared shares that fit need not be divided: denominator 1000.
    Held("fitting", "k8s:a", "10:00:00.000", "10:00:00.003", "0.46"),
    Held("fitting", "k8s:b", "10:00:00.000", "10:00:00.003", "0.25"),
    # A tenant, the system's own, and two unknowns that divide what the tenant leaves: 750 by 1000 : 400.
    Held("unknown", "k8s:a", "10:00:00.000", "10:10:00.001", "0.25"),
    Held("unknown", "system:dcgm", "10:00:00.000", "10:10:00.001"),
    Held("unknown", "unknown:exited", "10:00:00.000", "10:10:00.001"),
    Held("unknown", "unknown:no-cgroup", "10:00:00.000", "10:10:00.001", "0.4"),
    # An unknown gets no more than its own share, and nothing once tenants take all.
    Held("modest", "k8s:a", "10:00:00.000", "10:10:00.000", "0.25"),
    Held("modest", "unknown:exited", "10:00:00.000", "10:12:00.000", "0.3"),
    Held("modest", "k8s:b", "10:05:00.000", "10:10:00.000"),
    # The system alone: nobody pays.
    Held("system", "system:xorg", "10:00:00.000", "10:30:00.000"),
]

EXPECTED = {
    # 600 001 ms × 1000/3000 = 200 000 333.33… us
    ("three", "k8s:t0"): (600_001_000, 200_000_333),
    ("three", "k8s:t1"): (600_001_000, 200_000_333),
    ("three", "k8s:t2"): (600_001_000, 200_000_333),
    # 10:07:59.999 to 10:15: 420 001 ms / 7 = 60 000 142.86 us; to 10:22:00.002: 420 002 ms / 7 = 60 000 285.71 us;
    # floored for each quarter: 60 000 142 + 60 000 285 (uncut it would be 120 000 428)
    **{("seven", f"k8s:t{number}"): (840_003_000, 120_000_427) for number in range(7)},
    # alone 300 000 ms, then 300 001 ms / 2 = 150 000 500 us, then 299 999 ms / 3 = 99 999 666.67 us
    ("joining", "k8s:a"): (900_000_000, 300_000_000 + 150_000_500 + 99_999_666),
    ("joining", "k8s:b"): (600_000_000, 150_000_500 + 99_999_666),
    ("joining", "k8s:c"): (299_999_000, 99_999_666),
    # min(1, 0.7 + 0.7) = 1 against 0.5: 450 001 ms × 1000/1500 = 300 000 666.67 us, × 500/1500 = 150 000 333.33 us
    ("declared", "k8s:two"): (450_001_000, 300_000_666),
    ("declared", "k8s:half"): (450_001_000, 150_000_333),
    # 3 ms × 0.46 and × 0.25, exactly
    ("fitting", "k8s:a"): (3_000, 1_380),
    ("fitting", "k8s:b"): (3_000, 750),
    # 600 001 ms × 0.25 = 150 000 250 us; 600 001 ms × 0.75 = 450 000 750 us, of which
    # 1000/1400 = 321 429 107.14 us and 400/1400 = 128 571 642.86 us
    ("unknown", "k8s:a"): (600_001_000, 150_000_250),
    ("unknown", "system:dcgm"): (600_001_000, 0),
    ("unknown", "unknown:exited"): (600_001_000, 321_429_107),
    ("unknown", "unknown:no-cgroup"): (600_001_000, 128_571_642),
    # 300 s × 0.25 with 0.75 left over, of which the unknown takes its own 0.3: 90 s;
    # then 0.25 : 1 over 1250: 300 s × 1/5 and × 4/5, nothing left over; then the unknown alone: 120 s × 0.3
    ("modest", "k8s:a"): (600_000_000, 75_000_000 + 60_000_000),
    ("modest", "k8s:b"): (300_000_000, 240_000_000),
    ("modest", "unknown:exited"): (720_000_000, 90_000_000 + 36_000_000),
    ("system", "system:xorg"): (1_800_000_000, 0),
}
"""Card and owner → held_us, billable_us."""

BY_WORKLOAD = {
    # 200 000 333.33 us divided 1000 : 1000 is 100 000 166.67 us each; the 1 us that flooring left to the first by name
    ("three", "k8s:t0", "w"): 100_000_167,
    ("three", "k8s:t0", "w2"): 100_000_166,
    # 300 000 666.67 us divided 700 : 700 is 150 000 333.33 us each
    ("declared", "k8s:two", "w1"): 150_000_333,
    ("declared", "k8s:two", "w2"): 150_000_333,
}
"""Card, owner and workload → billable_us, of the owners with several workloads."""

KNOWN_US = 5_910_009_000
"""Time with rows: 600 001 + 840 003 + 900 000 + 450 001 + 3 + 600 001 + 720 000 + 1 800 000 ms, card by card."""

IDLE_US = 870 + 135_000_000 + 84_000_000 + 1_800_000_000
"""fitting: 3 ms × 0.29; modest: 300 s × 0.45, then 120 s × 0.7; system: all of it."""

ROUNDING_US = 1 + 6 + 5 + 2 + 1 + 1
"""What the floors dropped: three, seven (one for each quarter), joining, declared, unknown."""


def long_rows() -> list[str]:
    return [_line(row, _span(row)) for row in ROWS]


def minute_rows() -> list[str]:
    return [_line(row, part) for row in ROWS for part in split(_span(row), MINUTE_MS)]


def _span(row: Held) -> Interval:
    return Interval(*(parse_rfc3339(f"2026-03-02T{time}Z") for time in (row.start, row.end)))


def _line(row: Held, span: Interval) -> str:
    process = f"{row.owner}/{row.workload}"
    times = f"{format_rfc3339(span.start_ms)},{format_rfc3339(span.end_ms)}"
    return f"{row.owner},{row.workload},{row.card},H100,{process},{times},{row.share},{row.percent},1048576"


@pytest.fixture(scope="module", params=[long_rows, minute_rows], ids=["long rows", "cut into minutes"])
def warehouse(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warehouse]:
    folder = tmp_path_factory.mktemp("contested")
    path = folder / "usage.csv"
    path.write_text("\n".join([HEADER, *request.param(), ""]))
    with running_engine(folder) as engine:
        opened = engine.empty_warehouse()
        _import(opened, path)
        yield opened
        engine.drop(opened)


def _import(warehouse: Warehouse, path: Path) -> None:
    import_csv(warehouse, path)
    result = roll_up(warehouse)
    assert result.breached == result.sealed == 0


def test_owners_get_what_was_counted_by_hand(warehouse: Warehouse) -> None:
    found = {(row["card"], row["owner"]): row for row in usage(warehouse, *DAY, by=("card", "owner"))}
    assert {key: (row["held_us"], row["billable_us"]) for key, row in found.items()} == EXPECTED


def test_integrals_are_what_each_row_measured(warehouse: Warehouse) -> None:
    active: dict[tuple[str, str], int] = {}
    for row in ROWS:
        active[row.card, row.owner] = active.get((row.card, row.owner), 0) + _span(row).length_ms * 100  # 10 percent
    found: list[dict[str, Any]] = usage(warehouse, *DAY, by=("card", "owner"))
    assert {(row["card"], row["owner"]): row["active_us"] for row in found} == active


def test_an_owners_weight_is_divided_among_its_workloads(warehouse: Warehouse) -> None:
    rows = usage(warehouse, *DAY, by=("card", "owner", "workload"))
    found = {(row["card"], row["owner"], row["workload"]): row["billable_us"] for row in rows}
    assert BY_WORKLOAD.items() <= found.items()
    assert sum(found.values()) == sum(billable_us for _, billable_us in EXPECTED.values())


def test_every_microsecond_is_accounted_for(warehouse: Warehouse) -> None:
    whole = balance(warehouse, *DAY)
    billable_us = sum(billable_us for _, billable_us in EXPECTED.values())
    assert billable_us + IDLE_US + ROUNDING_US == KNOWN_US
    assert (whole.billable_us, whole.idle_us, whole.rounding_us) == (billable_us, IDLE_US, ROUNDING_US)
    assert whole.cards == 8
    assert (whole.faulted_us, whole.unobserved_us) == (0, 8 * 3_600_000_000 - KNOWN_US)
