"""What samples prove across failures, pauses and restarts of the agent."""

from __future__ import annotations

from tests.agent.watch import Watch, held, identity, ms

ALICE = identity("alice")
BOB = identity("bob", owner="k8s:team-b")


def test_a_failed_sample_is_a_gap_that_is_bridged_where_both_sides_saw_the_process() -> None:
    watch = Watch()
    watch.sees(0, held(ALICE))
    watch.sees(10, held(ALICE))
    watch.fails(20)
    watch.fails(30)
    watch.sees(40, held(ALICE))
    watch.sees(50, held(ALICE))
    watch.ends()
    assert [(r.started_at_ms, r.ended_at_ms, r.bridged, r.active) for r in watch.usage] == [
        (ms(0), ms(10), False, 500_000 * 10_000),
        (ms(10), ms(40), True, None),
        (ms(40), ms(50), False, 500_000 * 10_000),
    ]
    assert watch.states() == [(0, 10, "observed"), (10, 40, "nvml_failed"), (40, 50, "observed")]


def test_a_process_that_is_gone_after_a_gap_ended_before_it() -> None:
    watch = Watch()
    watch.sees(0, held(ALICE))
    watch.sees(10, held(ALICE))
    watch.fails(20)
    watch.sees(30, held(BOB))
    watch.sees(40, held(BOB))
    watch.ends()
    assert watch.held_by(ALICE) == [(0, 10)]
    assert watch.held_by(BOB) == [(30, 40)]


def test_a_gap_beyond_bridge_max_is_never_guessed() -> None:
    watch = Watch()
    watch.sees(0, held(ALICE))
    for at_s in range(10, 320, 10):
        watch.fails(at_s)
    watch.sees(320, held(ALICE))
    watch.sees(330, held(ALICE))
    assert watch.ends().held_by(ALICE) == [(320, 330)]


def test_a_driver_that_does_not_answer_fails_every_known_card() -> None:
    watch = Watch()
    watch.sees(0, held(ALICE))
    watch.driver_fails(10)
    watch.sees(20, held(ALICE))
    watch.ends()
    assert watch.states() == [(0, 20, "nvml_failed")]
    assert [each.bridged for each in watch.usage] == [True]


def test_samples_far_apart_are_not_consecutive() -> None:
    """The agent itself was suspended: nothing failed, and nothing was observed."""
    watch = Watch()
    watch.sees(0, held(ALICE))
    watch.sees(200, held(ALICE), held(BOB))
    watch.ends()
    assert [(each.bridged, each.active) for each in watch.usage if each.ended_at_ms <= ms(200)] == [
        (True, None),
        (True, None),
    ]
    assert watch.held_by(ALICE) == [(0, 200)]
    assert watch.states() == []


def test_a_restart_within_bridge_max_continues_what_is_held() -> None:
    before = Watch()
    before.sees(0, held(ALICE))
    before.sees(10, held(ALICE))
    before.ends()
    after = before.restarts()
    after.sees(130, held(ALICE), held(BOB))
    after.sees(140, held(ALICE), held(BOB))
    after.ends()
    assert after.held_by(ALICE) == [(10, 140)]
    assert [each.bridged for each in after.usage if each.process == ALICE.key] == [True, True, False]
    assert after.held_by(BOB) == [(130, 140)]


def test_a_crash_loses_no_time_that_was_proven_but_not_yet_reported() -> None:
    before = Watch()
    for at_s in range(0, 100, 10):
        before.sees(at_s, held(ALICE))
    after = before.restarts()  # killed at 90 s: the report to 60 s is in the spool, the rest is not
    after.sees(150, held(ALICE))
    assert before.held_by(ALICE) == [(0, 60)]
    assert after.ends().held_by(ALICE) == [(60, 150)]


def test_a_restart_beyond_bridge_max_starts_anew() -> None:
    before = Watch()
    before.sees(0, held(ALICE))
    before.sees(10, held(ALICE))
    before.ends()
    after = before.restarts()
    after.sees(311, held(ALICE))
    after.sees(321, held(ALICE))
    assert after.ends().held_by(ALICE) == [(311, 321)]
