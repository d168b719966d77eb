"""Dead letters read again: through the same reading and storing as any message, after what was wrong is mended.

Owns the order of a replay and the offset that a letter of a wrong clock is read with. Does not own the rules
(``reading``, ``rules``) nor the tables (``warehouse.letters``). Replaying twice changes nothing: a report's rows have
the keys of its ``ce_id`` whenever it is read, and a letter keeps the offset that it was first read with.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import msgspec
from msgspec import Struct

from cardhour_contract.clock import Clock
from cardhour_contract.errors import Refuse, Reject
from cardhour_contract.identity import batch_key
from cardhour_contract.wire import (
    CARD_COLUMNS,
    ROWS,
    USAGE_COLUMNS,
    CardColumns,
    PackedReport,
    UsageColumns,
    column_values,
    read_envelope,
    read_report,
)
from cardhour_ingest.loop import mark
from cardhour_ingest.reading import CLOCK_SKEW, Arrived, read
from cardhour_ingest.source import Message, Position
from cardhour_ingest.tables import Facts, facts_of
from cardhour_ingest.trust import UNTRUSTED, EnrolledNodes, Trust
from cardhour_ingest.warehouse.client import Warehouse
from cardhour_ingest.warehouse.facts import insert_facts
from cardhour_ingest.warehouse.homes import card_listings
from cardhour_ingest.warehouse.letters import (
    TOO_LATE,
    Attempt,
    StoredLetter,
    find_letters,
    messages_of,
    record_attempts,
    stored_batches,
)
from cardhour_ingest.warehouse.node_keys import keys_by_id

LETTERS_AT_ONCE = 100
"""Letters read and stored together: at their largest, 100 MB of bodies."""


JITTER_MS = 2_000
"""Offsets of one node that differ by less are one wrong clock, measured through deliveries that took longer or shorter:
the quickest delivery tells it best, and one offset for all keeps reports that touched touching."""

NAMES = frozenset({"card", "owner", "workload"})
"""Columns that hold an index into a report's strings."""


class Replayed(Struct, frozen=True, kw_only=True):
    """What became of one letter."""

    letter: int
    offset_ms: int
    """Taken from every time in it."""
    accepted: bool
    reason: str = ""
    """Why it is still a dead letter."""
    path: str = ""
    detail: str = ""


def waiting(warehouse: Warehouse, *, letters: Sequence[int] = (), reason: str = "") -> list[StoredLetter]:
    """Which letters a replay of these would read. Raises Refuse for one that there is not, or that holds no message."""
    found = find_letters(warehouse, letters=letters, reason=reason)
    known = {each.letter for each in found}
    problems = [f"there is no dead letter {each:016x}" for each in letters if each not in known]
    problems += [
        f"letter {each.letter:016x} is {TOO_LATE}: its page is sealed, and no reading of it can change that"
        for each in found
        if each.reason == TOO_LATE
    ]
    if problems:
        raise Refuse(*problems)
    return [each for each in found if not each.replayed]


def replay(
    warehouse: Warehouse,
    letters: Sequence[StoredLetter],
    *,
    clock: Clock,
    who: str,
    unsigned: bool = False,
    progress: Callable[[int, int], None] = lambda done, of: None,
) -> list[Replayed]:
    """Read letters of ``waiting`` again. Roll up afterwards for the ledger to show what was accepted.

    What was rejected for its signature must have a good one by the keys enrolled now, whatever the settings of this
    machine are, unless ``unsigned``.
    """
    trust = _trust(warehouse, letters, unsigned)
    offsets = _node_offsets(letters)
    done: list[Replayed] = []
    for first in range(0, len(letters), LETTERS_AT_ONCE):
        done += _replay_some(warehouse, letters[first : first + LETTERS_AT_ONCE], offsets, clock, who, trust)
        progress(len(done), len(letters))
    return done


def rehearse(
    warehouse: Warehouse, letters: Sequence[StoredLetter], *, of: Sequence[StoredLetter] = (), unsigned: bool = False
) -> list[Replayed]:
    """What ``replay`` would make of letters, as everything stands now. Nothing is written.

    of: all letters that would be replayed together, where these are the first of them: a node's offset is measured
    over all of its letters.
    """
    offsets = _node_offsets(of or letters)
    trust = _trust(warehouse, letters, unsigned)
    done: list[Replayed] = []
    for first in range(0, len(letters), LETTERS_AT_ONCE):
        some = letters[first : first + LETTERS_AT_ONCE]
        _, rejected = _read_some(warehouse, some, offsets, trust)
        done += [_outcome(each.letter, offsets[each.letter], rejected.get(each.letter)) for each in some]
    return done


def for_its_sender(reason: str) -> bool:
    """Whether a reason says that nobody is known to have sent it: such letters are taken with ``unsigned`` alone."""
    return reason in UNTRUSTED


def decoded(message: Message) -> str:
    """The message's body as JSON as far as it can be read, and why no further."""
    try:
        envelope = read_envelope(message.headers)
        report = read_report(envelope, message.body)
    except Reject as error:
        return f"{error}; the body begins {message.body[:64]!r}"
    if envelope.content_type == ROWS:
        return message.body.decode()
    return msgspec.json.encode(_readable(report)).decode()


def message_of(warehouse: Warehouse, letter: StoredLetter) -> Message:
    """The message of a letter, as it arrived."""
    stored = messages_of(warehouse, [letter.letter])[letter.letter]
    return _message(letter, stored.headers, stored.body)


def _replay_some(
    warehouse: Warehouse,
    letters: Sequence[StoredLetter],
    offsets: Mapping[int, int],
    clock: Clock,
    who: str,
    trust: Mapping[int, Trust],
) -> list[Replayed]:
    # 1. The offsets, before any row: after a crash the letters are read with the same ones, and give the same rows.
    begun = [Attempt(letter=each.letter, outcome="begun", offset_ms=offsets[each.letter]) for each in letters]
    record_attempts(warehouse, clock.now_ms(), who, begun)
    facts, rejected = _read_some(warehouse, letters, offsets, trust)
    # 2. The facts, and 3. the marks, in the order of ingest's own loop and for its reasons.
    insert_facts(warehouse, facts.tables)
    mark(warehouse, facts)
    # 4. The outcomes, last: a letter that is marked as replayed is wholly in.
    done = [_outcome(each.letter, offsets[each.letter], rejected.get(each.letter)) for each in letters]
    record_attempts(warehouse, clock.now_ms(), who, [_attempt(each) for each in done])
    return done


def _read_some(
    warehouse: Warehouse, letters: Sequence[StoredLetter], offsets: Mapping[int, int], trust: Mapping[int, Trust]
) -> tuple[Facts, dict[int, Reject]]:
    """What letters say, and why some of them say nothing that can be taken."""
    stored = messages_of(warehouse, [each.letter for each in letters])
    messages = {each.letter: _message(each, stored[each.letter].headers, stored[each.letter].body) for each in letters}
    # A report whose time of sending looked wrong may have arrived in another copy, whose times were right.
    known = stored_batches(warehouse, [batch_key(each.source_id) for each in letters if not each.begun])
    arrived: dict[int, Arrived] = {}
    rejected: dict[int, Reject] = {}
    for key, message in messages.items():
        try:
            report = read(message, trust=trust[key], clock_offset_ms=offsets[key])
        except Reject as error:
            rejected[key] = error
        else:
            if report.batch not in known:
                arrived[key] = report
                known.add(report.batch)
    facts, bad = facts_of(list(arrived.values()))
    keys = list(arrived)
    return facts, rejected | {keys[at]: error for at, error in bad.items()}


def _trust(warehouse: Warehouse, letters: Sequence[StoredLetter], unsigned: bool) -> dict[int, Trust]:
    """How each letter is judged. What got past the signature once was rejected for something else."""
    keys, listings = keys_by_id(warehouse), card_listings(warehouse)
    signed, any_node = (EnrolledNodes(keys, listings, required=required) for required in (True, False))
    return {each.letter: signed if each.reason in UNTRUSTED and not unsigned else any_node for each in letters}


def _message(letter: StoredLetter, headers: list[tuple[str, bytes]], body: bytes) -> Message:
    stream, _, offset = letter.position.rpartition("/")
    return Message(
        headers=headers,
        body=body,
        received_at_ms=letter.received_at_ms,
        position=Position(stream, int(offset) if offset.isdecimal() else 0),
    )


def _node_offsets(letters: Sequence[StoredLetter]) -> dict[int, int]:
    """The offset of each letter's times: the one it was first read with, else its node's; 0 where the clock was right.

    A node's offset is the greatest of those measured within JITTER_MS of each other.
    """
    found = {each.letter: each.begun_offset_ms if each.begun else 0 for each in letters}
    skewed = [each for each in letters if each.reason == CLOCK_SKEW and not each.begun]
    greatest: dict[str, int] = {}
    for each in sorted(skewed, key=lambda each: (each.node, -_measured_ms(each))):
        measured_ms = _measured_ms(each)
        if greatest.get(each.node, measured_ms + JITTER_MS) - measured_ms >= JITTER_MS:
            greatest[each.node] = measured_ms
        found[each.letter] = greatest[each.node]
    return found


def _measured_ms(letter: StoredLetter) -> int:
    """As its reason says it (``reading``)."""
    return int(letter.detail.removeprefix("offset_ms=").partition(":")[0])


def _outcome(letter: int, offset_ms: int, error: Reject | None) -> Replayed:
    if error is None:
        return Replayed(letter=letter, offset_ms=offset_ms, accepted=True)
    return Replayed(
        letter=letter, offset_ms=offset_ms, accepted=False, reason=error.reason, path=error.path, detail=error.detail
    )


def _attempt(done: Replayed) -> Attempt:
    return Attempt(
        letter=done.letter,
        outcome="accepted" if done.accepted else "rejected",
        offset_ms=done.offset_ms,
        reason=done.reason,
        path=done.path,
        detail=done.detail,
    )


def _readable(report: PackedReport) -> dict[str, object]:
    """A packed report with its columns as rows, and its names in place of their indexes."""
    fields = {name: getattr(report, name) for name in report.__struct_fields__ if name != "strings"}
    usage = _rows(report.usage, USAGE_COLUMNS, report.strings)
    return fields | {"usage": usage, "cards": _rows(report.cards, CARD_COLUMNS, report.strings)}


def _rows(
    columns: UsageColumns | CardColumns, codes: Mapping[str, str], strings: Sequence[str]
) -> list[dict[str, object]]:
    values = {name: column_values(code, getattr(columns, name)) for name, code in codes.items()}
    return [
        {
            name: strings[value] if name in NAMES and value < len(strings) else value
            for name, value in zip(values, row, strict=True)
        }
        for row in zip(*values.values(), strict=True)
    ]
