"""The engine's pages are the reference's, to the integer.

Each example is a handful of fleets, each on cards of its own, so that one rollup answers for all of them. Every fleet
is there twice: as it is, and sent differently (cut, repeated, shuffled), which must not change its pages.
"""

from __future__ import annotations

from typing import NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from cardhour_ingest.warehouse.client import Warehouse
from tests.ledger.facts import Facts, relabelled, together
from tests.ledger.fleet import HOURS_MS, PATIENT, fleets
from tests.ledger.resending import resent
from tests.ledger.store import computed, expected


class Sent(NamedTuple):
    """A fleet's facts, and the form in which the store gets them."""

    facts: Facts
    form: Facts


@st.composite
def fleets_sent_twice(draw: st.DrawFn) -> list[Sent]:
    sent: list[Sent] = []
    for facts in draw(st.lists(fleets(), min_size=3, max_size=8)):
        plain, other = relabelled(facts, len(sent)), relabelled(facts, len(sent) + 1)
        sent += [Sent(plain, plain), Sent(other, draw(resent(other)))]
    return sent


@settings(PATIENT, max_examples=25)
@given(fleets_sent_twice())
def test_pages_of_random_fleets(warehouse: Warehouse, sent: list[Sent]) -> None:
    found = computed(warehouse, together([each.form for each in sent]), HOURS_MS)
    for facts, form in sent:
        for key, stored in expected(facts, HOURS_MS, sent=form).items():
            assert found.pop(key) == stored, key
    assert found == {}
