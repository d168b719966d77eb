"""What must hold of every page, whatever the fleet and however its facts were sent."""

from __future__ import annotations

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from cardhour_contract.moment import QUARTER_US
from tests.ledger.facts import Facts, relabelled, together
from tests.ledger.fleet import HOURS_MS, PATIENT, fleets
from tests.ledger.page import QUARTERS, Page
from tests.ledger.reference import page
from tests.ledger.resending import resent


def pages(facts: Facts) -> dict[tuple[str, int], Page]:
    return {(card.card, hour_ms): page(facts, card.card, hour_ms) for card in facts.cards for hour_ms in HOURS_MS}


@settings(PATIENT, max_examples=100)
@given(fleets())
def test_every_quarter_adds_up_and_no_term_is_negative(facts: Facts) -> None:
    for found in pages(facts).values():
        assert [found.total_us(quarter) for quarter in range(QUARTERS)] == [QUARTER_US] * QUARTERS
        assert min(found.idle_us + found.faulted_us + found.rounding_us) >= 0
        assert all(each.us > 0 for each in found.unobserved)
        for each in (*found.by_owner, *found.by_workload):
            assert 0 <= each.billable_us <= QUARTER_US
            assert 0 <= each.bridged_us <= each.held_us <= QUARTER_US
        assert all(each.billable_us <= each.held_us for each in found.by_owner)


@settings(PATIENT, max_examples=100)
@given(fleets())
def test_workloads_add_up_to_their_owner(facts: Facts) -> None:
    for found in pages(facts).values():
        workloads: Counter[tuple[int, str, str]] = Counter()
        for each in found.by_workload:
            workloads[each.quarter, each.node, each.owner] += each.billable_us
        assert workloads == Counter(
            {(each.quarter, each.node, each.owner): each.billable_us for each in found.by_owner}
        )


@settings(PATIENT, max_examples=50)
@given(st.data())
def test_cutting_repeating_and_shuffling_change_no_integer(data: st.DataObject) -> None:
    facts = data.draw(fleets())
    assert pages(data.draw(resent(facts))) == pages(facts)


@settings(PATIENT, max_examples=20)
@given(st.lists(fleets(), min_size=2, max_size=3))
def test_fleets_in_one_store_do_not_touch_each_other(several: list[Facts]) -> None:
    labelled = [relabelled(facts, number) for number, facts in enumerate(several)]
    alone = {key: found for facts in labelled for key, found in pages(facts).items()}
    assert pages(together(labelled)) == alone
