"""The comparison can fail: each wrong ledger below, a small change to one statement of the rollup, is caught by it.

A mutant replaces text in a statement as it is loaded, by patching the rollup's loader; the shipped code knows nothing
of it. A snippet that is no longer in its statement fails the test, so that a mutant cannot turn into no change.

The right rollup has run before, whole, and its pages are the reference's. A mutant makes again only the tables that
rest on its statement: where its pages are others, the comparison with the reference finds it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import pytest
from hypothesis import given, settings

from cardhour_ingest.warehouse import retirement
from cardhour_ingest.warehouse.client import Warehouse
from cardhour_ingest.warehouse.homes import settle_homes
from cardhour_ingest.warehouse.retirement import FOREVER, Retired, retirements, settle_retirements
from cardhour_ingest.warehouse.rollup import PAIRS_MAX, roll_up, run
from cardhour_ingest.warehouse.rollup.run import STEPS, Run
from cardhour_ingest.warehouse.sql import sql
from tests.ledger.cases import SELDOM
from tests.ledger.facts import Facts, relabelled, together
from tests.ledger.fleet import HOURS_MS, PATIENT, fleets
from tests.ledger.rerun import Rerun, pages_of
from tests.ledger.store import Stored, clear, expected, mark, put, read


class Mutant(NamedTuple):
    """A wrong idea of the ledger, as one replacement in one statement."""

    idea: str
    statement: str
    right: str
    wrong: str


MUTANTS = (
    Mutant(
        "floor_every_segment", "amount", "sum(length_ms * num) * 1000", "sum(intDiv(length_ms * num * 1000, den) * den)"
    ),
    Mutant("contested_cards_billed_twice", "amount", "greatest(1000::UInt64, tenants)", "1000::UInt64"),
    Mutant("uncontested_shares_stretched_to_the_card", "amount", "greatest(1000::UInt64, tenants)", "tenants"),
    Mutant("unknown_takes_from_tenants", "amount", "unknowns <= spare, 1000::UInt64", "1, 1000::UInt64"),
    Mutant("faulted_time_billed", "amount", "(faulted OR o.1 = 2, 0::UInt64", "(o.1 = 2, 0::UInt64"),
    Mutant(
        "workloads_of_equal_weight",
        "amount",
        "length_ms * num * w.3",
        "length_ms * num * intDiv(total, length(workloads))",
    ),
    Mutant("shares_of_processes_added", "instant", "max(c.6) AS share", "sum(c.6) AS share"),
    Mutant("shares_of_workloads_not_added", "instant", "least(1000, sum(share))", "least(1000, max(share))"),
    Mutant("owners_above_the_card", "instant", "least(1000, sum(share))", "sum(share)"),
    Mutant(
        "unknown_dropped",
        "instant",
        "p.basis = 2 OR p.basis = k.basis",
        "kind != 1 AND (p.basis = 2 OR p.basis = k.basis)",
    ),
    Mutant("system_competes", "instant", "startsWith(owner, 'system:'), 2", "startsWith(owner, 'system:'), 0"),
    Mutant("imports_only_on_their_basis", "instant", "p.basis = 2 OR p.basis = k.basis", "p.basis = k.basis"),
    Mutant("other_basis_bills", "instant", "p.basis = 2 OR p.basis = k.basis", "1"),
    Mutant(
        "one_bridged_process_bridges_the_owner",
        "instant",
        "min(bridged) AS owner_bridged",
        "max(bridged) AS owner_bridged",
    ),
    Mutant("owner_under_the_last_node", "instant", "min(node) AS owner_node", "max(node) AS owner_node"),
    Mutant("repeats_counted", "instant", "height > 0", "height = 1"),
    Mutant(
        "idle_as_remainder",
        "page",
        "s.idle_us, s.faulted_us, d.rounding_us",
        "s.idle_us + d.rounding_us, s.faulted_us, 0",
    ),
    Mutant("held_but_unbilled_is_not_idle", "page", "spare - unknowns, 0)", "0, 0)"),
    Mutant("remainder_to_the_last_workload", "page", "minIf((workload_name", "maxIf((workload_name"),
    Mutant("remainder_to_one_that_holds_nothing", "page", "is_owner = 0 AND held_us > 0", "is_owner = 0"),
    Mutant(
        "unknown_claim_wins",
        "piece",
        "(NOT startsWith(owner, 'unknown:'), owner",
        "(startsWith(owner, 'unknown:'), owner",
    ),
    Mutant("lower_rate_of_activity", "piece", "r.5, over))[-1] AS a", "r.5, over))[1] AS a"),
    Mutant("lower_rate_of_memory", "piece", "r.6, over))[-1] AS m", "r.6, over))[1] AS m"),
    Mutant("a_sighting_does_not_unbridge", "piece", "arrayMin(arrayMap(r -> r.4", "arrayMax(arrayMap(r -> r.4"),
    Mutant("overlaps_added", "piece", "sum(e - s) = intervalLengthSum(s, e) AND ", ""),
    Mutant("raw_repeats_are_rows", "page", "SELECT DISTINCT * EXCEPT (batch", "SELECT * EXCEPT (batch"),
    Mutant("attributions_ignored", "record", "a.claim.1 != '' AS answered", "0 AS answered"),
    Mutant("attributions_replace_known_owners", "record", "startsWith(r.raw_owner, 'unknown:') AND a.claim", "a.claim"),
    Mutant("first_answer_wins", "record", "argMax((owner", "argMin((owner"),
    Mutant("even_rows_overlap", "quick", "OR held_ms - usage_odd_ms != bitCount(usage_even) * 60000 ", ""),
    Mutant("odd_rows_overlap", "quick", "OR usage_odd_ms != usage_odd_union_ms ", ""),
    Mutant("odd_rows_overlap_even_ones", "quick", "OR bitAnd(usage_even, usage_odd) != 0", ""),
    Mutant("even_sightings_overlap", "quick", "OR card_ms - card_odd_ms != bitCount(card_even) * 60000 ", ""),
    Mutant("odd_sightings_overlap", "quick", "OR card_odd_ms != card_odd_union_ms ", ""),
    Mutant("odd_sightings_overlap_even_ones", "quick", "OR bitAnd(card_even, card_odd) != 0", ""),
    Mutant("odd_rows_beyond_what_was_seen", "quick", "OR (usage_odd_ms + card_odd_ms > 0", "OR (0"),
    Mutant("use_that_nobody_saw", "quick", "multiIf(card_ms = 0, held_ms, ", "multiIf("),
    Mutant("quick_path_with_shares", "quick", "OR min_share < 1000", ""),
    Mutant(
        "quick_path_with_faults",
        "quick",
        "OR (hour, card, quarter) IN (SELECT hour, card, quarter FROM {outage:Identifier})",
        "",
    ),
    Mutant("unread_is_measured", "quick", "active IS NOT NULL AS has_active", "1 AS has_active"),
    Mutant(
        "fault_lasts_two_days",
        "outage",
        "least(minIf(closed_at_ms, closed_at_ms > 0), opened_at_ms + 86400000)",
        "minIf(closed_at_ms, closed_at_ms > 0)",
    ),
    Mutant("last_close_ends_a_fault", "outage", "least(minIf(", "least(maxIf("),
    Mutant("parents_fault_ignored", "outage", "arrayDistinct([k.card, k.parent])", "[k.card]"),
    Mutant(
        "integrals_floored_for_each_row",
        "entry",
        "intDiv(sum(active_num), active_den)",
        "sum(intDiv(active_num, active_den))",
    ),
    Mutant("retractions_of_corrected_rows", "kept", "r.received_at < x.5 AND ", ""),
    Mutant("retracted_rows_keep_a_quick_quarter", "quick", "OR touched ", ""),
    Mutant("retracted_sightings_count", "seen", "(x.1 = 'card' AND x.2 = r.card)", "0"),
    Mutant("retracted_faults_count", "outage", "(r.1 = 'card' AND r.2 = f.card)", "0"),
    Mutant("retracted_answers_count", "record", "(r.1 = 'process' AND r.2 = toString(a.process))", "0"),
    Mutant("batch_retracted_in_vain", "kept", "(x.1 = 'batch' AND x.2 = toString(r.batch))", "0"),
    Mutant("owner_retracted_in_vain", "kept", "(x.1 = 'owner' AND x.2 = r.raw_owner)", "0"),
    Mutant("owner_retracted_by_a_later_answer", "kept", "x.2 = r.raw_owner", "x.2 = r.owner"),
    Mutant(
        "owner_retracted_in_vain_in_a_quick_quarter",
        "quick",
        "OR owner IN (SELECT subject FROM {retraction:Identifier} WHERE scope = 'owner')",
        "",
    ),
    Mutant("sightings_retracted_in_vain", "seen", "(x.1 = 'batch' AND x.2 = toString(r.batch))", "0"),
    Mutant("faults_retracted_in_vain", "outage", "(r.1 = 'batch' AND r.2 = toString(f.batch))", "0"),
    Mutant("answers_retracted_in_vain", "record", "(r.1 = 'batch' AND r.2 = toString(a.batch))", "0"),
    Mutant("usage_of_another_node_counts", "kept", "(empty(spans) OR", "(1 OR"),
    Mutant("sightings_of_another_node_count", "seen", "(empty(spans) OR", "(1 OR"),
    Mutant("moved_cards_keep_a_quick_quarter", "quick", "OR card IN (SELECT card FROM {home:Identifier})", ""),
    Mutant(
        "newest_basis_for_all_time",
        "page_key",
        "arrayLastIndex(w -> w.1 <= p.hour::UInt64 * 3600000, told.words)",
        "length(told.words)",
    ),
    Mutant(
        "basis_of_the_latest_home",
        "page_key",
        "greatest(1, arrayLastIndex(f -> f <= wanted.hour::UInt64 * 3600000, moved.froms))",
        "-1",
    ),
    Mutant(
        "cluster_of_the_latest_home", "page_key", "if(c.node != '', c.cluster, p.latest_cluster)", "p.latest_cluster"
    ),
    Mutant(
        "no_page_of_the_hour_in_which_it_is_given_up",
        "page_key",
        "from <= w.hour::UInt64 * 3600000 AND",
        "from < (w.hour::UInt64 + 1) * 3600000 AND",
    ),
    Mutant("imported_reads_silent", "page_key", "'imported', 'silent'", "'silent', 'silent'"),
)


@pytest.fixture(scope="module")
def sample() -> list[Facts]:
    """The same fleets for every mutant and every run, and the cases that they seldom meet."""
    seen: list[Facts] = []

    @settings(PATIENT, max_examples=30, derandomize=True, database=None)
    @given(fleets())
    def collect(facts: Facts) -> None:
        seen.append(facts)

    collect()
    return [relabelled(facts, number) for number, facts in enumerate((*SELDOM, *seen))]


@pytest.fixture(scope="module")
def right(sample: list[Facts]) -> dict[tuple[str, int], Stored]:
    return {key: stored for facts in sample for key, stored in expected(facts, HOURS_MS).items()}


@pytest.fixture(scope="module")
def filled(plain_warehouse: Warehouse, sample: list[Facts]) -> Warehouse:
    """All facts of the sample, put once."""
    put(plain_warehouse, together(sample), HOURS_MS)
    return plain_warehouse


@pytest.fixture(scope="module")
def whole(filled: Warehouse, sample: list[Facts], right: dict[tuple[str, int], Stored]) -> Iterator[Run]:
    """The tables of a right rollup, all of them; its pages are those of the reference."""
    settle_homes(filled)
    settle_retirements(filled)
    mark_again(filled, sample)
    with Run(filled) as made:
        made.choose("rollup/work", limit=PAIRS_MAX)
        version = made.version()
        made.compute(version)
        made.command("rollup/publish", version=version)
        assert read(filled, together(sample)) == right
        clear(filled, ("card_hour",))  # retirements that are another have then no page to take away
        yield made


def mark_again(filled: Warehouse, sample: list[Facts]) -> None:
    clear(filled, ("dirty_hour",))
    mark(filled, together(sample), HOURS_MS)


def test_the_rollup_as_it_is_agrees_on_the_sample(
    filled: Warehouse, sample: list[Facts], right: dict[tuple[str, int], Stored]
) -> None:
    for _again in range(2):
        mark_again(filled, sample)
        roll_up(filled)
        assert read(filled, together(sample)) == right


def test_a_rerun_without_a_mutant_gives_the_same_pages(filled: Warehouse, whole: Run) -> None:
    for step in (STEPS[0], "record", STEPS[-1]):
        with Rerun(filled, whole, step) as same:
            assert same.pages() == pages_of(filled, whole), step


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda each: each.idea)
def test_a_wrong_ledger_is_caught(
    mutant: Mutant, filled: Warehouse, whole: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = sql(f"rollup/{mutant.statement}")
    assert text.count(mutant.right) == 1, f"{mutant.statement}.sql no longer says: {mutant.right}"

    def load(name: str) -> str:
        return text.replace(mutant.right, mutant.wrong) if name == f"rollup/{mutant.statement}" else sql(name)

    monkeypatch.setattr(run, "sql", load)
    with Rerun(filled, whole, mutant.statement) as wrong:
        assert wrong.pages() != pages_of(filled, whole)


RULES: dict[str, Callable[..., list[Retired]]] = {
    "nothing_is_ever_retired": lambda scans, told: [],
    "staff_are_not_heard": lambda scans, told: retirements(scans),
    "only_staff_are_heard": lambda scans, told: retirements([each for each in scans if each.listed], told),
    "gone_for_ever": lambda scans, told: [
        Retired(found[0].from_ms, FOREVER) for found in [retirements(scans, told)] if found
    ],
    "what_was_once_gone_is_forgotten": lambda scans, told: [
        each for each in retirements(scans, told) if each.until_ms == FOREVER
    ],
    "a_millisecond_late": lambda scans, told: [
        each._replace(from_ms=each.from_ms + 1) for each in retirements(scans, told)
    ],
}
"""Wrong ideas of when a card is gone."""


@pytest.mark.parametrize("idea", RULES)
def test_a_wrong_retirement_is_caught(
    idea: str, filled: Warehouse, whole: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retirement, "retirements", RULES[idea])
    retire_again(filled)
    try:
        with Rerun(filled, whole, "page_key") as wrong:
            assert wrong.pages() != pages_of(filled, whole)
    finally:
        monkeypatch.undo()
        retire_again(filled)


def retire_again(filled: Warehouse) -> None:
    clear(filled, ("card_retirement",))
    settle_retirements(filled)
