"""Importing a usage CSV: a whole file becomes raw usage rows and marks for the rollup, or nothing does.

Owns what is applied and in which order. Does not own reading the file (``usage_csv``), the tables (``warehouse``) or
the ledger: after an import the rollup computes the pages that it marked.
"""

from __future__ import annotations

import secrets
from pathlib import Path

import numpy as np
from msgspec import Struct

from cardhour_contract.clock import Clock, SystemClock
from cardhour_contract.errors import Refuse
from cardhour_contract.identity import batch_key
from cardhour_ingest.bad_rows import write_bad_rows
from cardhour_ingest.usage_csv import Progress, UsageFile, parse_usage_csv
from cardhour_ingest.usage_facts import UsageFacts
from cardhour_ingest.usage_fields import shown
from cardhour_ingest.usage_rows import Rows, part_counts, slices, without_repeats
from cardhour_ingest.warehouse import imports
from cardhour_ingest.warehouse.client import Warehouse

INSERT_ROWS = 400_000
"""Raw rows of one insert: about 40 MB, and few enough inserts that the engine's parts do not pile up."""

QUARTERS_MAX = 2**32 - 1
"""Raw rows of one file: ``ingest_batch`` counts them in 32 bits. It is 16 cards' every quarter hour since 1970."""

_SYSTEM = SystemClock()


class ImportResult(Struct, frozen=True, kw_only=True):
    """What an import did. Every count is of this file, also where it had been imported before."""

    rows: int
    """Good rows of the file, repeats and rows of no time included."""
    bad_rows: int
    bad_file: Path | None
    """Where the bad rows stand, with reasons; None where there are none."""
    quarter_rows: int
    """Raw rows in the warehouse: the good rows cut at quarter hours."""
    hours_marked: int
    """(hour, node) pairs whose pages the rollup will compute."""
    batch: int
    """Key of the file's content, the same for a file and its gzip."""
    already_imported: bool
    """The same content had been imported to the end before; totals do not change."""
    started_at_ms: int | None
    """First instant of usage in the file; None where there is none. ``ended_at_ms`` is the end of the last."""
    ended_at_ms: int | None


def import_csv(
    warehouse: Warehouse,
    path: Path,
    *,
    skip_bad: bool = False,
    progress: Progress | None = None,
    clock: Clock = _SYSTEM,
) -> ImportResult:
    """Import a usage CSV (docs/usage-csv.md). Roll up afterwards for the ledger to show it.

    skip_bad: apply the good rows and write the bad ones beside the file, as ``FILE.bad.csv``.
    progress: called with how much is done and the whole, in bytes of the file, read once and then written.

    Raises Refuse with every problem found (the first of many) if there is a bad row and ``skip_bad`` was not asked for,
    or the file cannot be read at all; then nothing was applied.
    """
    file = parse_usage_csv(path, progress and (lambda done, size: progress(done, 2 * size)))
    _check_models(warehouse, file)
    if file.problems and not skip_bad:
        raise file.problems.refusal()
    good = file.rows[~np.isin(file.rows["line"], file.problems.lines)]
    rows = without_repeats(good)
    _check_amount(path, rows)
    # 0. The bad rows, before anything is applied: a folder that cannot be written to stops the import here.
    bad_file = write_bad_rows(file.problems, file.header, file.digest) if file.problems else None
    batch = batch_key(f"sha256:{file.digest}")
    already_imported = imports.is_imported(warehouse, batch)
    facts = UsageFacts(warehouse=warehouse, file=file, rows=rows, batch=batch, received_at_ms=clock.now_ms())
    hours_marked = _apply(facts, progress)
    return ImportResult(
        rows=len(good),
        bad_rows=len(file.problems),
        bad_file=bad_file,
        quarter_rows=int(part_counts(rows).sum()),
        hours_marked=hours_marked,
        batch=batch,
        already_imported=already_imported,
        started_at_ms=int(rows["start_ms"].min()) if len(rows) else None,
        ended_at_ms=int(rows["end_ms"].max()) if len(rows) else None,
    )


def _check_models(warehouse: Warehouse, file: UsageFile) -> None:
    """A card's model decides its price: a file may not contradict what scans or earlier imports said."""
    used, first = np.unique(file.rows["card"], return_index=True)
    cards = [file.cards[index] for index in used]
    known = imports.known_models(warehouse, cards)
    for card, card_index, row in zip(cards, used, file.rows[first], strict=True):
        model = file.models[row["model"]]
        if known.get(card, model) == model:
            continue
        reason = f"{shown(model)} is not the model of card {shown(card)}, which is known as {shown(known[card])}"
        for line in file.rows["line"][file.rows["card"] == card_index]:
            file.problems.add(int(line), "model", reason)


def _check_amount(path: Path, rows: Rows) -> None:
    if int(part_counts(rows).sum()) > QUARTERS_MAX:
        raise Refuse(f"{path}: covers more than {QUARTERS_MAX} quarter hours: split it, by month for instance")


def _apply(facts: UsageFacts, progress: Progress | None) -> int:
    """Write everything; returns how many (hour, node) pairs were marked.

    After a crash anywhere the import is repeated: each step writes the same rows under the same keys, and the ledger is
    a union, so that nothing is counted twice.
    """
    # 1. What keys stand for, before their first use: no raw row is ever without its card's model or workload's name.
    facts.insert_workloads()
    facts.insert_cards()
    # 2. The raw rows. A page that is computed for another reason meanwhile may hold some of them; step 3 renews it.
    size_bytes = facts.file.path.stat().st_size
    done = 0
    for part in slices(facts.rows, INSERT_ROWS):
        facts.insert_usage(part)
        done += len(part)
        if progress is not None:
            progress(size_bytes + size_bytes * done // len(facts.rows), 2 * size_bytes)
    # 3. The marks, once all raw rows are durable: a rollup that sees one sees every row it is about.
    pairs = facts.dirty_pairs()
    mark = secrets.randbits(64)
    for first in range(0, len(pairs), INSERT_ROWS):
        facts.insert_marks(pairs[first : first + INSERT_ROWS], mark)
    # 4. The batch, last: a file whose batch is listed is wholly in, and its pages are marked.
    facts.insert_batch()
    return len(pairs)
