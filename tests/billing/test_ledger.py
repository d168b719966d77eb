"""The ledger in memory and the one in ClickHouse answer alike, so that what the close tests show holds for both."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from cardhour_billing.models import Invoice
from cardhour_billing.rating.rated import UsageSum
from cardhour_billing.usage.ledger import Ledger, WarehouseLedger
from cardhour_contract.moment import CARD_HOUR_US, QUARTER_MS, QUARTER_US, format_rfc3339, parse_rfc3339
from cardhour_ingest.importer import import_csv
from cardhour_ingest.warehouse.client import Warehouse
from tests.billing.books import ACME, ISSUER, PRICE, apply, close
from tests.billing.conftest import Store
from tests.billing.memory_ledger import Held, MemoryLedger

FROM_MS, TO_MS = parse_rfc3339("2026-01-01T00:00:00Z"), parse_rfc3339("2026-02-01T00:00:00Z")
CUTS_MS = (parse_rfc3339("2026-01-05T04:15:00Z"), parse_rfc3339("2026-01-20T00:00:00Z"))

HELD: list[Held] = [
    (owner, "", node, card, "T4", parse_rfc3339(from_), parse_rfc3339(to))
    for owner, node, card, from_, to in (
        ("k8s:acme", "n1", "GPU-0", "2025-12-31T22:00:00Z", "2026-01-01T01:00:00Z"),
        ("k8s:acme", "n1", "GPU-0", "2026-01-05T00:00:00Z", "2026-01-05T10:00:00Z"),
        ("k8s:acme", "n2", "GPU-1", "2026-01-19T23:59:59.999Z", "2026-01-20T00:00:00.001Z"),
        ("k8s:beta", "n2", "GPU-1", "2026-01-31T23:00:00Z", "2026-02-01T01:00:00Z"),
    )
]

Make = Callable[[list[Held]], Ledger]


@pytest.fixture(params=["memory", "warehouse"])
def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> Make:
    """Makes a ledger out of what was held."""

    def in_memory(held: list[Held]) -> Ledger:
        ledger = MemoryLedger()
        ledger.held = list(held)
        return ledger

    def in_warehouse(held: list[Held]) -> Ledger:
        warehouse: Warehouse = request.getfixturevalue("warehouse")
        path = tmp_path / "usage.csv"
        rows = [
            f"{owner},,{node},{card},{model},,{format_rfc3339(start_ms)},{format_rfc3339(end_ms)},,,"
            for owner, _, node, card, model, start_ms, end_ms in held
        ]
        header = "owner,workload,node,card,model,process,started_at,ended_at,share,sm_util_percent,memory_bytes"
        path.write_text("\n".join([header, *rows, ""]))
        import_csv(warehouse, path)
        return WarehouseLedger(warehouse)

    return in_memory if request.param == "memory" else in_warehouse


def test_sums_are_cut_where_asked_and_clipped_to_the_span(ledger: Make) -> None:
    opened = ledger(HELD)
    opened.settle()
    sums = {
        (row.owner, row.card, format_rfc3339(row.segment_start_ms)): row.billable_us
        for row in opened.billable(FROM_MS, TO_MS, CUTS_MS)
    }
    assert sums == {
        ("k8s:acme", "GPU-0", "2026-01-01T00:00:00Z"): CARD_HOUR_US + CARD_HOUR_US * 17 // 4,
        ("k8s:acme", "GPU-0", "2026-01-05T04:15:00Z"): CARD_HOUR_US * 23 // 4,
        ("k8s:acme", "GPU-1", "2026-01-05T04:15:00Z"): 1_000,
        ("k8s:acme", "GPU-1", "2026-01-20T00:00:00Z"): 1_000,
        ("k8s:beta", "GPU-1", "2026-01-20T00:00:00Z"): CARD_HOUR_US,
    }


def test_quarters_of_some_owners_on_some_models_sum_to_what_there_is_to_bill(ledger: Make) -> None:
    other = ("k8s:acme", "", "n3", "GPU-7", "H100", FROM_MS, FROM_MS + 3_600_000)
    opened = ledger([*HELD, other])
    opened.settle()
    found = list(opened.billable_quarters(FROM_MS, TO_MS, models=["T4"], owners=["k8s:acme"]))
    assert sum(row.billable_us for row in found) == 11 * CARD_HOUR_US + 2_000
    assert len(found) == 46
    assert all(row.billable_us <= QUARTER_US and row.segment_start_ms % QUARTER_MS == 0 for row in found)


def test_the_time_of_every_card_is_told(ledger: Make) -> None:
    opened = ledger(HELD)
    opened.settle()
    times = {each.card: each for each in opened.card_times(FROM_MS, TO_MS, TO_MS)}
    assert {card: (each.billable_us, each.faulted_us) for card, each in times.items()} == {
        "GPU-0": (11 * CARD_HOUR_US, 0), "GPU-1": (CARD_HOUR_US + 2_000, 0),
    }  # fmt: skip
    assert all(each.terms_us == each.span_us == 31 * 24 * CARD_HOUR_US for each in times.values())


def test_freezing_keeps_exactly_what_each_line_bills(ledger: Make) -> None:
    opened = ledger(HELD)
    opened.settle()
    rows = [row for row in opened.billable(FROM_MS, TO_MS, CUTS_MS) if row.owner == "k8s:acme"]

    def lines(document: str) -> list[tuple[UsageSum, str, int]]:
        return [(row, document, 1 if row.card == "GPU-0" else 2) for row in rows]

    frozen = opened.freeze(FROM_MS, TO_MS, CUTS_MS, lines("one"))["one"]
    assert dict(frozen.quantity_us) == {1: 11 * CARD_HOUR_US, 2: 2_000}
    assert len(frozen.digest) == 64
    again = opened.freeze(FROM_MS, TO_MS, CUTS_MS, lines("two"))["two"]
    assert again.digest == frozen.digest
    assert opened.frozen("one") == frozen
    sums = {1: 0, 2: 0}
    for line, usage in opened.frozen_usage("one", FROM_MS, TO_MS, CUTS_MS):
        sums[line] += usage.billable_us
    assert sums == {1: 11 * CARD_HOUR_US, 2: 2_000}
    at_ms = parse_rfc3339("2026-01-20T00:00:00Z")
    (quarter,) = opened.frozen_quarters("one", 2, "GPU-1", at_ms, TO_MS)
    assert (quarter.start_ms, quarter.owner, quarter.node, quarter.billable_us) == (at_ms, "k8s:acme", "n2", 1_000)


def test_all_is_well_where_every_page_adds_up(ledger: Make) -> None:
    opened = ledger(HELD)
    opened.settle()
    coverage = opened.coverage(FROM_MS, TO_MS)
    assert (coverage.cards, coverage.dead_letters, coverage.breached_pages) == (2, 0, 0)


def test_pages_that_do_not_add_up_and_unread_messages_are_counted(warehouse: Warehouse) -> None:
    hour = FROM_MS // 3_600_000
    warehouse.command(
        "INSERT INTO ledger_breach (hour, card, version, quarter, sum_us, page) VALUES"
        f" ({hour}, 'GPU-0', now64(6, 'UTC'), 0, 1, ''), ({hour}, 'GPU-0', now64(6, 'UTC'), 1, 1, ''),"
        f" ({hour - 1}, 'GPU-0', now64(6, 'UTC'), 0, 1, '')"
    )
    warehouse.command(
        "INSERT INTO dead_letter (letter, received_at, reason) VALUES"
        " (1, now64(3, 'UTC'), 'x'), (1, now64(3, 'UTC'), 'x')"
    )
    coverage = WarehouseLedger(warehouse).coverage(FROM_MS, TO_MS)
    assert (coverage.dead_letters, coverage.breached_pages) == (1, 1)


def test_a_month_is_issued_out_of_either(store: Store, ledger: Make) -> None:
    apply(store.home, ISSUER + ACME + PRICE)
    report = close(ledger(HELD), "2026-01", "2026-02-10T00:00:00Z", issue=True)
    (closed,) = report.invoices
    assert (closed.document.total, closed.document.lines[0].quantity_us) == ("17.78", 11 * CARD_HOUR_US + 2_000)
    assert [(each.owner, each.quantity_us) for each in report.unassigned] == [("k8s:beta", CARD_HOUR_US)]
    assert Invoice.objects.get().state == Invoice.State.ISSUED
