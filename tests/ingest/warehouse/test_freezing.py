"""What invoices freeze is what each of their lines was given, however it is cut into runs, parts and rows."""

from __future__ import annotations

from itertools import pairwise
from random import Random

import pytest
from tests.ledger.facts import Card, Claim, Facts, UsageRow
from tests.ledger.store import put

from cardhour_contract.moment import DAY_MS, HOUR_MS, QUARTER_MS, floor_to, parse_rfc3339
from cardhour_ingest.warehouse import freezing
from cardhour_ingest.warehouse.client import Warehouse
from cardhour_ingest.warehouse.freezing import freeze, frozen_by_quarter, frozen_usage
from cardhour_ingest.warehouse.rollup import roll_up
from cardhour_ingest.warehouse.usage import BillableUsage, billable

FROM = parse_rfc3339("2026-03-01T16:00:00Z")
TO = FROM + 4 * DAY_MS
CUTS = range(FROM, TO, DAY_MS // 2)
OWNERS = [Claim(owner=f"k8s:{name}", workload="job") for name in "abc"]

Given = tuple[BillableUsage, str, int]


@pytest.fixture
def rows(warehouse: Warehouse) -> list[BillableUsage]:
    """Four days of three cards with gaps, held alone and together, by whole hours and by odd minutes."""
    chance = Random(7)
    usage: list[UsageRow] = []
    for card in ("GPU-0", "GPU-1", "GPU-2"):
        for hour in range(FROM, TO, HOUR_MS):
            for at, claim in enumerate(OWNERS):
                if chance.random() < (0.75, 0.15, 0.05)[at]:
                    start = hour if chance.random() < 0.8 else hour + chance.randrange(0, HOUR_MS // 2, 60_000)
                    usage += of_quarters(card, at, claim, start, hour + HOUR_MS)
    facts = Facts(usage=tuple(usage), cards=tuple(Card(card=card) for card in ("GPU-0", "GPU-1", "GPU-2")))
    put(warehouse, facts, list(range(FROM, TO, HOUR_MS)))
    roll_up(warehouse)
    return billable(warehouse, FROM, TO, CUTS)


def of_quarters(card: str, process: int, claim: Claim, start_ms: int, end_ms: int) -> list[UsageRow]:
    """Rows of raw usage, none of which crosses a quarter hour."""
    cuts = [start_ms, *range(floor_to(start_ms, QUARTER_MS) + QUARTER_MS, end_ms, QUARTER_MS), end_ms]
    return [
        UsageRow(card=card, process=process, node="n1", start_ms=start, end_ms=end, claim=claim)
        for start, end in pairwise(cuts)
    ]


def given(rows: list[BillableUsage], prefix: str = "") -> list[Given]:
    """A line for each day and owner, on one invoice for each owner; of each ninth row nothing is billed."""
    return [
        (row, prefix + row.owner, (row.segment_start_ms - FROM) // DAY_MS + 1) for at, row in enumerate(rows) if at % 9
    ]


def read(warehouse: Warehouse, lines: list[Given]) -> list[Given]:
    """What was frozen for ``lines``, as they were given."""
    return [
        (row, invoice, line)
        for invoice in sorted({invoice for _, invoice, _ in lines})
        for line, row in frozen_usage(warehouse, invoice, FROM, TO, CUTS)
    ]


def said(lines: list[Given]) -> set[tuple[object, ...]]:
    return {
        (row.owner, row.card, row.node, row.model, row.segment_start_ms, row.billable_us, invoice.split("/")[-1], line)
        for row, invoice, line in lines
    }


def test_each_line_has_the_usage_it_was_given_and_no_other(warehouse: Warehouse, rows: list[BillableUsage]) -> None:
    lines = given(rows)
    kept = freeze(warehouse, FROM, TO, CUTS, lines)
    assert len(lines) > 30
    assert said(read(warehouse, lines)) == said(lines)
    sums: dict[tuple[str, int], int] = {}
    for row, invoice, line in lines:
        sums[invoice, line] = sums.get((invoice, line), 0) + row.billable_us
    assert {(name, line): us for name, each in kept.items() for line, us in each.billable_us_by_line.items()} == sums


def test_runs_parts_and_order_do_not_show(
    warehouse: Warehouse, rows: list[BillableUsage], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same digest of the same quarters: at once, a day at a time, and from lines in any order."""
    whole = freeze(warehouse, FROM, TO, CUTS, given(rows, "whole/"))
    monkeypatch.setattr(freezing, "RUN_DAYS_MAX", 1)
    by_day = freeze(warehouse, FROM, TO, CUTS, given(rows, "by day/"))
    shuffled = given(rows, "shuffled/")
    Random(3).shuffle(shuffled)
    mixed = freeze(warehouse, FROM, TO, CUTS, shuffled)
    digests = [{name.split("/")[-1]: each for name, each in found.items()} for found in (whole, by_day, mixed)]
    assert digests[0] == digests[1] == digests[2]


def test_a_holders_day_is_one_row_and_freezing_again_adds_nothing(
    warehouse: Warehouse, rows: list[BillableUsage]
) -> None:
    lines = given(rows)
    first = freeze(warehouse, FROM, TO, CUTS, lines)
    count = "SELECT count() FROM billed_quarter"
    written = warehouse.value(count)
    days = {(row.owner, row.card, line) for row, _, line in lines}
    assert len(days) <= written <= 2 * len(days)  # where a row of the middle is not billed, the day is two runs
    assert freeze(warehouse, FROM, TO, CUTS, lines) == first
    warehouse.command("OPTIMIZE TABLE billed_quarter FINAL")
    assert warehouse.value(count) == written
    quarters = [row for _, row in frozen_by_quarter(warehouse, "k8s:a")]
    assert len({(row.card, row.segment_start_ms) for row in quarters}) == len(quarters)
    assert all(row.segment_start_ms % QUARTER_MS == 0 for row in quarters)
