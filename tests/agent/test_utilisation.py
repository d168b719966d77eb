"""Which of the driver's utilisation samples count."""

from __future__ import annotations

from cardhour_agent.utilisation import UtilisationSample as Sample
from cardhour_agent.utilisation import Watermarks

A, B, GONE = 100, 200, 900
BOTH = frozenset({A, B})


def test_each_sample_counts_once_and_several_are_averaged() -> None:
    marks = Watermarks()
    assert marks.take([Sample(A, 10, 40), Sample(A, 20, 50), Sample(B, 15, 7)], BOTH) == {A: 450_000, B: 70_000}
    assert marks.take([Sample(A, 20, 50), Sample(A, 30, 90)], BOTH) == {A: 900_000, B: 0}


def test_a_slow_process_is_not_skipped_for_a_fast_one() -> None:
    """Pids have timestamps of their own: what matters is the newest sample of the same pid."""
    marks = Watermarks()
    marks.take([Sample(A, 100, 40), Sample(B, 60, 10)], BOTH)
    assert marks.since_us(BOTH) == 60
    assert marks.take([Sample(B, 70, 20), Sample(A, 100, 40)], BOTH) == {A: 0, B: 200_000}


def test_garbage_is_refused_and_leaves_good_samples_alone() -> None:
    marks = Watermarks()
    assert marks.take([Sample(A, 10, 101), Sample(B, 10, 2**32 - 1), Sample(B, 11, 30)], BOTH) == {A: None, B: 300_000}


def test_samples_of_processes_that_are_not_on_the_card_do_not_move_the_watermark() -> None:
    marks = Watermarks()
    marks.take([Sample(GONE, 1_000_000, 5)], BOTH)
    assert marks.since_us(BOTH) == 0
    assert marks.take([Sample(A, 10, 20)], BOTH)[A] == 200_000


def test_a_process_that_comes_later_is_not_charged_for_old_samples_of_its_pid() -> None:
    marks = Watermarks()
    marks.take([Sample(A, 50, 40)], frozenset({A}))
    assert marks.take([Sample(A, 60, 10), Sample(B, 40, 90)], BOTH) == {A: 100_000, B: 0}
