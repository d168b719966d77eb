"""A batch of reports as the warehouse's tables; this half: usage and card rows, and the hours that they change.

Owns which column of a report becomes which column of a table. Does not own the other tables (``report_tables``), the
rules (``rules``) nor inserting (``loop``). The tables are those of ``warehouse/migrations``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import pyarrow as pa
from msgspec import Struct

from cardhour_contract.errors import Reject
from cardhour_contract.identity import workload_key
from cardhour_ingest import report_tables
from cardhour_ingest.columns import Array, Columns, Names
from cardhour_ingest.reading import Arrived
from cardhour_ingest.report_tables import Hour
from cardhour_ingest.rules import accepted_columns

key_of_workload = lru_cache(maxsize=262_144)(workload_key)
"""The same workloads come every minute."""

Workloads = dict[int, tuple[str, str]]
"""Owner and name by workload key."""


class Facts(Struct, frozen=True, kw_only=True):
    """What a batch adds to the warehouse."""

    tables: dict[str, pa.Table]
    """Rows by table; none of a batch in which nothing was accepted."""
    dirty: frozenset[Hour]
    """Ledger hours that these rows change."""
    attributed: frozenset[int]
    """Processes whose owner became known; the hours of their earlier rows change too."""

    @property
    def usage_rows(self) -> int:
        return self._rows("usage_record")

    @property
    def card_rows(self) -> int:
        return self._rows("card_record")

    def _rows(self, table: str) -> int:
        return int(self.tables[table].num_rows) if table in self.tables else 0


def facts_of(arrived: Sequence[Arrived], names: Names | None = None) -> tuple[Facts, dict[int, Reject]]:
    """The reports' rows, without those of the reports that are rejected: why, by the report's index.

    names: kept by who reads many batches.
    """
    if not arrived:
        return Facts(tables={}, dirty=frozenset(), attributed=frozenset()), {}
    names = Names() if names is None else names
    usage, cards, rejected = accepted_columns(arrived, names)
    good = [each for index, each in enumerate(arrived) if index not in rejected]
    batch = _Batch(arrived, names)
    workloads: Workloads = {}
    usage_record = batch.usage_record(usage, workloads)
    for late in (late for each in good for late in each.report.attributions):
        workloads[key_of_workload(late.owner, late.workload)] = (late.owner, late.workload)
    tables = {
        "node": report_tables.node(good),
        "node_basis": report_tables.node_basis(good),
        **report_tables.occasional(good),
        "workload": _workload(workloads),
        "card_record": batch.card_record(cards),
        "usage_record": usage_record,
        "ingest_batch": report_tables.ingest_batch(good),
    }
    dirty = batch.hours(usage) | batch.hours(cards) | report_tables.fault_hours(good)
    attributed = frozenset(late.process for each in good for late in each.report.attributions)
    return Facts(tables=tables, dirty=frozenset(dirty), attributed=attributed), rejected


def joined(parts: Sequence[Facts]) -> Facts:
    """The rows of all parts. Names stand in one dictionary a column, as one insert needs them."""
    tables: dict[str, list[pa.Table]] = {}
    for part in parts:
        for name, table in part.tables.items():
            tables.setdefault(name, []).append(table)
    return Facts(
        tables={name: pa.concat_tables(found).unify_dictionaries() for name, found in tables.items()},
        dirty=frozenset().union(*(part.dirty for part in parts)),
        attributed=frozenset().union(*(part.attributed for part in parts)),
    )


def dirty_hour(hours: Iterable[Hour], mark: int) -> pa.Table:
    """Open marks of one insert. ``mark`` must be fresh: a rollup that is under way settles only marks it had seen."""
    ordered = sorted(hours)
    return pa.table({
        "hour": pa.array([hour for hour, _ in ordered], pa.uint32()),
        "node": pa.array([node for _, node in ordered], pa.string()),
        "mark": pa.array([mark] * len(ordered), pa.uint64()),
        "done": pa.array([0] * len(ordered), pa.uint8()),
    })  # fmt: skip


class _Batch:
    """What rows look up by the index of their report."""

    def __init__(self, arrived: Sequence[Arrived], names: Names) -> None:
        self._names = names
        self._key = np.array([each.batch for each in arrived], np.uint64)
        self._node = np.array([names.id_of(each.report.node) for each in arrived])
        self._received_at_ms = np.array([each.message.received_at_ms for each in arrived], np.int64)

    def usage_record(self, usage: Columns, workloads: Workloads) -> pa.Table:
        """Also notes what each workload key stands for."""
        return pa.table({
            **self._common(usage),
            "process": usage["process"],
            "basis": usage["basis"],
            "owner": self._names.dictionary(usage["owner"]),
            "workload": self._workload_keys(usage, workloads),
            "share": usage["share"],
            "bridged": usage.bridged,
            "active": _nullable(usage, "active"),
            "memory": _nullable(usage, "memory"),
        })  # fmt: skip

    def card_record(self, cards: Columns) -> pa.Table:
        return pa.table({**self._common(cards), "state": cards["state"], "energy_mj": _nullable(cards, "energy_mj")})

    def hours(self, columns: Columns) -> set[Hour]:
        nodes = len(self._names.texts)
        pairs = np.unique(columns.hour * np.uint64(nodes) + self._node[columns.report].astype("u8"))
        return {(pair // nodes, self._names.texts[pair % nodes]) for pair in pairs.tolist()}

    def _common(self, columns: Columns) -> dict[str, Any]:
        return {
            "hour": columns.hour.astype(np.uint32),
            "card": self._names.dictionary(columns["card"]),
            "start_ms": columns["started_at_ms"],
            "batch": self._key[columns.report],
            "end_ms": columns["ended_at_ms"],
            "node": self._names.dictionary(self._node[columns.report]),
            "received_at": pa.array(self._received_at_ms[columns.report]).cast(report_tables.RECEIVED_AT),
        }

    def _workload_keys(self, usage: Columns, workloads: Workloads) -> Array:
        texts = self._names.texts
        pairs, place = np.unique(usage["owner"] * len(texts) + usage["workload"], return_inverse=True)
        keys = np.empty(len(pairs), np.uint64)
        for at, pair in enumerate(pairs.tolist()):
            owner, workload = texts[pair // len(texts)], texts[pair % len(texts)]
            key = key_of_workload(owner, workload)
            workloads[key] = (owner, workload)
            keys[at] = key
        found: Array = keys[place]
        return found


def _nullable(columns: Columns, integral: str) -> pa.Array:
    return pa.array(columns[integral], mask=~columns.measured(integral))


def _workload(workloads: Workloads) -> pa.Table:
    return pa.table({
        "workload": pa.array(list(workloads), pa.uint64()),
        "owner": pa.array([owner for owner, _ in workloads.values()], pa.string()),
        "name": pa.array([name for _, name in workloads.values()], pa.string()),
    })  # fmt: skip
