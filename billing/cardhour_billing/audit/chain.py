"""Checking the audit log: is every entry what was written, where it was written, and is none missing?

Owns walking the chain, the words for the first break, and the heads that are exported each day: a head that is kept
elsewhere (a file, a mailbox, a printout) tells whether the log was rewritten from some point on, which the chain alone
cannot tell. Does not own writing entries (``audit``).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec
from django.db.models import QuerySet
from msgspec import Struct

from cardhour_billing.audit.log import FIRST, digest_of
from cardhour_billing.models import AuditLog
from cardhour_contract.clock import Clock
from cardhour_contract.errors import Refuse
from cardhour_contract.moment import format_rfc3339

HEADS_FILE = "audit-heads.jsonl"
"""In ``CARDHOUR_HOME``: one line for each export, never rewritten."""

CHUNK_ROWS = 2_000
"""Entries read at a time: a log of years does not fit in memory."""


class Head(Struct, frozen=True, kw_only=True):
    """The last entry at some time. ``position`` 0 is an empty log."""

    at: str
    """When it was exported, RFC 3339."""
    position: int
    digest: str


class Chain(Struct, frozen=True, kw_only=True):
    """What a walk found. ``broken`` is empty where the chain holds; else it names the first entry that does not."""

    entries: int
    head: str
    heads_checked: int
    broken: str = ""


class Wanted(Struct, frozen=True, kw_only=True):
    """What a list of entries is narrowed to; empty narrows nothing. ``action`` and ``subject`` are beginnings."""

    who: str = ""
    action: str = ""
    subject: str = ""
    from_ms: int | None = None
    to_ms: int | None = None


def entries(wanted: Wanted) -> QuerySet[AuditLog]:
    """Entries in the order in which they were written."""
    found = AuditLog.objects.order_by("position")
    found = found.filter(who=wanted.who) if wanted.who else found
    found = found.filter(action__startswith=wanted.action) if wanted.action else found
    found = found.filter(subject__startswith=wanted.subject) if wanted.subject else found
    found = found.filter(at_ms__gte=wanted.from_ms) if wanted.from_ms is not None else found
    return found.filter(at_ms__lt=wanted.to_ms) if wanted.to_ms is not None else found


def verify_chain(heads: Iterable[Head] = ()) -> Chain:
    """Walk the whole log, and hold it against exported heads."""
    wanted = {head.position: head for head in heads if head.position}
    count, digest = 0, FIRST
    for entry in AuditLog.objects.order_by("position").iterator(chunk_size=CHUNK_ROWS):
        broken = _break_at(entry, count + 1, digest, wanted.get(entry.position))
        if broken:
            return Chain(entries=count, head=digest, heads_checked=len(wanted), broken=broken)
        count, digest = entry.position, entry.digest
    beyond = [head for at, head in sorted(wanted.items()) if at > count]
    broken = _removed_at_end(count + 1, beyond[0]) if beyond else ""
    return Chain(entries=count, head=digest, heads_checked=len(wanted), broken=broken)


def export_head(home: Path, clock: Clock) -> Head:
    """Append the head to the file of this installation, and give it for printing."""
    last = AuditLog.objects.order_by("-position").values_list("position", "digest").first()
    position, digest = last or (0, FIRST)
    head = Head(at=format_rfc3339(clock.now_ms()), position=position, digest=digest)
    file = home / HEADS_FILE
    try:
        with file.open("ab") as kept:
            kept.write(msgspec.json.encode(head) + b"\n")
    except OSError as error:
        raise Refuse(f"{file} cannot be written: {error.strerror}") from error
    return head


def read_heads(file: Path) -> tuple[Head, ...]:
    """Heads that were exported, oldest first; none where there is no file."""
    try:
        lines = file.read_bytes().splitlines()
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise Refuse(f"{file} cannot be read: {error.strerror}") from error
    return tuple(_heads(file, lines))


def _heads(file: Path, lines: Iterable[bytes]) -> Iterator[Head]:
    for at, line in enumerate(lines, start=1):
        try:
            yield msgspec.json.decode(line, type=Head)
        except msgspec.DecodeError as error:
            raise Refuse(f"{file}, line {at} is not a head as cardhour audit export writes it: {error}") from error


def _break_at(entry: AuditLog, expected: int, previous: str, head: Head | None) -> str:
    """What is wrong with ``entry``, which should be the one at ``expected``; empty where nothing is."""
    if entry.position != expected:
        return f"{_entries(expected, entry.position - 1)}: removed"
    if entry.previous != previous:
        return _misplaced(entry, previous)
    if digest_of(entry) != entry.digest:
        return f"{_entries(expected)}: changed ({entry.action} {entry.subject} by {entry.who})"
    if head and head.digest != entry.digest:
        return f"{_entries(expected)}, or one before it: changed since its head was exported at {head.at}"
    return ""


def _misplaced(entry: AuditLog, previous: str) -> str:
    """Why ``entry`` does not follow the one before it, whose digest is ``previous``."""
    at = entry.position
    follower = AuditLog.objects.filter(previous=previous, position__gt=at).order_by("position").first()
    if follower:
        return f"{_entries(at, follower.position - 1)}: inserted"
    followed = AuditLog.objects.filter(digest=entry.previous, position__lt=at).first()
    if followed:
        return f"{_entries(followed.position + 1, at - 1)}: inserted"
    if digest_of(entry) != entry.digest:
        return f"{_entries(at)}: removed, and those after it renumbered"
    return f"{_entries(max(at - 1, 1))}: changed, together with its digest"


def _entries(first: int, last: int = 0) -> str:
    return f"entries {first} to {last} of the audit log" if last > first else f"entry {first} of the audit log"


def _removed_at_end(missing: int, head: Head) -> str:
    return f"{_entries(missing)}: removed; the head exported at {head.at} was entry {head.position}"
