"""Random fleets are hard enough to be worth comparing on."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given, settings

from tests.ledger.census import census
from tests.ledger.facts import Facts
from tests.ledger.fleet import PATIENT, fleets
from tests.ledger.resending import cut

HARD_CASES = (
    "three_denominators",
    "two_unknown_owners",
    "unknown_beside_tenant",
    "system_beside_tenant",
    "recut_with_integrals",
    "late_attribution",
    "several_workloads",
    "faulted_while_held",
    "retracted",
    "batch_retracted",
    "owner_retracted",
    "moved",
    "told_by_another_node",
    "basis_changed",
    "retired",
    "retired_and_used",
)


def test_fleets_are_crowded_and_meet_every_hard_case() -> None:
    seen: list[Facts] = []

    @settings(PATIENT, max_examples=200, derandomize=True, database=None)
    @given(fleets())
    def collect(facts: Facts) -> None:
        seen.append(facts)

    collect()
    counts = census(seen)
    assert counts["contested"] >= 0.30 * counts["held"], counts
    for case in HARD_CASES:
        assert counts[case] >= 0.01 * counts["held"], (case, counts)


@settings(PATIENT, max_examples=50)
@given(fleets())
def test_cutting_a_row_keeps_its_time_its_integrals_and_its_rate(facts: Facts) -> None:
    for row in facts.usage:
        for parts in (1, 2, 60):
            pieces = cut(row, parts)
            assert (pieces[0].start_ms, pieces[-1].end_ms) == (row.start_ms, row.end_ms)
            assert all(one.end_ms == other.start_ms for one, other in pairwise(pieces))
            for piece in pieces:
                for whole, part in ((row.active, piece.active), (row.memory, piece.memory)):
                    assert (whole is None) == (part is None)
                    if whole is not None and part is not None:
                        assert part * (row.end_ms - row.start_ms) == whole * (piece.end_ms - piece.start_ms)
