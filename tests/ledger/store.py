"""Facts into a real warehouse, and its pages out again as plain values, beside those that must come out.

Owns the mapping between the two vocabularies. Does not own the ledger: the engine computes it, ``reference`` says what
it must be. Each row is written under a batch of its own, so that no merge of the engine can tidy up a repeat.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from cardhour_contract.identity import workload_key
from cardhour_contract.moment import HOUR_MS
from cardhour_ingest.warehouse.client import Warehouse
from cardhour_ingest.warehouse.rollup import roll_up
from tests.ledger.facts import Claim, Facts
from tests.ledger.page import Entry, Page, Unobserved
from tests.ledger.places import basis_at, cluster_at, home
from tests.ledger.reference import page, raw_rows
from tests.ledger.retired import retired_hour
from tests.ledger.rows import (
    attribution_rows,
    card_rows,
    card_rows_of,
    fault_rows,
    given_up_rows,
    move_rows,
    node_rows,
    retraction_rows,
    scan_rows,
    usage_rows,
    word_rows,
    workload_row,
)

READ = """SELECT hour, card, model, cluster, basis,
       by_owner.quarter AS o_quarter, by_owner.node AS o_node, by_owner.owner AS o_owner,
       by_owner.held_us AS o_held_us, by_owner.billable_us AS o_billable_us, by_owner.active_us AS o_active_us,
       by_owner.memory_mib_ms AS o_memory_mib_ms, by_owner.measured_us AS o_measured_us,
       by_owner.bridged_us AS o_bridged_us,
       by_workload.quarter AS w_quarter, by_workload.node AS w_node, by_workload.owner AS w_owner,
       by_workload.workload AS w_workload, by_workload.held_us AS w_held_us,
       by_workload.billable_us AS w_billable_us, by_workload.active_us AS w_active_us,
       by_workload.memory_mib_ms AS w_memory_mib_ms, by_workload.measured_us AS w_measured_us,
       by_workload.bridged_us AS w_bridged_us,
       idle_us, faulted_us, rounding_us, raw_rows,
       unobserved.quarter AS u_quarter, unobserved.reason AS u_reason, unobserved.unobserved_us AS u_us
FROM card_hour FINAL"""

FACTS = (
    *("usage_record", "card_record", "fault", "attribution", "retraction", "workload"),
    *("card", "node", "node_basis", "node_scan", "card_move", "card_retired"),
)
PAGES = ("card_retirement", "dirty_hour", "card_hour", "ledger_breach", "page_write", "usage_sum", "hour_summed")
"""What a rollup leaves, and the marks that it needs."""
DERIVED = ("card_home", *PAGES)

QUANTITIES = ("held_us", "billable_us", "active_us", "memory_mib_ms", "measured_us", "bridged_us")


def put(warehouse: Warehouse, facts: Facts, hours_ms: Sequence[int]) -> None:
    """Insert the facts and mark ``hours_ms`` of every node as dirty."""
    _insert(warehouse, "usage_record", usage_rows(facts))
    _insert(warehouse, "card_record", card_rows(facts))
    _insert(warehouse, "fault", fault_rows(facts))
    _insert(warehouse, "attribution", attribution_rows(facts))
    _insert(warehouse, "retraction", retraction_rows(facts))
    _insert(warehouse, "workload", [workload_row(each) for each in _claims(facts)])
    _insert(warehouse, "card", [row for each in facts.cards for row in card_rows_of(each, facts)])
    _insert(warehouse, "card_retired", given_up_rows(facts))
    _insert(warehouse, "node", node_rows(facts))
    _insert(warehouse, "node_basis", word_rows(facts))
    _insert(warehouse, "node_scan", scan_rows(facts))
    _insert(warehouse, "card_move", move_rows(facts))
    mark(warehouse, facts, hours_ms)


def mark(warehouse: Warehouse, facts: Facts, hours_ms: Sequence[int]) -> None:
    """Mark ``hours_ms`` of every node as dirty."""
    nodes = {home(each) for each in facts.cards} | {row.node for row in facts.usage} | {row.node for row in facts.scans}
    marks = [(hour_ms // HOUR_MS, node) for hour_ms in hours_ms for node in sorted(nodes)]
    _insert(
        warehouse,
        "dirty_hour",
        [{"hour": hour, "node": node, "mark": mark, "done": 0} for mark, (hour, node) in enumerate(marks)],
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """A page as the warehouse keeps it, with what its row says beside it."""

    page: Page
    raw_rows: int
    model: str
    cluster: str
    basis: int


def computed(warehouse: Warehouse, facts: Facts, hours_ms: Sequence[int]) -> dict[tuple[str, int], Stored]:
    """Put the facts into the empty warehouse, roll up, read the pages by card and hour, and empty it again."""
    try:
        put(warehouse, facts, hours_ms)
        roll_up(warehouse)
        return read(warehouse, facts)
    finally:
        clear(warehouse)


def read(warehouse: Warehouse, facts: Facts) -> dict[tuple[str, int], Stored]:
    """The pages of the facts by card and hour."""
    names = {workload_key(each.owner, each.workload): each.workload for each in _claims(facts)}
    return {(row["card"], row["hour"] * HOUR_MS): _stored(row, names) for row in warehouse.rows(READ)}


def expected(facts: Facts, hours_ms: Sequence[int], *, sent: Facts | None = None) -> dict[tuple[str, int], Stored]:
    """The pages that must exist: of every scanned card that is not retired, and of any other where it has rows.

    sent: the same facts as they were sent, where they were cut or repeated: that changes the raw rows, not the page.
    """
    stored = {
        (card.card, at): Stored(
            page=page(facts, card.card, at),
            raw_rows=raw_rows(sent or facts, card.card, at),
            model=card.model,
            cluster=cluster_at(facts, card, at),
            basis=basis_at(facts, card, at),
        )
        for card in facts.cards
        for at in hours_ms
    }
    imported = {each.card for each in facts.cards if each.imported_only}
    unwatched = {key for key in stored if key[0] in imported or retired_hour(facts, *key)}
    return {key: each for key, each in stored.items() if each.raw_rows or key not in unwatched}


def clear(warehouse: Warehouse, tables: Iterable[str] = (*FACTS, *DERIVED)) -> None:
    """Empty tables that facts, marks and pages are in."""
    for table in tables:
        warehouse.command("TRUNCATE TABLE {table:Identifier}", table=table)


def _claims(facts: Facts) -> set[Claim]:
    return {row.claim for row in facts.usage} | {each.claim for each in facts.attributions}


def _insert(warehouse: Warehouse, table: str, rows: Iterable[dict[str, Any]]) -> None:
    listed = list(rows)
    if listed:
        columns = {name: [row[name] for row in listed] for name in listed[0]}
        warehouse.insert(table, pa.table({name: _column(values) for name, values in columns.items()}))


def _column(values: list[Any]) -> pa.Array:
    """Integers as unsigned: keys use all 64 bits."""
    if isinstance(values[0], list):
        return pa.array(values, pa.list_(pa.string()))
    whole = all(each is None or isinstance(each, int) for each in values)
    return pa.array(values, type=pa.uint64() if whole else None)


def _stored(row: Mapping[str, Any], names: Mapping[int, str]) -> Stored:
    return Stored(
        page=_page(row, names),
        raw_rows=row["raw_rows"],
        model=row["model"],
        cluster=row["cluster"],
        basis=row["basis"],
    )


def _page(row: Mapping[str, Any], names: Mapping[int, str]) -> Page:
    """The stored page. Its workloads stand in the order of their keys, ours in that of their names."""
    keys = list(zip(row["w_quarter"], row["w_node"], row["w_owner"], row["w_workload"], strict=True))
    assert keys == sorted(keys), "a rebuild must give equal arrays"
    by_workload = _entries(row, "w", [names[key] for key in row["w_workload"]])
    return Page(
        by_owner=_entries(row, "o", [None] * len(row["o_owner"])),
        by_workload=tuple(sorted(by_workload, key=lambda each: (each.quarter, each.node, each.owner, each.workload))),
        idle_us=tuple(row["idle_us"]),
        faulted_us=tuple(row["faulted_us"]),
        rounding_us=tuple(row["rounding_us"]),
        unobserved=tuple(
            Unobserved(quarter=quarter, reason=reason, us=us)
            for quarter, reason, us in zip(row["u_quarter"], row["u_reason"], row["u_us"], strict=True)
        ),
    )


def _entries(row: Mapping[str, Any], prefix: str, workloads: Sequence[str | None]) -> tuple[Entry, ...]:
    columns = [row[f"{prefix}_{each}"] for each in ("quarter", "node", "owner", *QUANTITIES)]
    return tuple(
        Entry(quarter=quarter, node=node, owner=owner, workload=workload, **dict(zip(QUANTITIES, numbers, strict=True)))
        for (quarter, node, owner, *numbers), workload in zip(zip(*columns, strict=True), workloads, strict=True)
    )
