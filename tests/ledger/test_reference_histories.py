"""What changed later changes nothing before: homes, bases, and what is taken back by batch and owner, by hand."""

from __future__ import annotations

from dataclasses import replace

from cardhour_contract.record import Basis
from tests.ledger.cases import GPU, answer, back, moved, row, word
from tests.ledger.facts import Facts
from tests.ledger.fleet import MIDNIGHT_MS as T
from tests.ledger.reference import page
from tests.ledger.test_reference import QUARTER_US, billed, told


def test_only_the_home_counts_and_a_move_takes_effect_at_its_instant() -> None:
    facts = moved(row("k8s:a", node="n1"), row("k8s:b", node="n2"))
    assert billed(page(facts, "gpu", T).by_owner) == {"k8s:a": 300_000, "k8s:b": QUARTER_US - 300_000}


def test_a_basis_holds_from_the_next_hour_on() -> None:
    facts = Facts(cards=(GPU,), usage=(row("k8s:a"),), words=(word(Basis.ALLOCATION, 1),))
    assert billed(page(facts, "gpu", T).by_owner) == {"k8s:a": QUARTER_US}
    earlier = replace(facts, words=(word(Basis.ALLOCATION, 0),))
    assert billed(page(earlier, "gpu", T).by_owner) == {"k8s:a": 0}


def test_an_owner_is_retracted_by_the_name_that_was_reported() -> None:
    reported = (row("unknown:x", 0, 300, process=1), answer())
    assert billed(told(*reported, back("owner", "k8s:a")).by_owner) == {"k8s:a": 300_000}
    assert billed(told(*reported, back("owner", "unknown:x")).by_owner) == {"k8s:a": 100_000}


def test_a_batch_goes_whole_and_no_other() -> None:
    found = told(row("k8s:a", 0, 200, batch=1), row("k8s:b", 0, 200, batch=2), back("batch", 1))
    assert billed(found.by_owner) == {"k8s:b": 200_000}
