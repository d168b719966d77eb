"""The rows of a usage file as rows of the warehouse.

Owns what each table's columns are computed from. Does not own the order of writing (``importer``) or the columns' types
(``warehouse.imports``).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from cardhour_contract.moment import HOUR_MS
from cardhour_ingest.usage_csv import UsageFile
from cardhour_ingest.usage_fields import NOT_MEASURED
from cardhour_ingest.usage_rows import Rows, cut, part_counts, slices
from cardhour_ingest.warehouse import imports
from cardhour_ingest.warehouse.client import Warehouse

HOURS_CUT_MAX = 1_000_000
"""Quarters whose rows are looked at together for the hours they touch: tens of MB."""

Pairs = NDArray[np.int64]
"""(hour, node) pairs, each as hour × 2³² + the index of the node's name."""


class UsageFacts(NamedTuple):
    """What a file says, on its way into the warehouse."""

    warehouse: Warehouse
    file: UsageFile
    rows: Rows
    """Those to apply: good, each once."""
    batch: int
    """Key of the file's content."""
    received_at_ms: int

    def insert_workloads(self) -> None:
        """What the workload keys of the applied rows stand for."""
        used = np.unique(self.rows["workload"])
        for block in self.file.workloads:
            wanted = np.isin(block.keys, used)
            owners = imports.coded(block.owners[wanted], self.file.owners)
            imports.insert_workloads(self.warehouse, block.keys[wanted], owners, block.names.filter(pa.array(wanted)))

    def insert_cards(self) -> None:
        """One row for each card and node, with the first and the last instant of its usage."""
        pair = self.rows["card"].astype("i8") << 32 | self.rows["node"]
        order = np.argsort(pair, kind="stable")
        _, first = np.unique(pair[order], return_index=True)
        cards = self.rows[order][first]
        if len(cards):
            columns = {
                "card": imports.coded(cards["card"], self.file.cards),
                "node": imports.coded(cards["node"], self.file.nodes),
                "model": imports.coded(cards["model"], self.file.models),
                "first_seen_ms": pa.array(np.minimum.reduceat(self.rows["start_ms"][order], first).astype("u8")),
                "last_seen_ms": pa.array(np.maximum.reduceat(self.rows["end_ms"][order], first).astype("u8")),
            }
            imports.insert_cards(self.warehouse, columns)

    def insert_usage(self, rows: Rows) -> None:
        """Some of the rows, cut at quarter hours."""
        parts = cut(rows)
        of = rows[parts["row"]]
        length_ms = parts["end_ms"] - parts["start_ms"]
        columns = {
            "hour": pa.array((parts["start_ms"] // HOUR_MS).astype("u4")),
            "card": imports.coded(of["card"], self.file.cards),
            "process": pa.array(of["process"]),
            "start_ms": pa.array(parts["start_ms"].astype("u8")),
            "batch": pa.array(np.full(len(parts), self.batch, "u8")),
            "end_ms": pa.array(parts["end_ms"].astype("u8")),
            "node": imports.coded(of["node"], self.file.nodes),
            "owner": imports.coded(of["owner"], self.file.owners),
            "workload": pa.array(of["workload"]),
            "share": pa.array(of["share"]),
            # A row's rate is constant, so a part's integral is exactly rate × length.
            "active": imports.measured(of["active_rate"] * length_ms, of["active_rate"] == NOT_MEASURED),
            "memory": imports.measured(of["memory_bytes"] * length_ms, of["memory_bytes"] == NOT_MEASURED),
        }
        imports.insert_usage(self.warehouse, self.received_at_ms, columns)

    def dirty_pairs(self) -> Pairs:
        """The distinct (hour, node) pairs that the rows lie in."""
        pairs: Pairs = np.zeros(0, dtype="i8")
        for rows in slices(self.rows, HOURS_CUT_MAX):
            parts = cut(rows, HOUR_MS)
            touched = (parts["start_ms"] // HOUR_MS) << 32 | rows["node"][parts["row"]]
            pairs = np.union1d(pairs, touched)
        return pairs

    def insert_marks(self, pairs: Pairs, mark: int) -> None:
        nodes = imports.coded(pairs & 0xFFFF_FFFF, self.file.nodes)
        imports.insert_marks(self.warehouse, pairs >> 32, nodes, mark)

    def insert_batch(self) -> None:
        start_ms, end_ms = (self.rows["start_ms"].min(), self.rows["end_ms"].max()) if len(self.rows) else (0, 0)
        columns = {
            "batch": pa.array([self.batch], pa.uint64()),
            "source_id": pa.array([self.file.digest]),
            "position": pa.array([self.file.path.name]),
            "started_at_ms": pa.array([start_ms], pa.uint64()),
            "ended_at_ms": pa.array([end_ms], pa.uint64()),
            "usage_rows": pa.array([part_counts(self.rows).sum()], pa.uint32()),
        }
        imports.insert_batch(self.warehouse, self.received_at_ms, columns)
