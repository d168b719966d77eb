"""What waiting dead letters would have said: an upper bound, each card's time once, and nothing once they are read."""

from __future__ import annotations

from msgspec import structs
from tests.ingest.reports import AT_MS
from tests.ingest.skewed import Delivered, minute

from cardhour_contract.clock import VirtualClock
from cardhour_contract.moment import DAY_MS, HOUR_MS, MINUTE_MS, MS_US
from cardhour_ingest.loop import drain
from cardhour_ingest.replay import replay, waiting
from cardhour_ingest.warehouse.client import Warehouse
from cardhour_ingest.warehouse.unread import unread

HALF_MINUTE_US = MINUTE_MS * MS_US // 2


def test_letters_are_worth_what_they_speak_of_until_they_are_read(warehouse: Warehouse) -> None:
    good = minute(500, 0)  # names the card's model
    skewed = [minute(at, -2 * HOUR_MS) for at in range(10)]
    repeated = [structs.replace(skewed[0], position=skewed[0].position._replace(offset=9_999))]
    garbage = structs.replace(minute(11, -2 * HOUR_MS), body=b"\x00garbage")
    drain(Delivered([good, *skewed, *repeated, garbage]), warehouse)
    span = AT_MS - DAY_MS, AT_MS + DAY_MS

    found = unread(warehouse, *span)
    assert (found.letters, found.unreadable) == (12, 1)
    assert found.held_us == {"H100": 10 * HALF_MINUTE_US}, "a repetition adds nothing"
    assert unread(warehouse, AT_MS, AT_MS + HOUR_MS).held_us == {}, "only time of the span"

    replay(warehouse, waiting(warehouse, reason="clock_skew"), clock=VirtualClock(AT_MS + DAY_MS), who="lin")
    assert unread(warehouse, *span).held_us == {}
