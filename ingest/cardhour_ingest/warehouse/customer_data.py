"""What the warehouse holds of some owners: handing it out, and erasing it where nothing has to be kept of it.

Owns what goes and in which order. Does not own whose owners they are, nor until when they may be erased (billing).

Erased are raw usage rows and late answers, the descriptions of processes (command, cgroup, container, user) and the
names of workloads that no later row uses, and the text of dead letters. The ledger's pages and what invoices froze
stay, to the microsecond: they name an owner, a card and keys that stand for nothing any more. A page whose raw rows
went is sealed, as one whose raw rows expired, so that no computation changes it.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from datetime import timedelta

import pyarrow as pa
from msgspec import Struct

from cardhour_contract.errors import Refuse
from cardhour_contract.moment import HOUR_MS, from_ms
from cardhour_ingest.warehouse.client import Warehouse
from cardhour_ingest.warehouse.migrate import rendering_for, statements
from cardhour_ingest.warehouse.rollup import roll_up
from cardhour_ingest.warehouse.sql import sql

OWNERS_MAX = 1_000
"""Owners of one customer: their names travel in each statement."""


COUNTED = ("usage_rows", "processes", "workloads", "letters")


class Erasure(Struct, frozen=True, kw_only=True):
    """What is to be erased, of whom, and who says so."""

    customer: str
    owners: list[str]
    before_ms: int
    who: str


class Held(Struct, frozen=True, kw_only=True):
    """How much there is to erase."""

    usage_rows: int
    processes: int
    workloads: int
    letters: int
    open_letters: int
    """Those of ``letters`` that were not replayed: they may hold usage that nobody has counted yet."""


def known_owners(warehouse: Warehouse) -> list[str]:
    """Every owner that anything was ever reported of, by name."""
    rows = warehouse.rows("SELECT DISTINCT owner::String AS owner FROM workload ORDER BY owner")
    return [row["owner"] for row in rows]


def ledger_rows(warehouse: Warehouse, owners: Sequence[str], from_hour: int, to_hour: int) -> Iterator[pa.Table]:
    """What the ledger says of ``owners``, by quarter hour, card and workload."""
    return warehouse.stream(sql("queries/export_ledger"), owners=list(owners), **{"from": from_hour, "to": to_hour})


def record_rows(warehouse: Warehouse, owners: Sequence[str], from_hour: int, to_hour: int) -> Iterator[pa.Table]:
    """Their raw rows, with what is known of the processes."""
    return warehouse.stream(sql("queries/export_records"), owners=list(owners), **{"from": from_hour, "to": to_hour})


def held(warehouse: Warehouse, wanted: Erasure) -> Held:
    """What an erasure would take. Changes nothing."""
    number = secrets.randbits(64)
    try:
        return _collect(warehouse, number, wanted)
    finally:
        _run(warehouse, _written_out(number, wanted)[-1:])


def erase(warehouse: Warehouse, wanted: Erasure) -> Held:
    """Erase it. May be repeated, also after a crash: it goes on with what is left."""
    roll_up(warehouse)
    number = secrets.randbits(64)
    *changes, forget = _written_out(number, wanted)
    found = _collect(warehouse, number, wanted)
    if found.open_letters:
        _run(warehouse, [forget])
        raise Refuse(
            f"{found.open_letters} dead letters that speak of '{wanted.customer}' were not replayed: they may hold "
            f"usage that is not counted yet. See cardhour dead-letters list, and replay them first"
        )
    # 1. That it was begun is known before anything goes.
    _record(warehouse, number, "begun", wanted, found)
    # 2. From here on pages of these hours are sealed: what is left of their raw rows replaces none of them.
    _seal(warehouse, wanted.before_ms, found)
    # 3. What is to go, in an order that a repeat can go on with.
    _run(warehouse, changes)
    # 4. It is done.
    _record(warehouse, number, "done", wanted, found)
    _run(warehouse, [forget])
    return found


def _written_out(number: int, wanted: Erasure) -> list[str]:
    """The statements of ``erase.sql``; the last one forgets the keys."""
    owners = ", ".join(f"unhex('{each.encode().hex()}')" for each in wanted.owners)
    return statements(sql("queries/erase").format(erasure=number, owners=owners, end=wanted.before_ms // HOUR_MS))


def _run(warehouse: Warehouse, changes: Sequence[str]) -> None:
    rendering = rendering_for(warehouse.target)
    for change in changes:
        for statement in rendering(change):
            warehouse.command(statement)


def _collect(warehouse: Warehouse, number: int, wanted: Erasure) -> Held:
    if len(wanted.owners) > OWNERS_MAX:
        raise Refuse(f"{len(wanted.owners)} owners at once are more than {OWNERS_MAX}: bind them to customers in parts")
    asked = {"erasure": number, "owners": wanted.owners, "end": wanted.before_ms // HOUR_MS}
    warehouse.command(sql("queries/erasure_keys"), **asked)
    return Held(**warehouse.rows(sql("queries/erasure_found"), **asked)[0])


def _seal(warehouse: Warehouse, before_ms: int, found: Held) -> None:
    day = (from_ms(before_ms) - timedelta(milliseconds=1)).date()
    columns = {
        "day": pa.array([day], pa.date32()),
        "expired_at": pa.array([warehouse.value("SELECT now64(3, 'UTC')")], pa.timestamp("ms", "UTC")),
        "rows": pa.array([found.usage_rows], pa.uint64()),
    }
    warehouse.insert("raw_expiry", pa.table(columns))


def _record(warehouse: Warehouse, number: int, state: str, wanted: Erasure, found: Held) -> None:
    recorded_at = warehouse.value("SELECT now64(3, 'UTC')")
    counts = {"owners": len(wanted.owners)} | {name: getattr(found, name) for name in COUNTED}
    numbers = {"erasure": number, "before_ms": wanted.before_ms} | counts
    columns = {
        "state": [state],
        "customer": [wanted.customer],
        "who": [wanted.who],
        "recorded_at": pa.array([recorded_at], pa.timestamp("ms", "UTC")),
        **{name: pa.array([each], pa.uint64()) for name, each in numbers.items()},
    }
    warehouse.insert("erasure", pa.table(columns))
