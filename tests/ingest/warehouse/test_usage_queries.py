"""Questions to the ledger, on the real engine: groupings, local days, segments, frozen invoices, where time went."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.ledger.facts import Card, CardRow, Claim, Facts, UsageRow
from tests.ledger.store import put

from cardhour_contract.errors import Refuse
from cardhour_contract.moment import HOUR_MS, QUARTER_MS, QUARTER_US, parse_rfc3339
from cardhour_ingest.warehouse.client import Warehouse
from cardhour_ingest.warehouse.freezing import freeze, frozen, frozen_quarters, frozen_usage
from cardhour_ingest.warehouse.rollup import roll_up
from cardhour_ingest.warehouse.sums import STRETCHES_MAX, hours_summed
from cardhour_ingest.warehouse.usage import balance, billable, usage, usage_statement

GOLDEN = Path(__file__).parent / "golden"
NOON = parse_rfc3339("2026-03-01T12:00:00Z")
SHANGHAI_MIDNIGHT = parse_rfc3339("2026-03-01T16:00:00Z")
TEAM_A = Claim(owner="k8s:a", workload="train")
TEAM_B = Claim(owner="k8s:b", workload="serve")


def held(card: str, claim: Claim, start_ms: int, length_ms: int = QUARTER_MS, *, active: int | None = None) -> UsageRow:
    process = len(claim.owner) * 1000 + start_ms % 997
    return UsageRow(
        card=card,
        process=process,
        node="n1",
        start_ms=start_ms,
        end_ms=start_ms + length_ms,
        claim=claim,
        active=active,
    )


@pytest.fixture(scope="module")
def ledger(shared_warehouse: Warehouse) -> Warehouse:
    """Team a holds an H100 for the quarters before and after Shanghai's midnight, team b an L40S for a second."""
    return filled(shared_warehouse)


@pytest.fixture
def own_ledger(warehouse: Warehouse) -> Warehouse:
    """The same, for a test that changes it."""
    return filled(warehouse)


def filled(warehouse: Warehouse) -> Warehouse:
    facts = Facts(
        usage=(
            held("GPU-1", TEAM_A, SHANGHAI_MIDNIGHT - QUARTER_MS, active=QUARTER_MS * 500_000),
            held("GPU-1", TEAM_A, SHANGHAI_MIDNIGHT, active=QUARTER_MS * 250_000),
            held("GPU-2", TEAM_B, SHANGHAI_MIDNIGHT, 1_001),
        ),
        card_rows=(CardRow(card="GPU-2", start_ms=SHANGHAI_MIDNIGHT, end_ms=SHANGHAI_MIDNIGHT + QUARTER_MS),),
        cards=(Card(card="GPU-1"), Card(card="GPU-2", model="L40S")),
    )
    put(warehouse, facts, [SHANGHAI_MIDNIGHT - HOUR_MS, SHANGHAI_MIDNIGHT])
    roll_up(warehouse)
    return warehouse


FROM, TO = SHANGHAI_MIDNIGHT - HOUR_MS, SHANGHAI_MIDNIGHT + HOUR_MS


def test_usage_by_owner_and_model_is_exact_and_unmeasured_activity_is_not_zero(ledger: Warehouse) -> None:
    rows = usage(ledger, FROM, TO, by=("owner", "model"))
    assert [tuple(row.values()) for row in rows] == [
        ("k8s:a", "H100", 2 * QUARTER_US, 2 * QUARTER_US, 675_000_000),
        ("k8s:b", "L40S", 1_001_000, 1_001_000, None),
    ]


def test_usage_by_workload_names_it(ledger: Warehouse) -> None:
    rows = usage(ledger, FROM, TO, by=("workload",))
    assert [(row["workload"], row["held_us"]) for row in rows] == [("serve", 1_001_000), ("train", 2 * QUARTER_US)]


@pytest.mark.parametrize("by", [("owner", "model"), ("workload",)])
def test_usage_of_one_owner_is_what_a_list_of_all_says_of_it(ledger: Warehouse, by: tuple[str, ...]) -> None:
    alone = usage(ledger, FROM, TO, by=by, owners=("k8s:b", "k8s:nobody"))
    assert [row["held_us"] for row in alone] == [1_001_000]
    assert alone[0] in usage(ledger, FROM, TO, by=by)


def test_days_begin_where_the_timezone_says(ledger: Warehouse) -> None:
    in_utc = usage(ledger, FROM, TO, by=("day",))
    in_shanghai = usage(ledger, FROM, TO, by=("day", "card"), timezone="Asia/Shanghai")
    assert [(row["day"], row["held_us"]) for row in in_utc] == [("2026-03-01", 2 * QUARTER_US + 1_001_000)]
    assert [(row["day"], row["card"], row["held_us"]) for row in in_shanghai] == [
        ("2026-03-01", "GPU-1", QUARTER_US),
        ("2026-03-02", "GPU-1", QUARTER_US),
        ("2026-03-02", "GPU-2", 1_001_000),
    ]


def test_a_span_takes_the_quarters_inside_it_and_no_others(ledger: Warehouse) -> None:
    first = usage(ledger, SHANGHAI_MIDNIGHT - QUARTER_MS, SHANGHAI_MIDNIGHT, by=("owner",))
    assert [(row["owner"], row["held_us"]) for row in first] == [("k8s:a", QUARTER_US)]


def test_a_span_off_the_quarter_hour_is_refused_with_the_nearest_ones(ledger: Warehouse) -> None:
    with pytest.raises(
        Refuse, match=r"--from 2026-03-01T12:00:00\.001Z .* 2026-03-01T12:00:00Z or 2026-03-01T12:15:00Z"
    ):
        usage(ledger, NOON + 1, TO)
    with pytest.raises(Refuse, match="--to 2026-03-01T12:00:00Z is not after --from 2026-03-01T12:00:00Z"):
        usage(ledger, NOON, NOON)


def test_an_unknown_grouping_or_zone_is_refused_with_what_there_is(ledger: Warehouse) -> None:
    with pytest.raises(Refuse, match="cannot be grouped by 'colour': use any of owner, model"):
        usage(ledger, FROM, TO, by=("colour",))
    with pytest.raises(Refuse, match="'Mars/Olympus' is not a time zone"):
        usage(ledger, FROM, TO, by=("day",), timezone="Mars/Olympus")


def test_billable_usage_is_cut_where_a_price_changes(ledger: Warehouse) -> None:
    rows = billable(ledger, FROM, TO, [SHANGHAI_MIDNIGHT, TO + HOUR_MS])
    assert [(row.owner, row.segment_start_ms, row.billable_us) for row in rows] == [
        ("k8s:a", FROM, QUARTER_US),
        ("k8s:a", SHANGHAI_MIDNIGHT, QUARTER_US),
        ("k8s:b", SHANGHAI_MIDNIGHT, 1_001_000),
    ]


def test_what_an_invoice_froze_stays_when_the_ledger_moves_on(own_ledger: Warehouse) -> None:
    cuts = [SHANGHAI_MIDNIGHT]
    rows = billable(own_ledger, FROM, TO, cuts)
    lines = [(row, "attempt-1", line) for line, row in enumerate(rows, start=1)]
    issued = freeze(own_ledger, FROM, TO, cuts, lines)["attempt-1"]
    assert issued.billable_us_by_line == {1: QUARTER_US, 2: QUARTER_US, 3: 1_001_000}

    late = Facts(usage=(held("GPU-1", TEAM_B, SHANGHAI_MIDNIGHT),), cards=(Card(card="GPU-1"),))
    put(own_ledger, late, [SHANGHAI_MIDNIGHT])
    roll_up(own_ledger)

    assert frozen(own_ledger, "attempt-1") == issued
    again = freeze(own_ledger, FROM, TO, cuts, [(row, "attempt-2", line) for row, _, line in lines])
    assert again["attempt-2"].digest != issued.digest
    assert {line: row.billable_us for line, row in frozen_usage(own_ledger, "attempt-1", FROM, TO, cuts)} == {
        line: row.billable_us for row, _, line in lines
    }


def test_invoices_frozen_together_are_as_if_frozen_alone(own_ledger: Warehouse) -> None:
    cuts = [SHANGHAI_MIDNIGHT]
    rows = billable(own_ledger, FROM, TO, cuts)
    split = [(row, "a" if row.owner == TEAM_A.owner else "b", 1) for row in rows]
    together = freeze(own_ledger, FROM, TO, cuts, split)
    alone = freeze(own_ledger, FROM, TO, cuts, [(row, "b alone", 1) for row, name, _ in split if name == "b"])
    assert {name: each.billable_us_by_line for name, each in together.items()} == {
        "a": {1: 2 * QUARTER_US},
        "b": {1: 1_001_000},
    }
    assert together["b"].digest == alone["b alone"].digest
    assert frozen(own_ledger, "never").billable_us_by_line == {}


def test_frozen_quarters_are_found_by_line_card_and_time(own_ledger: Warehouse) -> None:
    rows = billable(own_ledger, FROM, TO)
    freeze(own_ledger, FROM, TO, [], [(row, "one", 1) for row in rows])
    found = frozen_quarters(own_ledger, "one", 1, "GPU-1", FROM, SHANGHAI_MIDNIGHT)
    assert [(each.start_ms, each.owner, each.billable_us) for each in found] == [
        (SHANGHAI_MIDNIGHT - QUARTER_MS, "k8s:a", QUARTER_US)
    ]
    assert frozen_quarters(own_ledger, "one", 2, "GPU-1", FROM, TO) == []


def test_a_balance_accounts_for_every_microsecond(ledger: Warehouse) -> None:
    watched = balance(ledger, FROM, TO)
    assert watched.billable_us == 2 * QUARTER_US + 1_001_000
    assert watched.idle_us == QUARTER_US - 1_001_000
    assert watched.span_us == watched.cards * 2 * 4 * QUARTER_US


@pytest.mark.parametrize("by", [("owner",), ("day", "model"), ("owner", "workload")], ids="_".join)
def test_the_statement_is_the_one_that_was_reviewed(by: tuple[str, ...]) -> None:
    golden = GOLDEN / f"usage_{'_'.join(by)}.sql"
    assert usage_statement(by) == golden.read_text(encoding="utf-8")


def test_one_owner_is_looked_for_by_the_reviewed_statement() -> None:
    golden = GOLDEN / "usage_of_one_owner.sql"
    assert usage_statement(("owner",), owners=1) == golden.read_text(encoding="utf-8")


def test_sums_are_asked_by_the_reviewed_statement() -> None:
    """Hours 0, 1 and 5 of those asked for come from sums, the others from pages."""
    golden = GOLDEN / "usage_from_sums.sql"
    summed = {480_000: 4, 480_001: 2, 480_005: 2}
    assert usage_statement(("owner", "model"), owners=1, summed=summed) == golden.read_text(encoding="utf-8")


def test_a_long_history_in_shreds_is_asked_in_bounded_statements(own_ledger: Warehouse) -> None:
    """Every other hour has sums: the longest stretches of them are used, as many as the statement may have."""
    hours = [FROM // HOUR_MS - 400 + 2 * number for number in range(150)]
    hours += [FROM // HOUR_MS - before for before in (3, 2, 1, 0)]
    own_ledger.command(
        "INSERT INTO page_write (hour, writing, done) SELECT arrayJoin({hours:Array(UInt32)}), 1, 1", hours=hours
    )
    own_ledger.command(
        "INSERT INTO hour_summed SELECT hour, uniqExact(writing, done) FROM page_write"
        " WHERE hour < {first:UInt32} GROUP BY hour",
        first=FROM // HOUR_MS,
    )
    summed = hours_summed(own_ledger, hours[0], TO // HOUR_MS)
    assert len(summed) == STRETCHES_MAX + 2
    assert FROM // HOUR_MS - 2 in summed, "the longest stretch"
    assert FROM // HOUR_MS not in summed, "words without sums"
    everything = usage(own_ledger, FROM - 500 * HOUR_MS, TO, by=("owner",))
    assert everything == usage(own_ledger, FROM, TO, by=("owner",))


@pytest.mark.parametrize("others", [0, 1, 8], ids=lambda others: f"{others + 1}_owners")
@pytest.mark.parametrize("by", [("owner",), ("owner", "workload")], ids="_".join)
def test_usage_of_some_owners_is_that_part_of_the_usage_of_all(
    by: tuple[str, ...], others: int, ledger: Warehouse
) -> None:
    """However many owners a customer has, and however the statement looks for them."""
    asked = ("k8s:b", *(f"k8s:nobody-{number}" for number in range(others)))
    everyone = usage(ledger, FROM, TO, by=by)
    assert [each["owner"] for each in everyone] == ["k8s:a", "k8s:b"]
    assert usage(ledger, FROM, TO, by=by, owners=asked) == everyone[1:]
