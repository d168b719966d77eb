"""The warehouse's side of a usage import: what is known already, and the rows of each table in their types.

Owns the two questions and the column types. Does not own the order of writing or what the rows mean (``importer``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from cardhour_contract.record import Basis
from cardhour_ingest.warehouse.client import Warehouse
from cardhour_ingest.warehouse.sql import sql

CARDS_ASKED_MAX = 2_000
"""Names in one question: at their longest they are 512 KB, which a server takes in one request."""

Numbers = NDArray[Any]


def known_models(warehouse: Warehouse, cards: Sequence[str]) -> dict[str, str]:
    """Model by card, of those of ``cards`` that the warehouse knows."""
    known: dict[str, str] = {}
    for first in range(0, len(cards), CARDS_ASKED_MAX):
        asked = list(cards[first : first + CARDS_ASKED_MAX])
        rows = warehouse.rows(sql("queries/known_models"), cards=asked)
        known.update((row["card"], row["known"]) for row in rows)
    return known


def is_imported(warehouse: Warehouse, batch: int) -> bool:
    """Whether a file with this batch key was imported to the end."""
    return bool(warehouse.value(sql("queries/is_imported"), batch=batch))


def coded(indexes: Numbers, names: Sequence[str]) -> pa.DictionaryArray:
    """A column of names, each sent once."""
    return pa.DictionaryArray.from_arrays(pa.array(indexes.astype("i4")), pa.array(list(names), pa.string()))


def measured(values: Numbers, missing: NDArray[np.bool_]) -> pa.Array:
    """A column of UInt64 that is null where ``missing``."""
    return pa.array(values.astype("u8"), mask=missing)


def insert_usage(warehouse: Warehouse, received_at_ms: int, columns: Mapping[str, Any]) -> None:
    """Append raw usage rows; ``columns`` by name, all but basis, bridged and received_at."""
    count = len(columns["hour"])
    _insert(
        warehouse,
        "usage_record",
        received_at_ms,
        {**columns, "basis": np.full(count, Basis.IMPORTED, "u1"), "bridged": np.zeros(count, "u1")},
    )


def insert_workloads(warehouse: Warehouse, keys: Numbers, owners: pa.Array, names: pa.Array) -> None:
    warehouse.insert("workload", pa.table({"workload": pa.array(keys), "owner": owners, "name": names}))


def insert_cards(warehouse: Warehouse, columns: Mapping[str, Any]) -> None:
    """Append cards; ``columns``: card, node, model, first_seen_ms, last_seen_ms. An import knows no more of them."""
    warehouse.insert("card", pa.table({**columns, "scanned": pa.array(np.zeros(len(columns["card"]), "u1"))}))


def insert_marks(warehouse: Warehouse, hours: Numbers, nodes: pa.DictionaryArray, mark: int) -> None:
    """Ask for the recomputation of each hour's pages of each node."""
    count = len(hours)
    warehouse.insert(
        "dirty_hour",
        pa.table(
            {
                "hour": pa.array(hours.astype("u4")),
                "node": nodes,
                "mark": pa.array(np.full(count, mark, "u8")),
                "done": pa.array(np.zeros(count, "u1")),
            }
        ),
    )


def insert_batch(warehouse: Warehouse, received_at_ms: int, columns: Mapping[str, Any]) -> None:
    """Append the file's batch; ``columns``: batch, source_id, position, started_at_ms, ended_at_ms, usage_rows."""
    received = pa.array([received_at_ms], pa.uint64())
    _insert(warehouse, "ingest_batch", received_at_ms, {**columns, "wall_ms": received, "sent_at_ms": received})


def _insert(warehouse: Warehouse, table: str, received_at_ms: int, columns: Mapping[str, Any]) -> None:
    count = len(next(iter(columns.values())))
    received_at = pa.array(np.full(count, received_at_ms, "i8"), pa.timestamp("ms", "UTC"))
    warehouse.insert(table, pa.table({**columns, "received_at": received_at}))
