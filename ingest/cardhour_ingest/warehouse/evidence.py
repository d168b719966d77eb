"""Evidence, for whoever asks why a card was billed: the ledger's quarter hours of one card, and the raw records under
one of them.

Owns reading both: pages as they are, records as they were reported, with what retractions took out and what late
answers changed. Does not own how a quarter comes out of records (``rollup``). Raw expires before invoices do: a quarter
may have none left.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from msgspec import Struct

from cardhour_contract.moment import HOUR_MS, QUARTER_MS
from cardhour_contract.record import Basis
from cardhour_ingest.warehouse.client import Warehouse
from cardhour_ingest.warehouse.sql import sql
from cardhour_ingest.warehouse.usage import quarters

UNKNOWN = "unknown:"
"""How an owner begins whom the sender could not name."""


class CardQuarter(Struct, frozen=True, kw_only=True):
    """One quarter hour of one card: its terms, in card-microseconds, which add up to 900 000 000."""

    start_ms: int
    billable_us: dict[str, int]
    """By owner."""
    idle_us: int
    faulted_us: int
    unobserved_us: dict[str, int]
    """By reason."""
    rounding_us: int


class RawRecord(Struct, frozen=True, kw_only=True):
    """One process on one card for a stretch of a quarter hour, as it was reported."""

    process: int
    node: str
    owner: str
    reported_owner: str
    """Other than ``owner`` where the sender did not know it yet."""
    workload: str
    basis: str
    share: int
    """Permille of the card."""
    start_ms: int
    end_ms: int
    kept_ms: int
    """What retractions left of it."""
    copies: int
    """How often it was reported; it counts once."""
    received_at_ms: int
    source_id: str
    """The report's ce_id, or the SHA-256 of the imported file."""
    position: str
    """Where the report was read: topic, partition and offset, or the file's name."""


def card_quarters(warehouse: Warehouse, card: str, from_ms: int, to_ms: int) -> list[CardQuarter]:
    """The quarter hours of ``card`` in ``[from_ms, to_ms)`` that the ledger has a page of, in order of time."""
    pages = warehouse.rows(sql("queries/card_quarters"), card=card, **quarters(from_ms, to_ms))
    every = (_quarter(page, at) for page in pages for at in range(HOUR_MS // QUARTER_MS))
    return [each for each in every if from_ms <= each.start_ms < to_ms]


def raw_records(warehouse: Warehouse, card: str, quarter_ms: int) -> list[RawRecord]:
    """What was reported of ``card`` in the quarter hour that begins at ``quarter_ms``, in order of time.

    The owner is the one that a late answer gave, where there is one. Raw may have expired: then nothing else is asked.
    """
    rows = warehouse.rows(
        sql("queries/raw_records"), card=card, hour=quarter_ms // HOUR_MS, quarter=quarter_ms // QUARTER_MS
    )
    if not rows:
        return []
    late = sorted({row["process"] for row in rows if row["reported_owner"].startswith(UNKNOWN)})
    claims = warehouse.rows(sql("queries/claimed"), processes=late) if late else []
    claim_of = {each["process"]: each["claim"] for each in claims}
    named = warehouse.rows(sql("queries/named_workloads"), workloads=sorted({row["workload"] for row in rows}))
    name_of = {each["workload"]: each["name"] for each in named}
    read = warehouse.rows(sql("queries/batch_sources"), batches=sorted({row["first_batch"] for row in rows}))
    source_of = {each["batch"]: each for each in read}
    found = [_record(row, _claim(row, claim_of), name_of, source_of) for row in rows]
    return sorted(found, key=lambda each: (each.start_ms, each.owner, each.process, each.end_ms))


def _claim(row: Mapping[str, Any], late: Mapping[int, tuple[str, int, int]]) -> tuple[str, int, int]:
    """Owner, workload and share: as a late answer has them, where the sender did not know and one came."""
    reported = row["reported_owner"], row["workload"], row["share"]
    claim = late.get(row["process"], reported) if row["reported_owner"].startswith(UNKNOWN) else reported
    return claim if claim[0] else reported


def _record(
    row: Mapping[str, Any],
    claim: tuple[str, int, int],
    name_of: Mapping[int, str],
    source_of: Mapping[int, Mapping[str, str]],
) -> RawRecord:
    """A row of raw with what stands elsewhere of it. ``claim``: its owner, workload and share."""
    source = source_of.get(row["first_batch"], {})
    return RawRecord(
        process=row["process"],
        node=row["node"],
        owner=claim[0],
        reported_owner=row["reported_owner"],
        workload=name_of.get(row["workload"], ""),
        basis=Basis(row["basis"]).name.lower(),
        share=claim[2],
        start_ms=row["start_ms"],
        end_ms=row["end_ms"],
        kept_ms=row["end_ms"] - row["start_ms"] - _union_ms(row["holes"]),
        copies=row["copies"],
        received_at_ms=row["received_at_ms"],
        source_id=source.get("source_id", ""),
        position=source.get("position", ""),
    )


def _quarter(page: Mapping[str, Any], at: int) -> CardQuarter:
    """What a page says of its quarter ``at``, from 0."""
    return CardQuarter(
        start_ms=page["hour"] * HOUR_MS + at * QUARTER_MS,
        billable_us=_summed(page["owned"], at, page["owners"], page["billable"]),
        idle_us=page["idle_us"][at],
        faulted_us=page["faulted_us"][at],
        unobserved_us=_summed(page["missed"], at, page["reasons"], page["unobserved"]),
        rounding_us=page["rounding_us"][at],
    )


def _summed(of: Iterable[int], at: int, names: Iterable[str], amounts: Iterable[int]) -> dict[str, int]:
    """Sums by name of the entries of one quarter: a moved card may have one owner on two nodes in it."""
    sums: dict[str, int] = {}
    for quarter, name, amount in zip(of, names, amounts, strict=True):
        if quarter == at:
            sums[name] = sums.get(name, 0) + amount
    return sums


def _union_ms(spans: Iterable[tuple[int, int]]) -> int:
    """Length of the union of half-open spans."""
    total_ms = reached_ms = 0
    for start_ms, end_ms in sorted(spans):
        total_ms += max(0, end_ms - max(start_ms, reached_ms))
        reached_ms = max(reached_ms, end_ms)
    return total_ms
