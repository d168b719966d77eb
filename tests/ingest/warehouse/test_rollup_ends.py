"""A rollup while ingest goes on: it settles the marks that it found, and does not wait for a moment without any."""

from __future__ import annotations

from itertools import count

from cardhour_ingest.tables import dirty_hour
from cardhour_ingest.warehouse.client import Warehouse
from cardhour_ingest.warehouse.rollup import RollupResult, open_pairs, roll_up

HOURS = frozenset({(494_000, "node-1"), (494_001, "node-1")})


def test_it_ends_although_an_hour_is_marked_again_whenever_one_is_done(warehouse: Warehouse) -> None:
    marks = count(1)

    def mark(done: RollupResult | None = None, left: int = 0) -> None:
        number = next(marks)
        assert number < 5, "it does not end"
        warehouse.insert("dirty_hour", dirty_hour(HOURS, number))

    mark()
    assert roll_up(warehouse, progress=mark).pairs == 2
    assert open_pairs(warehouse) == 2


def test_it_takes_as_many_runs_as_there_are_hours_for(warehouse: Warehouse) -> None:
    warehouse.insert("dirty_hour", dirty_hour(HOURS, 1))
    assert roll_up(warehouse, pairs_max=1).pairs == 2
    assert open_pairs(warehouse) == 0
