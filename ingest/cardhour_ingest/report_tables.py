"""A batch of reports as the warehouse's tables; this half: all that is not a usage or card row.

Owns which field of a report becomes which column, and the hours that faults change. Does not own the rules
(``reading``) nor inserting (``loop``). The tables are those of ``warehouse/migrations``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from operator import attrgetter

import pyarrow as pa

from cardhour_contract.identity import workload_key
from cardhour_contract.moment import DAY_MS, HOUR_MS
from cardhour_contract.record import Attribution, Basis, Fault, Process, Scan
from cardhour_ingest.reading import Arrived

RECEIVED_AT = pa.timestamp("ms", "UTC")

FAULT_OPEN_MS = DAY_MS
"""An open fault counts for at most a day without confirmation (metering §5), so no later hour depends on it."""

DESCRIPTION_MAX = 1_024
"""Characters of a command line or cgroup path that are kept: they describe a process, and identify nothing."""

BASIS = {"process": Basis.PROCESS, "allocation": Basis.ALLOCATION}

Hour = tuple[int, str]
"""An hour since the epoch, and a node."""


def node(arrived: Sequence[Arrived]) -> pa.Table:
    """The latest word of each node about itself."""
    latest = {each.report.node: each.report for each in sorted(arrived, key=lambda each: each.report.wall_ms)}
    reports = latest.values()
    return pa.table({
        "node": pa.array([each.node for each in reports], pa.string()),
        "cluster": pa.array([each.cluster for each in reports], pa.string()),
        "boot_id": pa.array([each.boot_id for each in reports], pa.string()),
        "seen_at_ms": pa.array([each.wall_ms for each in reports], pa.uint64()),
    })  # fmt: skip


def node_basis(arrived: Sequence[Arrived]) -> pa.Table:
    """The first and the last word of each node about its basis, for each day and basis."""
    words: dict[tuple[str, int, Basis], list[int]] = {}
    for each in (each.report for each in arrived):
        words.setdefault((each.node, each.wall_ms // DAY_MS, BASIS[each.basis]), []).append(each.wall_ms)
    return pa.table({
        "node": pa.array([node for node, _, _ in words], pa.string()),
        "day": pa.array([day for _, day, _ in words], pa.uint32()),
        "basis": pa.array([basis for _, _, basis in words], pa.uint8()),
        "first_ms": pa.array([min(times) for times in words.values()], pa.uint64()),
        "last_ms": pa.array([max(times) for times in words.values()], pa.uint64()),
    })  # fmt: skip


def card(arrived: Sequence[Arrived]) -> pa.Table:
    listed = [(each.report, scan.at_ms, card) for each, scan in _scans(arrived) for card in scan.cards]
    at_ms = pa.array([at_ms for _, at_ms, _ in listed], pa.uint64())
    return pa.table({
        "card": pa.array([card.card for _, _, card in listed], pa.string()),
        "scanned": pa.array([1] * len(listed), pa.uint8()),
        "node": pa.array([report.node for report, _, _ in listed], pa.string()),
        "cluster": pa.array([report.cluster for report, _, _ in listed], pa.string()),
        "model": pa.array([card.model for _, _, card in listed], pa.string()),
        "parent": pa.array([card.parent for _, _, card in listed], pa.string()),
        "memory_bytes": pa.array([card.memory_bytes or 0 for _, _, card in listed], pa.uint64()),
        "first_seen_ms": at_ms,
        "last_seen_ms": at_ms,
    })  # fmt: skip


def node_scan(arrived: Sequence[Arrived]) -> pa.Table:
    scans = list(_scans(arrived))
    return pa.table({
        **_origin([each for each, _ in scans]),
        "at_ms": pa.array([scan.at_ms for _, scan in scans], pa.uint64()),
        "cards": pa.array([[card.card for card in scan.cards] for _, scan in scans], pa.list_(pa.string())),
    })  # fmt: skip


def process(arrived: Sequence[Arrived]) -> pa.Table:
    seen: list[tuple[Arrived, Process]] = [(each, process) for each in arrived for process in each.report.processes]
    return pa.table({
        "process": pa.array([process.process for _, process in seen], pa.uint64()),
        "node": pa.array([each.report.node for each, _ in seen], pa.string()),
        "boot_id": pa.array([each.report.boot_id for each, _ in seen], pa.string()),
        "pid": pa.array([process.pid for _, process in seen], pa.uint32()),
        "start_ticks": pa.array([process.start_ticks for _, process in seen], pa.uint64()),
        "uid": pa.array([process.uid for _, process in seen], pa.uint32()),
        "command": pa.array([process.command[:DESCRIPTION_MAX] for _, process in seen], pa.string()),
        "cgroup": pa.array([process.cgroup[:DESCRIPTION_MAX] for _, process in seen], pa.string()),
        "container_id": pa.array([process.container_id[:DESCRIPTION_MAX] for _, process in seen], pa.string()),
    })  # fmt: skip


def fault(arrived: Sequence[Arrived]) -> pa.Table:
    found: list[tuple[Arrived, Fault]] = [(each, fault) for each in arrived for fault in each.report.faults]
    return pa.table({
        **_origin([each for each, _ in found]),
        "card": pa.array([fault.card for _, fault in found], pa.string()),
        "opened_at_ms": pa.array([fault.opened_at_ms for _, fault in found], pa.uint64()),
        "closed_at_ms": pa.array([fault.closed_at_ms or 0 for _, fault in found], pa.uint64()),
        "reason": pa.array([fault.reason for _, fault in found], pa.string()),
    })  # fmt: skip


def fault_hours(arrived: Sequence[Arrived]) -> set[Hour]:
    """Every hour that a fault touches: to its end, or as far as an open one can count by the time it arrives."""
    hours: set[Hour] = set()
    for each in arrived:
        for fault in each.report.faults:
            so_far_ms = max(each.report.wall_ms, each.message.received_at_ms)
            end_ms = fault.closed_at_ms or min(fault.opened_at_ms + FAULT_OPEN_MS, so_far_ms)
            last = max(end_ms - 1, fault.opened_at_ms) // HOUR_MS
            hours.update((hour, each.report.node) for hour in range(fault.opened_at_ms // HOUR_MS, last + 1))
    return hours


def attribution(arrived: Sequence[Arrived]) -> pa.Table:
    late: list[tuple[Arrived, Attribution]] = [(each, one) for each in arrived for one in each.report.attributions]
    return pa.table({
        **_origin([each for each, _ in late]),
        "process": pa.array([one.process for _, one in late], pa.uint64()),
        "at_ms": pa.array([each.report.wall_ms for each, _ in late], pa.uint64()),
        "owner": pa.array([one.owner for _, one in late], pa.string()),
        "workload": pa.array([workload_key(one.owner, one.workload) for _, one in late], pa.uint64()),
        "share": pa.array([one.share for _, one in late], pa.uint16()),
    })  # fmt: skip


OCCASIONAL = {
    "card": (card, attrgetter("report.scan")),
    "node_scan": (node_scan, attrgetter("report.scan")),
    "process": (process, attrgetter("report.processes")),
    "fault": (fault, attrgetter("report.faults")),
    "attribution": (attribution, attrgetter("report.attributions")),
}
"""Tables of what few reports have, each with its part of a report."""


def occasional(arrived: Sequence[Arrived]) -> dict[str, pa.Table]:
    """Those of these tables that have rows: even an empty one takes a while to make."""
    saying = {name: [each for each in arrived if part(each)] for name, (_, part) in OCCASIONAL.items()}
    return {name: OCCASIONAL[name][0](those) for name, those in saying.items() if those}


def ingest_batch(arrived: Sequence[Arrived]) -> pa.Table:
    reports = [each.report for each in arrived]
    return pa.table({
        **_origin(arrived),
        "source_id": pa.array([each.envelope.id for each in arrived], pa.string()),
        "boot_id": pa.array([each.boot_id for each in reports], pa.string()),
        "position": pa.array([str(each.message.position) for each in arrived], pa.string()),
        "started_at_ms": pa.array([each.started_at_ms for each in reports], pa.uint64()),
        "ended_at_ms": pa.array([each.ended_at_ms for each in reports], pa.uint64()),
        "wall_ms": pa.array([each.wall_ms for each in reports], pa.uint64()),
        "monotonic_ms": pa.array([each.monotonic_ms for each in reports], pa.uint64()),
        "ntp_synced": pa.array([each.ntp_synced for each in reports], pa.bool_()).cast(pa.uint8()),
        "sent_at_ms": pa.array([each.envelope.sent_at_ms for each in arrived], pa.uint64()),
        "usage_rows": pa.array([each.usage_rows for each in reports], pa.uint32()),
        "card_rows": pa.array([each.card_rows for each in reports], pa.uint32()),
    })  # fmt: skip


def _scans(arrived: Sequence[Arrived]) -> Iterator[tuple[Arrived, Scan]]:
    return ((each, each.report.scan) for each in arrived if each.report.scan is not None)


def _origin(arrived: Sequence[Arrived]) -> dict[str, pa.Array]:
    """The columns that say which message a row came with."""
    return {
        "node": pa.array([each.report.node for each in arrived], pa.string()),
        "batch": pa.array([each.batch for each in arrived], pa.uint64()),
        "received_at": pa.array([each.message.received_at_ms for each in arrived], pa.int64()).cast(RECEIVED_AT),
    }
