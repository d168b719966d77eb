"""What is metered of real processes, against their own clocks: a small form of ``bench --only accuracy``."""

from __future__ import annotations

from pathlib import Path

from bench.accuracy import Plan, run
from bench.errors import Report

PLAN = Plan(tenants=200, shortest_ms=50, longest_ms=4000, begun_within_ms=6000, sample_ms=1000, report_ms=5000)


def test_metered_intervals_are_off_by_no_more_than_is_promised(tmp_path: Path) -> None:
    measured = run(tmp_path, PLAN)
    report = Report(measured)
    assert report.broken() == []
    assert measured.failed > 0
    lives = [each for each in measured.lives if report.groups()["undisturbed"](each)]
    by_mode = [[each for each in lives if each.accounted is mode] for mode in (True, False)]
    assert min(len(each) for each in by_mode) > 50, "most lives are as drivers should have them"
    assert any(each.told is None for each in by_mode[1]), "without accounting mode, some are too short to be seen"
    assert {figure.name for figure in report.figures()} >= {"accuracy.bridged_s", "accuracy.samples.all.held_percent"}
