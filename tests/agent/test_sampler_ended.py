"""What the driver's own notes of ended processes add to what samples prove, and what they cannot."""

from __future__ import annotations

from cardhour_agent.accounted import Accounted
from cardhour_agent.card_sample import CardSample, Ended, Held
from cardhour_agent.device import CardReading, EndedProcess, ProcessReading, UseCounter
from cardhour_agent.identity import Identity
from cardhour_agent.timeline import Tick
from tests.agent.watch import CARD, Watch, held, identity, ms

ALICE = identity("alice")
BOB = identity("bob", owner="k8s:team-b")


def noted(who: Identity, from_s: float, to_s: float, sm: int | None = 400_000) -> Ended:
    return Ended(identity=who, started_at_ms=ms(from_s), ended_at_ms=ms(to_s), sm=sm)


def sees(watch: Watch, at_s: float, *ended: Ended, holds: tuple[Held, ...] = ()) -> None:
    watch.samples(at_s, CardSample(card=CARD, held=holds, ended=ended))


def test_a_process_between_two_samples_held_the_card_for_as_long_as_it_lived() -> None:
    watch = Watch()
    sees(watch, 0)
    for at_s in (10, 20, 30):  # it is told of at every reading since
        sees(watch, at_s, noted(ALICE, 3.25, 4.5))
    assert watch.ends().held_by(ALICE) == [(3.25, 4.5)]
    (record,) = watch.usage
    assert (record.active, record.memory) == (400_000 * 1250, None)
    assert [each.process for batch in watch.batches for each in batch.processes] == [ALICE.key]


def test_time_in_which_a_sample_did_not_see_it_is_not_its_time() -> None:
    """The process began before its context did, or the driver means something else by its times."""
    watch = Watch()
    for at_s in (0, 10):
        sees(watch, at_s)
    sees(watch, 20, noted(ALICE, 1, 12), noted(BOB, 2, 9))
    sees(watch, 30, noted(ALICE, 1, 12), noted(BOB, 2, 9))
    watch.ends()
    assert watch.held_by(ALICE) == [(10, 12)]
    assert watch.held_by(BOB) == []


def test_notes_of_before_the_first_sample_prove_nothing() -> None:
    watch = Watch()
    sees(watch, 100, noted(ALICE, 90, 95))
    sees(watch, 110, noted(ALICE, 90, 95))
    assert watch.ends().usage == []


def test_a_process_that_lived_while_no_sample_succeeded_is_counted_once_it_is_told_of() -> None:
    watch = Watch()
    sees(watch, 0)
    watch.fails(10)
    watch.fails(20)
    sees(watch, 30, noted(ALICE, 12, 18.5))
    watch.ends()
    assert watch.held_by(ALICE) == [(12, 18.5)]
    assert watch.states() == [(0, 30, "nvml_failed")]


def test_a_process_that_a_sample_saw_ends_when_the_driver_says_and_no_later_than_its_exit() -> None:
    for exits, end_s in (({}, 13.5), ({ALICE.key: ms(13.75)}, 13.5), ({ALICE.key: ms(13.25)}, 13.25)):
        watch = Watch()
        sees(watch, 0, holds=(held(ALICE),))
        sees(watch, 10, holds=(held(ALICE),))
        watch.samples(20, CardSample(card=CARD, ended=(noted(ALICE, -5, 13.5),)), exits=exits)
        sees(watch, 30, noted(ALICE, -5, 13.5))
        assert watch.ends().held_by(ALICE) == [(0, end_s)]


def test_a_process_that_ends_just_after_a_sample_is_counted_to_its_end_by_the_next() -> None:
    watch = Watch()
    sees(watch, 0, holds=(held(ALICE),))
    sees(watch, 10, noted(ALICE, -5, 10.25))
    sees(watch, 20, noted(ALICE, -5, 10.25))
    assert watch.ends().held_by(ALICE) == [(0, 10.25)]


def counted(sm_sum: int, samples: int) -> Held:
    return Held(identity=ALICE, sm=1, counter=UseCounter(sm_sum=sm_sum, samples=samples))


def test_a_counter_of_use_misses_nothing_not_even_across_failed_samples() -> None:
    watch = Watch()
    sees(watch, 0, holds=(counted(0, 0),))
    sees(watch, 10, holds=(counted(60 * 250_000, 60),))
    watch.fails(20)
    sees(watch, 30, holds=(counted(60 * 250_000 + 120 * 500_000, 180),))
    watch.ends()
    assert [(each.bridged, each.active) for each in watch.usage] == [
        (False, 250_000 * 10_000),
        (True, 500_000 * 20_000),
    ]


def test_a_counter_that_cannot_be_is_not_believed() -> None:
    for now in (counted(10, 2), counted(900, 10), counted(100 + 2_000_000, 11)):
        watch = Watch()
        sees(watch, 0, holds=(counted(1000 if now.counter and now.counter.samples == 10 else 100, 10),))
        sees(watch, 10, holds=(now,))
        assert [each.active for each in watch.ends().usage] == [10_000]  # the reading's own rate, 1


def test_who_it_was_is_known_where_a_sample_saw_its_pid() -> None:
    tick = Tick(at_ms=ms(20), restart_at_ms=None, wall_ms=ms(20) + 400, monotonic_ms=0)
    accounted = Accounted("node-1", "boot")
    accounted.sampled({7: ALICE}, (), frozenset())
    entry = EndedProcess(pid=7, start_us=ms(12) * 1000 + 999, lived_ms=500, sm=10)
    (known,) = accounted.join(CARD, [entry], {}, tick)
    assert known == Ended(identity=ALICE, started_at_ms=ms(12) - 400, ended_at_ms=ms(12.5) - 400, sm=10)
    accounted.sampled({}, (), frozenset({7}))
    assert accounted.join(CARD, [entry], {}, tick)[0].identity is ALICE, "a card that failed may have it still"
    accounted.sampled({}, (), frozenset())
    assert accounted.join(CARD, [entry], {}, tick)[0].identity is ALICE, "it is who it was told as"
    (unseen,) = accounted.join("another card", [entry], {}, tick)
    assert unseen.identity.is_unknown
    again = EndedProcess(pid=7, start_us=ms(14) * 1000, lived_ms=500)
    assert accounted.join(CARD, [again], {}, tick)[0].identity.key != unseen.identity.key, "a pid alone is no identity"


def test_a_pid_that_was_given_out_again_and_has_ended_again_is_another_process() -> None:
    tick = Tick(at_ms=ms(20), restart_at_ms=None, wall_ms=ms(20), monotonic_ms=0)
    accounted = Accounted("node-1", "boot")
    seen = CardReading(card=CARD, processes=(ProcessReading(pid=7, started_us=ms(3) * 1000),))
    accounted.sampled({7: ALICE}, [seen], frozenset())
    entries = [EndedProcess(pid=7, start_us=ms(at_s) * 1000, lived_ms=500) for at_s in (3, 12)]
    first, second = accounted.join(CARD, entries, {}, tick)
    assert first.identity is ALICE
    assert second.identity.is_unknown


def starts(at_s: float) -> Held:
    return Held(identity=ALICE, counter=UseCounter(sm_sum=60 * 250_000, samples=60), started_at_ms=ms(at_s))


def test_a_process_begins_when_the_driver_says_it_did() -> None:
    watch = Watch()
    sees(watch, 0)
    sees(watch, 10, holds=(starts(3.25),))
    sees(watch, 20, noted(ALICE, 3.25, 12.5))
    assert watch.ends().held_by(ALICE) == [(3.25, 12.5)]
    assert watch.usage[0].active == 250_000 * 6750, "its use is counted from nothing"


def test_one_that_began_while_the_sample_was_read_begins_after_the_samples_time() -> None:
    watch = Watch()
    sees(watch, 0)
    sees(watch, 10, holds=(starts(10.004),))
    sees(watch, 20, noted(ALICE, 10.004, 12.5))
    assert watch.ends().held_by(ALICE) == [(10.004, 12.5)]


def test_a_start_from_long_before_a_sample_that_did_not_see_it_says_not_when_it_is_back() -> None:
    watch = Watch()
    sees(watch, 0)
    sees(watch, 10)
    sees(watch, 20, holds=(starts(8.9),))
    sees(watch, 30, holds=(starts(8.9),))
    assert watch.ends().held_by(ALICE) == [(20, 30)]
    listed_late = Watch()
    for at_s in (0, 10):
        sees(listed_late, at_s)
    sees(listed_late, 20, noted(BOB, 9.75, 15), holds=(starts(9.5),))
    assert listed_late.ends().held_by(ALICE) == [(9.5, 20)], "it had only just begun"
    assert listed_late.held_by(BOB) == [(9.75, 15)]


def test_of_those_before_the_first_sample_only_what_samples_prove_counts() -> None:
    watch = Watch()
    sees(watch, 10, holds=(starts(8),))
    sees(watch, 20, holds=(starts(8),))
    assert watch.ends().held_by(ALICE) == [(10, 20)]


def test_notes_cannot_be_placed_while_the_wall_clock_steps() -> None:
    tick = Tick(at_ms=ms(20), restart_at_ms=ms(3620), wall_ms=ms(3620), monotonic_ms=0)
    entry = EndedProcess(pid=7, start_us=ms(12) * 1000, lived_ms=500)
    assert Accounted("node-1", "boot").join(CARD, [entry], {}, tick) == ()
