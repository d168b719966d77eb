"""Making room: reports that wait in a spool that is nearly full become one for each quarter hour.

Owns which reports and which records may be merged, so that no integer of the ledger changes: records of one process
that touch, within a quarter hour, with the same claim and the same readings taken. Their union and their integrals
stay exactly; what is given up is how use was spread inside the quarter, which no page tells. Does not own the spool,
which refuses to replace what was handed over already: of two copies of a time with different rates the ledger would
take the higher.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import TypeVar

from msgspec import structs

from cardhour_contract.moment import QUARTER_MS
from cardhour_contract.record import CardRecord, Process, Report, UsageRecord
from cardhour_contract.spool import Entry, Spool, Spooled
from cardhour_contract.unpack import unpack
from cardhour_contract.wire import BODY_BYTES_MAX, PACKED, decode, encode_packed

NEAR_FULL = 0.9
"""Share of the spool's limit from which on reports are merged; what is left lasts while that goes on."""

AT_ONCE = 500
"""Reports looked at in one go: some tenths of a second, between two samples."""

AMOUNTS: dict[type, tuple[str, ...]] = {UsageRecord: ("active", "memory"), CardRecord: ("energy_mj",)}
"""What adds up over time."""

Record = TypeVar("Record", UsageRecord, CardRecord)


class Merger:
    """Merges a spool from its oldest report on, a part at each call."""

    def __init__(self, spool: Spool) -> None:
        self._spool = spool
        self._done_up_to = 0
        self.merged = 0
        """Reports that are now part of another."""

    def make_room(self) -> int:
        """Merge the next reports that can be. Returns how many fewer there are; 0 where nothing is left to merge."""
        freed, more = 0, True
        while more and not freed:
            found = self._spool.not_handed_over(after=self._done_up_to, limit=AT_ONCE)
            several = list(groups(found))
            freed = sum(self._merge(group) for group in several)
            more = len(found) == AT_ONCE
            if several:
                # The last group may go on with what comes next; where all that was looked at is one, it ends here.
                one = more and len(several) == 1
                self._done_up_to = several[-1][-1].sequence if one else several[-1][0].sequence - 1
        self.merged += freed
        return freed

    def _merge(self, group: Sequence[Spooled]) -> int:
        if len(group) < 2:
            return 0
        last = group[-1].entry
        body = encode_packed(merge([_report(each) for each in group]))
        entry = Entry(node=last.node, boot_id=last.boot_id, created_at_ms=group[0].entry.created_at_ms, body=body)
        return len(group) - 1 if self._spool.replace([each.sequence for each in group], entry) else 0


def groups(reports: Iterable[Spooled]) -> Iterator[list[Spooled]]:
    """Runs of reports that may become one: of one boot and quarter hour, with at most one scan, and not too large."""
    group: list[Spooled] = []
    first: Report | None = None
    scans = size = 0
    for each in reports:
        report = _report(each) if each.entry.content_type == PACKED else None
        size += len(each.entry.body)
        scans += report is not None and report.scan is not None
        if group and first and report and _together(first, report) and scans < 2 and size <= BODY_BYTES_MAX:
            group.append(each)
            continue
        if group:
            yield group
        group, first = [each], report
        scans, size = int(report is not None and report.scan is not None), len(each.entry.body)
    if group:
        yield group


def merge(reports: Sequence[Report]) -> Report:
    """One report that says what these say; all of one node, boot and quarter hour, in their order."""
    latest = {late.process: late for each in reports for late in each.attributions}
    described: dict[int, Process] = {one.process: one for each in reports for one in each.processes}
    return structs.replace(
        reports[-1],
        started_at_ms=min(each.started_at_ms for each in reports),
        usage=tuple(_joined(record for each in reports for record in each.usage)),
        cards=tuple(_joined(record for each in reports for record in each.cards)),
        scan=next((each.scan for each in reports if each.scan is not None), None),
        faults=tuple(fault for each in reports for fault in each.faults),
        attributions=tuple(latest.values()),
        processes=tuple(described.values()),
    )


def _report(spooled: Spooled) -> Report:
    return unpack(decode(spooled.entry.body, PACKED))


def _together(first: Report, other: Report) -> bool:
    same = all(getattr(first, name) == getattr(other, name) for name in ("node", "cluster", "boot_id", "basis"))
    # A report that ends with the quarter belongs to it, so the quarter of its last millisecond is what counts.
    return same and (first.ended_at_ms - 1) // QUARTER_MS == (other.ended_at_ms - 1) // QUARTER_MS


def _joined(records: Iterable[Record]) -> Iterator[Record]:
    """Records that touch and differ in time and amounts alone become one; those of a subject that overlap all stay."""
    by_subject: defaultdict[tuple[object, ...], list[Record]] = defaultdict(list)
    for record in records:
        by_subject[record.card, getattr(record, "process", None)].append(record)
    for same in by_subject.values():
        same.sort(key=lambda each: (each.started_at_ms, each.ended_at_ms))
        if any(left.ended_at_ms > right.started_at_ms for left, right in pairwise(same)):
            yield from same
            continue
        current = same[0]
        for each in same[1:]:
            if _touch(current, each) and _what(current) == _what(each):
                current = _sum(current, each)
            else:
                yield current
                current = each
        yield current


def _what(record: UsageRecord | CardRecord) -> tuple[object, ...]:
    """All but time and amounts; of the amounts, whether they were measured."""
    amounts = AMOUNTS[type(record)]
    fixed = [name for name in record.__struct_fields__ if name not in (*amounts, "started_at_ms", "ended_at_ms")]
    return (*(getattr(record, name) for name in fixed), *(getattr(record, name) is None for name in amounts))


def _touch(left: Record, right: Record) -> bool:
    in_one_quarter = left.started_at_ms // QUARTER_MS == (right.ended_at_ms - 1) // QUARTER_MS
    return left.ended_at_ms == right.started_at_ms and in_one_quarter


def _sum(left: Record, right: Record) -> Record:
    sums = {
        name: None if getattr(left, name) is None else getattr(left, name) + getattr(right, name)
        for name in AMOUNTS[type(left)]
    }
    return structs.replace(left, ended_at_ms=right.ended_at_ms, **sums)
