"""The engine's pages are the reference's, to the integer.

Each example is a handful of fleets, each on cards of its own, so that one rollup answers for all of them. Every fleet
is there twice: as it is, and sent differently (cut, repeated, shuffled), which must not change its pages.
"""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cardhour_ingest.warehouse.client import Warehouse
from tests.ledger.facts import Facts, relabelled, together
from tests.ledger.fleet import HOURS_MS, fleets, resent
from tests.ledger.store import computed, expected


@st.composite
def fleets_sent_twice(draw: st.DrawFn) -> list[Facts]:
    sent: list[Facts] = []
    for facts in draw(st.lists(fleets(), min_size=2, max_size=6)):
        sent += [relabelled(facts, len(sent)), relabelled(draw(resent(facts)), len(sent) + 1)]
    return sent


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(fleets_sent_twice())
def test_pages_of_random_fleets(warehouse: Warehouse, sent: list[Facts]) -> None:
    found = computed(warehouse, together(sent), HOURS_MS)
    for facts in sent:
        for key, stored in expected(facts, HOURS_MS).items():
            assert found.pop(key) == stored, key
    assert all(each.raw_rows == 0 for each in found.values())
