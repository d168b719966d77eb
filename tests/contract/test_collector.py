"""Processes that run for long do not look through what they have imported, again and again."""

from __future__ import annotations

import gc

from cardhour_contract import collector
from cardhour_contract.collector import seldom_collect


def test_objects_of_the_start_are_not_looked_through_again() -> None:
    before = gc.get_threshold()
    try:
        seldom_collect()
        assert gc.get_freeze_count() > 0
        assert gc.get_threshold() == (collector.COLLECT_AFTER, collector.OLDER_AFTER, collector.OLDEST_AFTER)
    finally:
        gc.unfreeze()
        gc.set_threshold(*before)
