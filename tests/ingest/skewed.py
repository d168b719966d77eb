"""Minutes of a node whose clock is off, as they arrive, and a source that holds them once."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import structs

from cardhour_contract.moment import MINUTE_MS
from cardhour_contract.record import Report, Scan, ScannedCard
from cardhour_ingest.dead_letter import DeadLetter
from cardhour_ingest.source import Message, Position
from tests.ingest.reports import AT_MS, CARD, card, message, report
from tests.ingest.reports import usage as row

ACTIVE = 600_000 * MINUTE_MS + 1
"""Not divisible by any part of a minute: a cut shows whether anything is lost."""


class Delivered:
    """A source that holds these messages once."""

    def __init__(self, messages: Sequence[Message]) -> None:
        self._messages = list(messages)

    def poll(self, *, wait_ms: int) -> list[Message]:
        found, self._messages = self._messages, []
        return found

    def publish(self, letters: Sequence[DeadLetter]) -> None:
        """Nobody else reads them."""

    def commit(self, positions: Sequence[Position]) -> None:
        """They are gone already."""

    def close(self) -> None:
        """Nothing is open."""


def minute(number: int, ahead_ms: int) -> Message:
    """A minute's report of a node whose clock is ``ahead_ms`` off, as it arrives the moment it was sent."""
    start, end = AT_MS + ahead_ms + number * MINUTE_MS, AT_MS + ahead_ms + (number + 1) * MINUTE_MS
    usage_rows = (row(started_at_ms=start, ended_at_ms=start + MINUTE_MS // 2, active=ACTIVE // 2),)
    sent: Report = report(
        started_at_ms=start,
        ended_at_ms=end,
        wall_ms=end,
        usage=usage_rows,
        cards=(card(started_at_ms=start, ended_at_ms=end),),
        scan=Scan(at_ms=end, cards=(ScannedCard(card=CARD, model="H100"),)),
    )
    arrived = message(sent, number=number, sent_at_ms=end)
    return structs.replace(arrived, received_at_ms=end - ahead_ms)
