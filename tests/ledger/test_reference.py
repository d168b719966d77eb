"""What the reference says of cases that can be computed by hand, in card-microseconds."""

from __future__ import annotations

from collections.abc import Iterable

from cardhour_contract.moment import DAY_MS, QUARTER_MS
from cardhour_contract.record import Basis, CardState
from tests.ledger.cases import (
    ALLOCATED,
    GPU,
    back,
    equal_products,
    fault,
    pods_and_a_process,
    row,
    seen,
    thirds,
    three_then_seven,
)
from tests.ledger.facts import Attribution, Card, CardRow, Claim, Facts, FaultRow, Retraction, UsageRow
from tests.ledger.fleet import GIB
from tests.ledger.fleet import MIDNIGHT_MS as T
from tests.ledger.page import Entry, Page, Unobserved
from tests.ledger.reference import page
from tests.ledger.resending import cut

QUARTER_US = 900_000_000


def told(*facts: UsageRow | CardRow | FaultRow | Attribution | Retraction, card: Card = GPU) -> Page:
    """The page of the hour after midnight, with every quarter checked to add up."""
    found = page(
        Facts(
            cards=(card,),
            usage=tuple(each for each in facts if isinstance(each, UsageRow)),
            card_rows=tuple(each for each in facts if isinstance(each, CardRow)),
            faults=tuple(each for each in facts if isinstance(each, FaultRow)),
            attributions=tuple(each for each in facts if isinstance(each, Attribution)),
            retractions=tuple(each for each in facts if isinstance(each, Retraction)),
        ),
        card.card,
        T,
    )
    assert [found.total_us(quarter) for quarter in range(4)] == [QUARTER_US] * 4
    return found


def billed(entries: Iterable[Entry]) -> dict[str, int]:
    return {each.owner if each.workload is None else each.workload: each.billable_us for each in entries}


def held(entries: Iterable[Entry]) -> dict[str, int]:
    return {each.owner if each.workload is None else each.workload: each.held_us for each in entries}


def first_unobserved(found: Page) -> dict[str, int]:
    return {each.reason: each.us for each in found.unobserved if each.quarter == 0}


class TestSharing:
    def test_a_tenant_alone_is_billed_the_whole_card(self) -> None:
        found = told(row("k8s:a"))
        assert billed(found.by_owner) == {"k8s:a": QUARTER_US}
        assert found.idle_us == (0, 0, 0, 0)
        assert found.unobserved == tuple(Unobserved(quarter=q, reason="silent", us=QUARTER_US) for q in (1, 2, 3))

    def test_two_undeclared_tenants_have_half_each(self) -> None:
        assert billed(told(row("k8s:a"), row("k8s:b")).by_owner) == {"k8s:a": 450_000_000, "k8s:b": 450_000_000}

    def test_declared_shares_that_fit_are_billed_exactly_and_the_rest_is_idle(self) -> None:
        found = told(row("k8s:a", share=460), row("k8s:b", share=250))
        assert billed(found.by_owner) == {"k8s:a": 414_000_000, "k8s:b": 225_000_000}
        assert found.idle_us[0] == 261_000_000

    def test_denominators_3000_and_7000_are_each_floored_once(self) -> None:
        # 100 ms / 3 = 33 333.3 µs and 100 ms / 7 = 14 285.7 µs: a is billed 33 333 + 14 285, and 1 + 5 µs are dropped.
        long = told(*three_then_seven())
        assert billed(long.by_owner) == {f"k8s:{n}": 47_618 if n in "abc" else 14_285 for n in "abcdefg"}
        assert long.rounding_us == (6, 0, 0, 0)
        assert first_unobserved(long) == {"silent": 899_800_000}
        assert told(*(part for each in three_then_seven() for part in cut(each, 60))) == long

    def test_an_owner_is_capped_at_the_card_and_competes_as_one(self) -> None:
        found = told(row("k8s:a", workload="w1"), row("k8s:a", workload="w2"), row("k8s:b"))
        assert billed(found.by_owner) == {"k8s:a": 450_000_000, "k8s:b": 450_000_000}

    def test_a_workload_has_the_share_of_its_greatest_process(self) -> None:
        found = told(row("k8s:a", share=300, process=1), row("k8s:a", share=200, process=2))
        assert billed(found.by_owner) == {"k8s:a": 270_000_000}

    def test_system_processes_weigh_nothing(self) -> None:
        assert billed(told(row("system:xorg"), row("k8s:a")).by_owner) == {"k8s:a": QUARTER_US, "system:xorg": 0}
        alone = told(row("system:xorg"))
        assert (billed(alone.by_owner), alone.idle_us[0]) == ({"system:xorg": 0}, QUARTER_US)
        assert held(alone.by_owner) == {"system:xorg": QUARTER_US}

    def test_an_unknown_owner_takes_its_share_of_what_tenants_leave(self) -> None:
        found = told(row("k8s:a", share=700), row("unknown:exited", share=200))
        assert billed(found.by_owner) == {"k8s:a": 630_000_000, "unknown:exited": 180_000_000}
        assert found.idle_us[0] == 90_000_000

    def test_unknown_owners_that_want_more_than_is_left_divide_it_by_share(self) -> None:
        # 300 permille are left: 900/1500 and 600/1500 of them.
        found = told(row("k8s:a", share=700), row("unknown:x", share=900), row("unknown:y", share=600))
        assert billed(found.by_owner) == {"k8s:a": 630_000_000, "unknown:x": 162_000_000, "unknown:y": 108_000_000}
        assert found.idle_us[0] == 0

    def test_tenants_that_fill_the_card_leave_unknown_owners_nothing(self) -> None:
        found = told(row("k8s:a"), row("unknown:x"))
        assert billed(found.by_owner) == {"k8s:a": QUARTER_US, "unknown:x": 0}
        assert held(found.by_owner) == {"k8s:a": QUARTER_US, "unknown:x": QUARTER_US}

    def test_unknown_owners_alone_share_the_card_and_their_drops_are_rounding(self) -> None:
        found = told(*(row(f"unknown:{name}", 0, 100) for name in "xyz"))
        assert billed(found.by_owner) == {f"unknown:{name}": 33_333 for name in "xyz"}
        assert found.rounding_us[0] == 1


class TestWorkloads:
    def test_an_owners_time_is_divided_by_share_and_the_first_by_name_has_the_remainder(self) -> None:
        found = told(*(row("k8s:a", 0, 100, workload=name) for name in ("w3", "w1", "w2")))
        assert billed(found.by_owner) == {"k8s:a": 100_000}
        assert billed(found.by_workload) == {"w1": 33_334, "w2": 33_333, "w3": 33_333}
        assert found.rounding_us[0] == 0

    def test_sums_with_equal_products_of_denominators_are_floored_apart(self) -> None:
        # 1 ms among f, u and v (1 + 999 + 1000 of 2000) at 1000/1500 of the card, then 2 ms of v alone at 1/3 of it:
        # a has 666.7 + 666.7 µs. 1500 × 2000 = 3000 × 1000, but v's 333.3 and 666.7 must not make 1000 together:
        # with u's 333 that would be more than the 1332 µs of the owner.
        found = told(*equal_products())
        assert billed(found.by_owner) == {"k8s:a": 1_332, "k8s:b": 666, "k8s:c": 666, "k8s:z": 333}
        mine = [each for each in found.by_workload if each.owner == "k8s:a"]
        assert billed(mine) == {"f": 0, "u": 333, "v": 999}
        assert found.rounding_us[0] == 3

    def test_the_remainder_goes_to_a_workload_that_holds_the_card(self) -> None:
        found = told(*pods_and_a_process(), card=ALLOCATED)
        assert billed(found.by_workload) == {"aa": 0, "p1": 33_334, "p2": 33_333, "p3": 33_333}

    def test_held_time_of_workloads_may_add_up_to_more_than_their_owners(self) -> None:
        found = told(row("k8s:a", 0, 200, workload="w1"), row("k8s:a", 100, 300, workload="w2"))
        assert held(found.by_owner) == {"k8s:a": 300_000}
        assert held(found.by_workload) == {"w1": 200_000, "w2": 200_000}
        assert billed(found.by_workload) == {"w1": 150_000, "w2": 150_000}


class TestClaims:
    def test_a_known_owner_wins_over_an_unknown_one_where_both_are_told(self) -> None:
        found = told(row("unknown:z", 0, 300, process=1), row("k8s:a", 100, 200, process=1))
        assert billed(found.by_owner) == {"k8s:a": 100_000, "unknown:z": 200_000}

    def test_of_two_known_claims_the_greatest_wins_whatever_came_first(self) -> None:
        rows = [row("k8s:a", 0, 300, process=1), row("k8s:b", 100, 400, process=1, share=10)]
        assert billed(told(*rows).by_owner) == {"k8s:a": 100_000, "k8s:b": 3_000}
        assert told(*rows) == told(*reversed(rows))

    def test_an_attribution_replaces_unknown_and_nothing_else(self) -> None:
        late = Attribution(process=1, claim=Claim(owner="k8s:b", workload="v", share=500), at_ms=T)
        found = told(row("unknown:exited", 0, 100, process=1), row("k8s:a", 200, 300, process=1), late)
        assert billed(found.by_owner) == {"k8s:a": 100_000, "k8s:b": 50_000}

    def test_the_latest_attribution_counts_and_content_breaks_a_tie(self) -> None:
        answers = [
            Attribution(process=1, claim=Claim(owner="k8s:z", workload="v"), at_ms=T),
            Attribution(process=1, claim=Claim(owner="k8s:b", workload="v"), at_ms=T + 1),
            Attribution(process=1, claim=Claim(owner="k8s:a", workload="v"), at_ms=T + 1),
        ]
        assert set(billed(told(row("unknown:exited", process=1), *answers).by_owner)) == {"k8s:b"}

    def test_time_of_one_owner_on_two_nodes_is_entered_under_the_first(self) -> None:
        found = told(row("k8s:a", 0, 200, node="n2"), row("k8s:a", 100, 300, node="n1", process=1))
        assert [(each.node, each.held_us) for each in found.by_owner] == [("n1", 200_000), ("n2", 100_000)]


class TestBasis:
    def test_on_an_allocation_card_processes_inform_and_allocations_bill(self) -> None:
        pod = row("k8s:a", 0, 300_000, basis=Basis.ALLOCATION, process=1)
        busy = row("k8s:a", 0, 600_000, active=600_000 * 500_000, process=2)
        (entry,) = told(pod, busy, card=ALLOCATED).by_owner
        assert (entry.held_us, entry.billable_us) == (300_000_000, 300_000_000)
        assert (entry.active_us, entry.measured_us) == (300_000_000, 600_000_000)

    def test_on_a_process_card_allocations_do_not_bill_and_imports_do(self) -> None:
        found = told(row("k8s:a", basis=Basis.ALLOCATION), row("k8s:b", 0, 100, basis=Basis.IMPORTED))
        assert billed(found.by_owner) == {"k8s:b": 100_000}


class TestWhatWasSeen:
    def test_faulted_time_is_held_but_neither_billed_nor_idle(self) -> None:
        found = told(row("k8s:a"), seen(0, QUARTER_MS), fault(100_000, 400_000))
        assert (billed(found.by_owner), held(found.by_owner)) == ({"k8s:a": 600_000_000}, {"k8s:a": QUARTER_US})
        assert (found.faulted_us[0], found.idle_us[0]) == (300_000_000, 0)

    def test_a_parents_fault_is_its_instances_fault(self) -> None:
        broken = fault(0, 1, card="whole")
        assert told(broken, card=Card(card="gpu", parent="whole")).faulted_us[0] == 1_000
        assert told(broken).faulted_us[0] == 0

    def test_a_fault_ends_at_its_earliest_close_or_after_a_day(self) -> None:
        opened_at_ms = 5 - DAY_MS
        opened, late, early = fault(opened_at_ms), fault(opened_at_ms, 9), fault(opened_at_ms, 2)
        assert told(opened).faulted_us[0] == 5_000
        assert told(opened, late).faulted_us[0] == 5_000
        assert told(opened, late, early).faulted_us[0] == 2_000

    def test_an_observed_card_that_nobody_holds_is_idle_whatever_else_is_told(self) -> None:
        found = told(seen(0, 300), seen(100, 400, CardState.ABSENT))
        assert (found.idle_us[0], first_unobserved(found)) == (300_000, {"absent": 100_000, "silent": 899_600_000})

    def test_one_reason_is_given_for_each_unobserved_instant(self) -> None:
        found = told(
            seen(0, 100, CardState.MIG_PARENT),
            seen(0, 200, CardState.ABSENT),
            seen(50, 300, CardState.NVML_FAILED),
            seen(250, 400, CardState.SPOOL_FULL),
        )
        reasons = {"absent": 50_000, "nvml_failed": 200_000, "spool_full": 150_000, "silent": 899_600_000}
        assert first_unobserved(found) == reasons

    def test_held_time_counts_although_the_card_was_reported_absent(self) -> None:
        found = told(row("k8s:a", 0, 100), seen(0, 200, CardState.ABSENT))
        assert (billed(found.by_owner), first_unobserved(found)["absent"]) == ({"k8s:a": 100_000}, 100_000)

    def test_an_imported_card_is_unobserved_as_imported_outside_its_rows(self) -> None:
        card = Card(card="gpu", imported_only=True)
        assert first_unobserved(told(row("k8s:a", 0, 100, basis=Basis.IMPORTED), card=card)) == {
            "imported": 899_900_000
        }


class TestRetractions:
    def test_retracted_time_is_taken_out_of_rows_that_came_before_and_leaves_their_rate(self) -> None:
        (entry,) = told(row("k8s:a", 0, 300, process=1, active=300 * 500_000), back("process", 1)).by_owner
        assert (entry.held_us, entry.billable_us, entry.active_us) == (100_000, 100_000, 50_000)

    def test_rows_that_came_after_the_retraction_count(self) -> None:
        assert billed(told(row("k8s:a", 0, 300, process=1), back("process", 1, after=False)).by_owner) == {
            "k8s:a": 300_000
        }

    def test_a_retracted_card_has_no_sightings_either(self) -> None:
        found = told(row("k8s:a", 0, 300), seen(0, QUARTER_MS), fault(0, 50), back("card", "gpu"))
        assert first_unobserved(found) == {"silent": 200_000}
        assert (billed(found.by_owner), found.faulted_us[0]) == ({"k8s:a": 100_000}, 0)


class TestIntegrals:
    def test_where_rows_of_a_process_overlap_the_higher_rate_of_each_segment_counts(self) -> None:
        low = row("k8s:a", 0, 300, active=300 * 200_000, memory=300 * 2 * GIB)
        high = row("k8s:a", 100, 200, active=100 * 700_000, memory=100 * GIB)
        (entry,) = told(low, high, low).by_owner
        # 200 ms at 20 % and 100 ms at 70 %; 2 GiB are the higher rate of memory throughout.
        assert (entry.active_us, entry.memory_mib_ms, entry.measured_us) == (110_000, 300 * 2048, 300_000)

    def test_rates_that_are_not_whole_are_added_exactly_and_floored_once(self) -> None:
        # 10 / 3 a millisecond for 300 ms is 1000 exactly: one µs. Floored at each cut it would be none.
        (entry,) = told(*thirds()).by_owner
        assert entry.active_us == 1

    def test_processes_add_up_and_what_was_not_read_is_not_measured(self) -> None:
        one = row("k8s:a", 0, 100, active=100 * 1_000_000, process=1)
        two = row("k8s:a", 0, 100, active=0, process=2)
        blind = row("k8s:a", 0, 100, memory=100 * GIB, process=3)
        (entry,) = told(one, two, blind).by_owner
        assert (entry.active_us, entry.measured_us, entry.memory_mib_ms) == (100_000, 200_000, 102_400)

    def test_a_process_that_one_row_saw_is_not_bridged_whatever_the_other_claims(self) -> None:
        guess, sighting = row("k8s:a", 0, 300, bridged=True, process=1), row("unknown:x", 100, 200, process=1)
        assert [(each.held_us, each.bridged_us) for each in told(guess, sighting).by_owner] == [(300_000, 200_000)]

    def test_bridged_time_is_what_no_other_row_proves(self) -> None:
        found = told(
            row("k8s:a", 0, 300, bridged=True, process=1),
            row("k8s:a", 200, 400, process=2, workload="v"),
        )
        assert [each.bridged_us for each in found.by_owner] == [200_000]
        assert {each.workload: each.bridged_us for each in found.by_workload} == {"w": 300_000, "v": 0}
