"""One message to one report, or a Reject: what can be said of a report without looking at its columns.

Owns the envelope's agreement with the report, clock skew, and the values outside the columns. Does not own bytes
(``contract.wire``) nor the columns (``columns``).
"""

from __future__ import annotations

import re
from functools import lru_cache

from msgspec import Struct

from cardhour_contract.errors import Reject
from cardhour_contract.identity import NAME_BYTES_MAX, batch_key
from cardhour_contract.moment import DAY_MS, LAST_MS
from cardhour_contract.record import SHARE_WHOLE, Attribution, Fault, Process, Scan
from cardhour_contract.wire import Envelope, PackedReport, read_envelope, read_report
from cardhour_ingest.dead_letter import NODE_PREFIX
from cardhour_ingest.skew import moved
from cardhour_ingest.source import Message
from cardhour_ingest.trust import Anyone, Trust

SKEW_MAX_MS = 30_000
"""Between the sender's clock and the broker's when a message is appended (metering §2). Sending takes seconds at most,
so more is a wrong clock, and every interval of the report would be off by as much."""

PAST_MAX_MS = 400 * DAY_MS
"""How far before its report a record may lie: raw rows are kept 400 days, so an older one could never be counted."""

FUTURE_MAX_MS = DAY_MS
"""How far after its report a record may lie, and a report after its arrival: more is a broken clock."""

BAD_VALUE = "bad_value"
CLOCK_SKEW = "clock_skew"
OUT_OF_TIME = "out_of_time"

UNSIGNED_32, UNSIGNED_64 = 2**32, 2**64

OWNER = re.compile(r"[a-z][a-z0-9_.-]*:[^\s:].*", re.ASCII | re.DOTALL)
"""``kind:name``."""


class Arrived(Struct, frozen=True, kw_only=True):
    """A message that holds a report, and what identifies its rows."""

    message: Message
    envelope: Envelope
    report: PackedReport
    batch: int
    """``identity.batch_key`` of the message's ``ce_id``: the same however often the message arrives."""

    @property
    def rows(self) -> int:
        return self.report.usage_rows + self.report.card_rows


ANYONE = Anyone()


def read(message: Message, *, trust: Trust = ANYONE, clock_offset_ms: int = 0) -> Arrived:
    """The report in a message. Raises Reject with the path to what is wrong.

    trust: decides, before anything else is made of it, whether the message may be from whom it says. A letter of
    another reason has therefore passed, and is replayed unasked: also one of a version that is not known yet.
    clock_offset_ms: what the sender's clock is known to be ahead by; it is taken from every time in the report.
    """
    envelope = read_envelope(message.headers)
    trust.check(message, envelope.source)
    report = read_report(envelope, message.body)
    if envelope.source != f"{NODE_PREFIX}{report.node}":
        raise Reject("wrong_source", f"'{envelope.source}' sent a report of node '{report.node}'", path="$.node")
    trust.check_cards(report)
    _check_skew(envelope, message.received_at_ms + clock_offset_ms)
    if clock_offset_ms:
        report = moved(report, clock_offset_ms)
    _check_report(report, message.received_at_ms)
    if report.scan is not None:
        _check_scan(report.scan, report)
    for at, fault in enumerate(report.faults):
        _check_fault(fault, report, f"$.faults[{at}]")
    for at, attribution in enumerate(report.attributions):
        _check_attribution(attribution, f"$.attributions[{at}]")
    for at, process in enumerate(report.processes):
        _check_process(process, f"$.processes[{at}]")
    return Arrived(message=message, envelope=envelope, report=report, batch=batch_key(envelope.id))


@lru_cache(maxsize=65_536)
def name_problem(name: str) -> str | None:
    """What is wrong with the name of an owner, workload, node, card or model; None for a good one."""
    if not name:
        return "the name is empty"
    if len(name.encode()) > NAME_BYTES_MAX:
        return f"the name is longer than {NAME_BYTES_MAX} bytes"
    return None


@lru_cache(maxsize=65_536)
def owner_problem(owner: str) -> str | None:
    if OWNER.fullmatch(owner) is None:
        return f"'{owner[:80]}' is not of the form kind:name"
    return name_problem(owner)


def _check_skew(envelope: Envelope, received_at_ms: int) -> None:
    if envelope.sent_at_ms is None:
        return
    offset_ms = envelope.sent_at_ms - received_at_ms
    if abs(offset_ms) > SKEW_MAX_MS:
        raise Reject(CLOCK_SKEW, f"offset_ms={offset_ms}: the sender's clock less the broker's", path="headers.ce_time")


def _check_report(report: PackedReport, received_at_ms: int) -> None:
    _check_name(report.node, "$.node")
    _check_name(report.cluster, "$.cluster")
    _check_name(report.boot_id, "$.boot_id")
    if _plainly_in_time(report, received_at_ms):
        return
    _check_instant(report.wall_ms, "$.wall_ms")
    if report.wall_ms > received_at_ms + FUTURE_MAX_MS:
        raise Reject(OUT_OF_TIME, "the node's clock is more than a day ahead of the report's arrival", path="$.wall_ms")
    _check_range(report.monotonic_ms, LAST_MS, "$.monotonic_ms")
    _check_near(report.started_at_ms, report, "$.started_at_ms")
    _check_near(report.ended_at_ms, report, "$.ended_at_ms")
    if report.ended_at_ms < report.started_at_ms:
        raise Reject(BAD_VALUE, "the report ends before it starts", path="$.ended_at_ms")


def _plainly_in_time(report: PackedReport, received_at_ms: int) -> bool:
    """Whether its times pass all that follows here: asked in one go, since those of almost every report do."""
    start_ms, end_ms, wall_ms = report.started_at_ms, report.ended_at_ms, report.wall_ms
    return (
        0 <= wall_ms - PAST_MAX_MS <= start_ms <= end_ms <= wall_ms + FUTURE_MAX_MS <= LAST_MS
        and wall_ms <= received_at_ms + FUTURE_MAX_MS
        and 0 <= report.monotonic_ms <= LAST_MS
    )


def _check_scan(scan: Scan, report: PackedReport) -> None:
    _check_near(scan.at_ms, report, "$.scan.at_ms")
    for at, each in enumerate(scan.cards):
        path = f"$.scan.cards[{at}]"
        _check_name(each.card, f"{path}.card")
        _check_name(each.model, f"{path}.model")
        if each.parent:
            _check_name(each.parent, f"{path}.parent")
        _check_range(each.memory_bytes or 0, UNSIGNED_64 - 1, f"{path}.memory_bytes")


def _check_fault(fault: Fault, report: PackedReport, path: str) -> None:
    _check_name(fault.card, f"{path}.card")
    _check_name(fault.reason, f"{path}.reason")
    _check_near(fault.opened_at_ms, report, f"{path}.opened_at_ms")
    if fault.closed_at_ms is not None:
        _check_near(fault.closed_at_ms, report, f"{path}.closed_at_ms")
        if fault.closed_at_ms < fault.opened_at_ms:
            raise Reject(BAD_VALUE, "the fault closes before it opens", path=f"{path}.closed_at_ms")


def _check_attribution(attribution: Attribution, path: str) -> None:
    problem = owner_problem(attribution.owner)
    if problem:
        raise Reject(BAD_VALUE, problem, path=f"{path}.owner")
    _check_name(attribution.workload, f"{path}.workload")
    _check_range(attribution.process, UNSIGNED_64 - 1, f"{path}.process")
    if not 1 <= attribution.share <= SHARE_WHOLE:
        raise Reject(BAD_VALUE, f"{attribution.share} is not 1 to {SHARE_WHOLE}", path=f"{path}.share")


def _check_process(process: Process, path: str) -> None:
    _check_range(process.process, UNSIGNED_64 - 1, f"{path}.process")
    _check_range(process.pid, UNSIGNED_32 - 1, f"{path}.pid")
    _check_range(process.start_ticks, UNSIGNED_64 - 1, f"{path}.start_ticks")
    _check_range(process.uid or 0, UNSIGNED_32 - 1, f"{path}.uid")


def _check_name(name: str, path: str) -> None:
    problem = name_problem(name)
    if problem:
        raise Reject(BAD_VALUE, problem, path=path)


def _check_range(value: int, most: int, path: str) -> None:
    if not 0 <= value <= most:
        raise Reject(BAD_VALUE, f"{value} is not 0 to {most}", path=path)


def _check_instant(at_ms: int, path: str) -> None:
    _check_range(at_ms, LAST_MS, path)


def _check_near(at_ms: int, report: PackedReport, path: str) -> None:
    """Near the report's own clock, so that one slip cannot write pages of another decade."""
    _check_instant(at_ms, path)
    if not report.wall_ms - PAST_MAX_MS <= at_ms <= report.wall_ms + FUTURE_MAX_MS:
        raise Reject(OUT_OF_TIME, "more than 400 days before or a day after the report", path=path)
