"""The engine's pages are the reference's, to the integer.

Fleets are drawn one by one and rolled up many together, each on cards of its own: a rollup of many takes little longer
than one of few. Every fleet is there twice: as it is, and sent differently (cut, repeated, shuffled), which must not
change its pages.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from cardhour_ingest.warehouse.client import Warehouse
from tests.ledger.facts import Facts, relabelled, together
from tests.ledger.fleet import HOURS_MS, PATIENT, fleets
from tests.ledger.resending import resent
from tests.ledger.store import computed, expected

FLEETS, TOGETHER = 120, 24


class Drawn(NamedTuple):
    """A fleet's facts, and the form in which they are sent the second time."""

    facts: Facts
    other: Facts


class Sent(NamedTuple):
    """A fleet's facts, and the form in which the store gets them, on cards of their own."""

    facts: Facts
    form: Facts


@st.composite
def drawn_fleets(draw: st.DrawFn) -> Drawn:
    facts = draw(fleets())
    return Drawn(facts, draw(resent(facts)))


def test_pages_of_random_fleets(warehouse: Warehouse) -> None:
    drawn: list[Drawn] = []

    @settings(PATIENT, max_examples=FLEETS)
    @given(drawn_fleets())
    def collect(one: Drawn) -> None:
        drawn.append(one)

    collect()
    assert len(drawn) >= FLEETS, "the strategy has become too narrow to draw that many"
    for at in range(0, len(drawn), TOGETHER):
        sent = sent_twice(drawn[at : at + TOGETHER])
        found = computed(warehouse, together([each.form for each in sent]), HOURS_MS)
        # The smallest first: of the wrong ones it is the easiest to read.
        for facts, form in sorted(sent, key=lambda each: len(each.facts.usage)):
            for key, stored in expected(facts, HOURS_MS, sent=form).items():
                assert found.pop(key, None) == stored, (key, facts)
        assert found == {}


def sent_twice(drawn: Sequence[Drawn]) -> list[Sent]:
    sent: list[Sent] = []
    for facts, other in drawn:
        plain = relabelled(facts, len(sent))
        sent.append(Sent(plain, plain))
        sent.append(Sent(relabelled(facts, len(sent)), relabelled(other, len(sent))))
    return sent
