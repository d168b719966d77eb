"""What samples prove of the cards themselves: energy, scans, absence, faults."""

from __future__ import annotations

from cardhour_agent.sampler import CardSample, Policy
from tests.agent.watch import CARD, Watch, held, identity, ms

ALICE = identity("alice")


def test_energy_is_counted_by_epoch_of_the_driver() -> None:
    watch = Watch()
    for at_s, energy_mj in ((0, 500), (10, 1500), (20, 2501), (30, 100), (40, 300)):
        watch.sees(at_s, energy_mj=energy_mj)
    watch.ends()
    assert [(r.started_at_ms, r.ended_at_ms, r.energy_mj) for r in watch.cards] == [
        (ms(0), ms(20), 2001),
        (ms(20), ms(30), None),
        (ms(30), ms(40), 200),
    ]


def test_energy_that_is_cut_at_a_boundary_adds_up() -> None:
    watch = Watch()
    watch.sees(57, energy_mj=1000)
    watch.sees(67, energy_mj=1101)
    assert [each.energy_mj for each in watch.ends().cards] == [30, 71]


def test_a_scan_is_reported_at_the_start_on_a_change_and_hourly() -> None:
    watch = Watch(Policy(sample_ms=60_000))
    for minute in range(131):
        cards = [CardSample(card=CARD)] + ([CardSample(card="GPU-2")] if minute >= 90 else [])
        watch.samples(minute * 60, *cards)
    scans = [((each.scan.at_ms - ms(0)) // 60_000, len(each.scan.cards)) for each in watch.batches if each.scan]
    assert scans == [(0, 1), (60, 1), (90, 2)]


def test_a_card_that_a_successful_scan_no_longer_lists_is_absent() -> None:
    watch = Watch()
    both = (CardSample(card=CARD, held=(held(ALICE),)), CardSample(card="GPU-2"))
    watch.samples(0, *both)
    watch.samples(10, *both)
    watch.samples(20, both[1])
    watch.samples(30, both[1])
    watch.samples(40, *both)
    watch.ends()
    assert watch.states() == [(0, 10, "observed"), (10, 30, "absent"), (30, 40, "nvml_failed")]
    assert watch.held_by(ALICE) == [(0, 10)]


def test_a_gpu_that_is_cut_into_instances_is_no_card_meanwhile() -> None:
    watch = Watch()
    watch.sees(0)
    watch.samples(10, CardSample(card="MIG-1"), mig_parents=(CARD,))
    watch.samples(20, CardSample(card="MIG-1"), mig_parents=(CARD,))
    watch.ends()
    assert watch.states() == [(0, 20, "mig_parent")]
    assert watch.states("MIG-1") == [(10, 20, "observed")]


def test_a_fault_is_closed_by_the_first_later_healthy_scan() -> None:
    watch = Watch()
    watch.sees(0)
    watch.sees(10, fault="xid:79")
    watch.fails(20, fault="gpu_lost")
    watch.fails(30)
    watch.sees(40)
    watch.sees(50)
    watch.ends()
    assert [(f.opened_at_ms, f.closed_at_ms, f.reason) for f in watch.faults] == [
        (ms(10), None, "xid:79"),
        (ms(10), ms(40), "xid:79"),
    ]


def test_an_open_fault_outlives_a_restart() -> None:
    before = Watch()
    before.sees(0, fault="xid:48")
    before.ends()
    after = before.restarts()
    after.sees(100)
    after.ends()
    assert [(f.opened_at_ms, f.closed_at_ms) for f in after.faults] == [(ms(0), ms(100))]
