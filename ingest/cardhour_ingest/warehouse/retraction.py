"""Retractions: taking a wrong import, a forged batch or a skewed node out of the ledger, without touching raw rows.

Owns the fact, what it would change, and marking the hours it touches. Does not own what a retraction does to a row
(``rollup/kept.sql``). It subtracts only rows received before it, so that a corrected import counts.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from enum import StrEnum
from typing import Any

import pyarrow as pa
from msgspec import Struct

from cardhour_contract.errors import InvariantBroken, Refuse
from cardhour_contract.moment import HOUR_MS, format_rfc3339
from cardhour_ingest.warehouse.client import Warehouse
from cardhour_ingest.warehouse.rollup.run import Run
from cardhour_ingest.warehouse.sql import sql

HOURS_PREVIEWED_MAX = 20_000
"""(hour, node) pairs a preview recomputes: two months of thirteen nodes. A larger retraction is made in parts."""


ALL_HOURS = 2**32 - 1
"""What is marked needs no limit: the rollup takes it in parts."""


class Scope(StrEnum):
    """What a retraction names."""

    BATCH = "batch"
    NODE = "node"
    CARD = "card"
    PROCESS = "process"
    OWNER = "owner"


class Retraction(Struct, frozen=True, kw_only=True):
    """Takes ``[from_ms, to_ms)`` out of everything received so far from its subject."""

    scope: Scope
    subject: str
    """The name; for a batch or a process, its 64-bit key in decimal."""
    from_ms: int
    to_ms: int
    reason: str
    who: str


class Effect(Struct, frozen=True, kw_only=True):
    """Billable time of one holder on one card in one quarter hour, as the ledger has it and as it would be."""

    quarter: int
    """Since the epoch."""
    owner: str
    cluster: str
    node: str
    card: str
    model: str
    before_us: int
    after_us: int


class ImportedBatch(Struct, frozen=True, kw_only=True):
    """One batch of an imported file."""

    batch: int
    source_id: str
    """SHA-256 of the file's content."""
    name: str
    """The file's name when it was imported."""
    started_at_ms: int
    ended_at_ms: int


def check(retraction: Retraction) -> None:
    """Raises Refuse with everything that is wrong with a retraction."""
    problems = []
    if retraction.to_ms <= retraction.from_ms:
        span = f"{format_rfc3339(retraction.from_ms)} to {format_rfc3339(retraction.to_ms)}"
        problems.append(f"a retraction from {span} takes nothing out: --to must be after --from")
    if retraction.scope in (Scope.BATCH, Scope.PROCESS) and not retraction.subject.isdecimal():
        problems.append(f"a {retraction.scope} is named by its key in decimal, not '{retraction.subject}'")
    if not retraction.subject:
        problems.append(f"name the {retraction.scope} whose time is wrong")
    if not retraction.reason.strip():
        problems.append("say why: a retraction without a reason cannot be audited")
    if problems:
        raise Refuse(*problems)


def preview(warehouse: Warehouse, *retractions: Retraction) -> list[Effect]:
    """What ``retract`` would change in the ledger, computed by the rollup itself. Changes nothing.

    retractions: those of one scope and span, such as the batches of one file.
    """
    for each in retractions:
        check(each)
    supposed = f"supposed_{secrets.token_hex(6)}"
    warehouse.command("CREATE TABLE {name:Identifier} ENGINE = Memory AS SELECT * FROM retraction", name=supposed)
    try:
        warehouse.insert(supposed, _rows(warehouse, retractions))
        with Run(warehouse, retraction=supposed) as run:
            pairs = _choose(run, retractions, HOURS_PREVIEWED_MAX + 1)
            if pairs > HOURS_PREVIEWED_MAX:
                raise Refuse(f"this would change more than {HOURS_PREVIEWED_MAX} hours of nodes: retract it in parts")
            if not pairs:
                return []
            run.compute(run.version())
            return [Effect(**row) for row in run.rows("rollup/effect")]
    finally:
        warehouse.command("DROP TABLE {name:Identifier}", name=supposed)


def retract(warehouse: Warehouse, *retractions: Retraction) -> None:
    """Record retractions of one scope and span, and mark the hours they touch, for the next rollup to take them out."""
    for each in retractions:
        check(each)
    # 1. The facts, in one insert and before the marks: a rollup that settles these has seen them.
    warehouse.insert("retraction", _rows(warehouse, retractions))
    # 2. The marks. A crash before them leaves pages as they were; retracting again, a fact of its own, marks them.
    with Run(warehouse) as run:
        _choose(run, retractions, ALL_HOURS)
        run.command("rollup/mark_work")


def batches_of(warehouse: Warehouse, file: str) -> dict[str, list[ImportedBatch]]:
    """The batches of imported files that are called ``file`` or have it as their SHA-256, by SHA-256."""
    found: dict[str, list[ImportedBatch]] = {}
    for row in warehouse.rows(sql("queries/imported_batches"), file=file):
        each = ImportedBatch(**row)
        found.setdefault(each.source_id, []).append(each)
    return found


def _choose(run: Run, retractions: Sequence[Retraction], limit: int) -> int:
    """Make the touched hours the run's work list, under a fresh mark; returns how many (hour, node) pairs it has."""
    touched = _touched(retractions)
    return run.choose("rollup/work_retracted", mark=secrets.randbits(64), limit=limit, **touched)


def _touched(retractions: Sequence[Retraction]) -> dict[str, Any]:
    first = retractions[0]
    if len({(each.scope, each.from_ms, each.to_ms) for each in retractions}) != 1:
        raise InvariantBroken("retractions made together must agree in scope and span")
    return {
        "scope": str(first.scope),
        "subjects": [each.subject for each in retractions],
        "first": first.from_ms // HOUR_MS,
        "last": (first.to_ms - 1) // HOUR_MS,
    }


def _rows(warehouse: Warehouse, retractions: Sequence[Retraction]) -> pa.Table:
    recorded_at = warehouse.value(sql("queries/retraction_time"), **_touched(retractions))
    count = len(retractions)
    return pa.table({
        "retraction": pa.array([secrets.randbits(64) for _ in retractions], pa.uint64()),
        "scope": [str(each.scope) for each in retractions],
        "subject": [each.subject for each in retractions],
        "from_ms": pa.array([each.from_ms for each in retractions], pa.uint64()),
        "to_ms": pa.array([each.to_ms for each in retractions], pa.uint64()),
        "reason": [each.reason for each in retractions],
        "who": [each.who for each in retractions],
        "recorded_at": pa.array([recorded_at] * count, pa.timestamp("ms", "UTC")),
    })  # fmt: skip
