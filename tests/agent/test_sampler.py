"""What samples prove: the rules by which a process holds a card."""

from __future__ import annotations

import pytest

from cardhour_agent.sampler import CardSample, Policy
from cardhour_contract.errors import InvariantBroken
from cardhour_contract.record import Attribution
from tests.agent.watch import CARD, Watch, held, identity, ms

ALICE = identity("alice")
BOB = identity("bob", owner="k8s:team-b")


def test_two_samples_prove_the_time_between_them() -> None:
    watch = Watch()
    for at_s in (0, 10, 20):
        watch.sees(at_s, held(ALICE))
    assert watch.ends().held_by(ALICE) == [(0, 20)]
    (record,) = watch.usage
    assert (record.active, record.memory) == (500_000 * 20_000, 1000 * 20_000)
    assert (record.owner, record.workload, record.share, record.bridged) == ("k8s:team-a", "train", 1000, False)


def test_a_process_that_one_sample_saw_has_no_proven_time() -> None:
    watch = Watch()
    watch.sees(0)
    watch.sees(10, held(ALICE))
    watch.sees(20)
    assert watch.ends().usage == []
    assert [each.process for each in watch.batches[0].processes] == [ALICE.key]


def test_a_contested_card_gives_each_process_its_own_records() -> None:
    watch = Watch()
    watch.sees(0, held(ALICE, sm=900_000))
    watch.sees(10, held(ALICE, sm=600_000), held(BOB, sm=100_000))
    watch.sees(20, held(ALICE, sm=600_000), held(BOB, sm=400_000))
    watch.sees(30, held(BOB, sm=1_000_000))
    watch.ends()
    assert watch.held_by(ALICE) == [(0, 20)]
    assert watch.held_by(BOB) == [(10, 30)]
    # The sample that ends a stretch gives its rate.
    assert {each.process: each.active for each in watch.usage} == {
        ALICE.key: 600_000 * 20_000,
        BOB.key: 400_000 * 10_000 + 1_000_000 * 10_000,
    }


def test_a_report_is_cut_at_its_boundary_after_the_first_sample_beyond_it() -> None:
    watch = Watch()
    assert watch.sees(55, held(ALICE)) is None
    first = watch.sees(63, held(ALICE, sm=300_000), energy_mj=None)
    assert first is not None
    assert (first.started_at_ms, first.ended_at_ms) == (ms(55), ms(60))
    assert [(each.started_at_ms, each.ended_at_ms) for each in first.usage] == [(ms(55), ms(60))]
    second = watch.ends().batches[1]
    assert [(each.started_at_ms, each.ended_at_ms) for each in second.usage] == [(ms(60), ms(63))]
    assert [each.active for each in watch.usage] == [300_000 * 5000, 300_000 * 3000]


def test_no_record_crosses_a_quarter_hour() -> None:
    watch = Watch(Policy(bridge_max_ms=3_600_000))
    watch.sees(800, held(ALICE))
    watch.sees(2000, held(ALICE))
    assert [((r.started_at_ms - ms(0)) // 1000, (r.ended_at_ms - ms(0)) // 1000) for r in watch.ends().usage] == [
        (800, 900),
        (900, 1800),
        (1800, 1980),
        (1980, 2000),
    ]


def test_an_exit_ends_a_process_between_two_samples() -> None:
    watch = Watch()
    watch.sees(0, held(ALICE))
    watch.sees(10, held(ALICE))
    watch.samples(20, CardSample(card=CARD), exits={ALICE.key: ms(13.5)})
    assert watch.ends().held_by(ALICE) == [(0, 13.5)]


def test_who_has_ended_holds_nothing_however_long_the_driver_goes_on_listing_it() -> None:
    watch = Watch()
    watch.sees(0, held(ALICE), held(BOB))
    watch.samples(10, CardSample(card=CARD, held=(held(ALICE), held(BOB))), exits={ALICE.key: ms(9.9)})
    both = CardSample(card=CARD, held=(held(ALICE), held(BOB)))
    for at_s in (20, 30):
        watch.samples(at_s, both, exits={ALICE.key: ms(at_s + 0.1)})  # found gone each time that it is looked for
    watch.fails(40)
    watch.sees(50, held(ALICE), held(BOB))
    watch.sees(60, held(BOB))
    assert watch.ends().held_by(ALICE) == [(0, 9.9)]
    assert watch.held_by(BOB) == [(0, 60)]


def test_who_ends_while_the_sample_is_read_held_the_card_at_its_time() -> None:
    watch = Watch()
    watch.sees(0, held(ALICE))
    watch.samples(
        10, CardSample(card=CARD, held=(held(ALICE), held(BOB))), exits={ALICE.key: ms(10.2), BOB.key: ms(10.3)}
    )
    watch.sees(20)
    assert watch.ends().held_by(ALICE) == [(0, 10.2)]
    assert watch.held_by(BOB) == [(10, 10.3)]


def test_an_exit_while_samples_fail_ends_it_by_the_next_due_one_whatever_fails_after() -> None:
    watch = Watch()
    watch.sees(0, held(ALICE))
    watch.samples(10, CardSample(card=CARD, failed=True), exits={ALICE.key: ms(4)})
    watch.fails(20)
    watch.driver_fails(30)
    watch.sees(40)
    assert watch.ends().held_by(ALICE) == [(0, 4)]


def test_an_exit_counts_at_most_up_to_the_next_due_sample() -> None:
    watch = Watch()
    watch.sees(0, held(ALICE))
    watch.sees(10, held(ALICE))
    watch.fails(20)
    watch.samples(30, CardSample(card=CARD), exits={ALICE.key: ms(29)})
    assert watch.ends().held_by(ALICE) == [(0, 20)]


def test_a_change_of_owner_starts_a_new_record_at_that_sample() -> None:
    watch = Watch()
    watch.sees(0, held(ALICE))
    watch.sees(10, held(ALICE))
    watch.sees(20, held(identity("alice", share=500)))
    watch.sees(30, held(identity("alice", share=500)))
    watch.ends()
    assert [(r.started_at_ms, r.ended_at_ms, r.share) for r in watch.usage] == [
        (ms(0), ms(20), 1000),
        (ms(20), ms(30), 500),
    ]
    assert all(batch.attributions == () for batch in watch.batches)


def test_a_late_answer_is_sent_as_an_attribution() -> None:
    unknown = identity("alice", owner="unknown:pending")
    watch = Watch()
    watch.sees(40, held(unknown))
    watch.sees(50, held(unknown))
    watch.sees(60, held(ALICE))
    watch.sees(70, held(ALICE))
    watch.ends()
    assert watch.batches[0].attributions == (
        Attribution(process=ALICE.key, owner="k8s:team-a", workload="train", share=1000),
    )
    assert [(r.owner, r.ended_at_ms - r.started_at_ms) for r in watch.usage] == [
        ("unknown:pending", 20_000),
        ("k8s:team-a", 10_000),
    ]


def test_what_is_not_measured_never_mixes_with_numbers() -> None:
    watch = Watch()
    watch.sees(0, held(ALICE))
    watch.sees(10, held(ALICE, sm=200_000))
    watch.sees(20, held(ALICE, sm=None))
    watch.sees(30, held(ALICE, sm=None, memory_bytes=None))
    watch.sees(40, held(ALICE, sm=0))
    assert [(r.active, r.memory) for r in watch.ends().usage] == [
        (200_000 * 10_000, 1000 * 10_000),
        (None, 1000 * 10_000),
        (None, None),
        (0, 1000 * 10_000),
    ]


def test_a_process_is_described_once_while_it_holds_a_card() -> None:
    watch = Watch()
    for at_s in range(0, 200, 10):
        watch.samples(at_s, CardSample(card=CARD, held=(held(ALICE),)), CardSample(card="GPU-2", held=(held(ALICE),)))
    watch.ends()
    assert [each.process for batch in watch.batches for each in batch.processes] == [ALICE.key]


def test_time_that_runs_back_without_a_new_anchor_is_refused() -> None:
    watch = Watch()
    watch.sees(10)
    with pytest.raises(InvariantBroken):
        watch.sees(5)


def test_a_report_interval_that_does_not_divide_a_quarter_is_refused() -> None:
    with pytest.raises(InvariantBroken):
        Watch(Policy(report_ms=70_000))
