"""What dead letters would have said of a span: card-time by model that may be missing from its ledger.

Owns that estimate, an upper bound: a letter may repeat what was accepted in another copy. Does not own why a letter is
dead (``letters``) nor reading it again (``cardhour_ingest.replay``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from msgspec import Struct

from cardhour_contract.errors import Reject
from cardhour_contract.interval import Interval, intersect, union_ms
from cardhour_contract.moment import LAST_MS, MS_US
from cardhour_contract.wire import USAGE_COLUMNS, PackedReport, column_values, read_envelope, read_report
from cardhour_ingest.warehouse.client import Warehouse
from cardhour_ingest.warehouse.letters import StoredMessage, find_letters, messages_of
from cardhour_ingest.warehouse.sql import sql

LETTERS_READ_MAX = 2_000
"""Letters that are read for their value, the oldest first: at their largest they are two gigabytes already."""
AT_ONCE = 100


class Unread(Struct, frozen=True, kw_only=True):
    """``held_us``: card-microseconds by model, each card's time once; an empty model is one that nobody has named."""

    letters: int
    unreadable: int
    """Of these, letters that say nothing that can be read, or were too many to be read for this."""
    held_us: Mapping[str, int]


def unread(warehouse: Warehouse, from_ms: int, to_ms: int) -> Unread:
    """What waiting letters that were received since ``from_ms`` say of ``[from_ms, to_ms)``."""
    waiting = [each.letter for each in find_letters(warehouse, since_ms=from_ms) if not each.replayed]
    return said_by(warehouse, waiting, Interval(from_ms, to_ms))


def said_by(warehouse: Warehouse, letters: Sequence[int], within: Interval) -> Unread:
    """What these letters say of a span."""
    held: dict[str, list[Interval]] = {}
    readable = 0
    for _, report in _reports(warehouse, letters[:LETTERS_READ_MAX]):
        if report is not None:
            readable += 1
            _add(held, report)
    held_us = _by_model(held, _models(warehouse, sorted(held)), within)
    return Unread(letters=len(letters), unreadable=len(letters) - readable, held_us=held_us)


def said_by_each(warehouse: Warehouse, letters: Sequence[int]) -> dict[int, Mapping[str, int]]:
    """What each of these letters says, by model; of what says nothing that can be read there is none."""
    times: dict[int, dict[str, list[Interval]]] = {}
    for letter, report in _reports(warehouse, letters[:LETTERS_READ_MAX]):
        if report is not None:
            _add(times.setdefault(letter, {}), report)
    models = _models(warehouse, sorted({card for held in times.values() for card in held}))
    return {letter: _by_model(held, models, Interval(0, LAST_MS)) for letter, held in times.items()}


def _reports(warehouse: Warehouse, letters: Sequence[int]) -> Iterator[tuple[int, PackedReport | None]]:
    """Every letter that there is, and its report where it has one."""
    for first in range(0, len(letters), AT_ONCE):
        for letter, message in messages_of(warehouse, letters[first : first + AT_ONCE]).items():
            yield letter, _report(message)


def _by_model(held: Mapping[str, Sequence[Interval]], models: Mapping[str, str], within: Interval) -> dict[str, int]:
    """Each card's time once, added up by model."""
    sums: dict[str, int] = {}
    for card, times in held.items():
        length_us = union_ms(intersect(times, within)) * MS_US
        if length_us:
            model = models.get(card, "")
            sums[model] = sums.get(model, 0) + length_us
    return sums


def _report(message: StoredMessage) -> PackedReport | None:
    try:
        return read_report(read_envelope(message.headers), message.body)
    except Reject:
        return None


def _add(held: dict[str, list[Interval]], report: PackedReport) -> None:
    columns = {
        name: column_values(USAGE_COLUMNS[name], getattr(report.usage, name))
        for name in ("card", "started_at_ms", "ended_at_ms")
    }
    for card, start_ms, end_ms in zip(*columns.values(), strict=True):
        # Checks of the content came to nothing, so nothing is believed here either.
        if card < len(report.strings) and start_ms <= end_ms:
            held.setdefault(report.strings[card], []).append(Interval(start_ms, end_ms))


def _models(warehouse: Warehouse, cards: Sequence[str]) -> dict[str, str]:
    rows = warehouse.rows(sql("queries/card_models"), cards=list(cards)) if cards else []
    return {str(row["card"]): str(row["model"]) for row in rows}
