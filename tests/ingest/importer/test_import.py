"""A usage file in the warehouse: which rows it becomes, however it is packed and however often it is imported."""

from __future__ import annotations

import gzip
from hashlib import sha256
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from cardhour_contract.clock import VirtualClock
from cardhour_contract.errors import Retry
from cardhour_contract.identity import batch_key, imported_process_key, key_of, unnamed_workload, workload_key
from cardhour_contract.moment import parse_rfc3339
from cardhour_ingest.importer import import_csv
from cardhour_ingest.warehouse.client import Warehouse
from cardhour_ingest.warehouse.rollup import roll_up
from cardhour_ingest.warehouse.usage import usage
from tests.ingest.importer.files import HEADER, row, row_counts, write

TEN = parse_rfc3339("2026-03-02T10:00:00Z")
HOUR = TEN // 3_600_000
MINUTE = 60_000

RAW = (
    "SELECT hour, card, process, start_ms - {ten:UInt64} AS start_ms, end_ms - {ten:UInt64} AS end_ms, node, basis,"
    " owner, workload, share, bridged, active, memory FROM usage_record FINAL ORDER BY card, process, start_ms, end_ms"
)


def raw(warehouse: Warehouse) -> list[tuple[Any, ...]]:
    return [tuple(each.values()) for each in warehouse.rows(RAW, ten=TEN)]


def march(warehouse: Warehouse) -> list[dict[str, Any]]:
    """Usage of 2 March, after a rollup."""
    roll_up(warehouse)
    day = parse_rfc3339("2026-03-02T00:00:00Z"), parse_rfc3339("2026-03-03T00:00:00Z")
    return usage(warehouse, *day, by=("owner", "workload", "card"))


def test_a_row_becomes_its_quarters_with_exact_integrals(warehouse: Warehouse, tmp_path: Path) -> None:
    path = write(
        tmp_path / "usage.csv", [row(started_at="2026-03-02T18:10:00+08:00", ended_at="2026-03-02T10:31:00.5Z")]
    )
    result = import_csv(warehouse, path, clock=VirtualClock(TEN + 86_400_000))

    process, workload = imported_process_key("GPU-1", "p1"), workload_key("k8s:acme", "train-1")
    same = ("n1", 2, "k8s:acme", workload, 500, 0)
    # 40 percent is 400 000 of 1e-4 percent; times ms, as is 1000 bytes
    assert raw(warehouse) == [
        (HOUR, "GPU-1", process, 10 * MINUTE, 15 * MINUTE, *same, 400_000 * 300_000, 1000 * 300_000),
        (HOUR, "GPU-1", process, 15 * MINUTE, 30 * MINUTE, *same, 400_000 * 900_000, 1000 * 900_000),
        (HOUR, "GPU-1", process, 30 * MINUTE, 31 * MINUTE + 500, *same, 400_000 * 60_500, 1000 * 60_500),
    ]
    assert warehouse.rows("SELECT * FROM workload") == [{"workload": workload, "owner": "k8s:acme", "name": "train-1"}]
    assert [tuple(each.values()) for each in warehouse.rows("SELECT * FROM card")] == [
        ("GPU-1", 0, "n1", "", "H100", "", 0, TEN + 10 * MINUTE, TEN + 31 * MINUTE + 500)
    ]
    assert [tuple(each.values()) for each in warehouse.rows("SELECT hour, node, done FROM dirty_hour")] == [
        (HOUR, "n1", 0)
    ]
    batch = warehouse.rows("SELECT batch, position, usage_rows, received_at FROM ingest_batch")[0]
    assert (batch["batch"], batch["position"], batch["usage_rows"]) == (result.batch, "usage.csv", 3)
    assert batch["received_at"].timestamp() * 1000 == TEN + 86_400_000
    assert (result.rows, result.quarter_rows, result.hours_marked, result.bad_rows) == (1, 3, 1, 0)
    assert (result.started_at_ms, result.ended_at_ms) == (TEN + 10 * MINUTE, TEN + 31 * MINUTE + 500)


def test_only_the_required_columns_in_any_order(warehouse: Warehouse, tmp_path: Path) -> None:
    line = "2026-03-02T10:05:00Z,H100,k8s:acme,2026-03-02T10:00:00Z,GPU-1"
    path = write(tmp_path / "usage.csv", [line], header="ended_at,model,owner,started_at,card")
    import_csv(warehouse, path)
    process = key_of("imported-row", "k8s:acme", "", "GPU-1", str(TEN))
    workload = workload_key("k8s:acme", unnamed_workload(process))
    assert raw(warehouse) == [(HOUR, "GPU-1", process, 0, 5 * MINUTE, "", 2, "k8s:acme", workload, 1000, 0, None, None)]
    assert march(warehouse) == [
        {
            "owner": "k8s:acme",
            "workload": unnamed_workload(process),
            "card": "GPU-1",
            "held_us": 300_000_000,
            "billable_us": 300_000_000,
            "active_us": None,
        }
    ]


def test_what_other_programs_write_is_read(warehouse: Warehouse, tmp_path: Path) -> None:
    quoted = row(workload='"big, ""new"" run"', model='"H100"')
    blank, no_time = "", row(process="p0", ended_at="2026-03-02T10:00:00Z")
    path = tmp_path / "usage.csv"
    path.write_bytes(
        "\r\n".join(["\ufeff" + HEADER, quoted, blank, quoted, no_time]).encode()
    )  # no line end at the end
    result = import_csv(warehouse, path)
    assert (result.rows, result.quarter_rows) == (3, 1)
    assert warehouse.value("SELECT name FROM workload") == 'big, "new" run'


@pytest.mark.parametrize(
    ("share", "permille"), [("1", 1000), ("1.000", 1000), ("0.5", 500), ("0.46", 460), ("0.001", 1), ("", 1000)]
)
def test_a_share_is_read_digit_by_digit(warehouse: Warehouse, tmp_path: Path, share: str, permille: int) -> None:
    import_csv(warehouse, write(tmp_path / "usage.csv", [row(share=share)]))
    assert warehouse.value("SELECT share FROM usage_record") == permille


def test_the_same_content_is_one_batch_zipped_or_not(warehouse: Warehouse, tmp_path: Path) -> None:
    plain = write(tmp_path / "usage.csv", [row(), row(process="p2", started_at="2026-03-02T10:01:00Z")])
    zipped = tmp_path / "renamed"
    zipped.write_bytes(gzip.compress(plain.read_bytes()))
    first = import_csv(warehouse, plain)
    rows, answer = raw(warehouse), march(warehouse)
    again, packed = import_csv(warehouse, plain), import_csv(warehouse, zipped)
    assert (first.already_imported, again.already_imported, packed.already_imported) == (False, True, True)
    assert first.batch == again.batch == packed.batch
    assert raw(warehouse) == rows
    assert march(warehouse) == answer


def test_rows_of_one_process_that_overlap_are_all_kept(warehouse: Warehouse, tmp_path: Path) -> None:
    rows = [
        row(started_at="2026-03-02T10:05:00Z", ended_at="2026-03-02T10:40:00Z", sm_util_percent="10"),
        row(started_at="2026-03-02T10:10:00Z", ended_at="2026-03-02T10:50:00Z", sm_util_percent="90"),
    ]
    result = import_csv(warehouse, write(tmp_path / "usage.csv", rows))
    warehouse.command("OPTIMIZE TABLE usage_record FINAL")
    assert [(each[3] // MINUTE, each[4] // MINUTE) for each in raw(warehouse)] == [
        (5, 15), (10, 15), (15, 30), (15, 30), (30, 40), (30, 45), (45, 50),
    ]  # fmt: skip
    (batch,) = warehouse.rows("SELECT batch, usage_rows FROM ingest_batch")
    assert batch == {"batch": result.batch, "usage_rows": 7}
    (answer,) = march(warehouse)
    # 10:05–10:10 at 10 percent, then the higher rate of the two, 90 percent, to 10:50
    assert answer["active_us"] == (5 * 60 * 10 + 40 * 60 * 90) * 10_000
    assert answer["held_us"] == 45 * 60_000_000


def test_an_empty_file_is_imported_as_nothing(warehouse: Warehouse, tmp_path: Path) -> None:
    result = import_csv(warehouse, write(tmp_path / "usage.csv", []))
    assert (result.rows, result.quarter_rows, result.hours_marked, result.started_at_ms) == (0, 0, 0, None)
    assert row_counts(warehouse) == {"ingest_batch": 1}


def test_progress_rises_to_the_whole(warehouse: Warehouse, tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    path = write(tmp_path / "usage.csv", [row(process=f"p{number}") for number in range(100)])
    import_csv(warehouse, path, progress=lambda done, whole: told.append((done, whole)))
    assert told == sorted(told)
    assert told[-1] == (2 * path.stat().st_size, 2 * path.stat().st_size)


class Dying(Warehouse):
    """A connection that is lost before its n-th insert."""

    inserts_left = 0

    def insert(self, table: str, rows: pa.Table) -> None:
        if not self.inserts_left:
            raise Retry("the connection is lost")
        self.inserts_left -= 1
        super().insert(table, rows)


@pytest.mark.parametrize("inserts", range(5))  # workload, card, usage_record, dirty_hour, ingest_batch
def test_an_import_that_was_cut_off_is_completed_by_the_next(
    warehouse: Warehouse, tmp_path: Path, inserts: int
) -> None:
    path = write(tmp_path / "usage.csv", [row(), row(process="p2", ended_at="2026-03-02T12:00:00Z")])
    with Dying(warehouse.target) as dying:
        dying.inserts_left = inserts
        with pytest.raises(Retry):
            import_csv(dying, path)
    roll_up(warehouse)
    result = import_csv(warehouse, path)
    assert not result.already_imported
    assert len(raw(warehouse)) == result.quarter_rows == 1 + 8
    # p1 and p2 are one workload with share 0.5, alone on its card
    (answer,) = march(warehouse)
    assert (answer["held_us"], answer["billable_us"]) == (7_200_000_000, 3_600_000_000)


def test_the_batch_is_of_the_uncompressed_content(warehouse: Warehouse, tmp_path: Path) -> None:
    path = tmp_path / "usage.csv"
    path.write_bytes(gzip.compress(f"{HEADER}\n".encode()))
    result = import_csv(warehouse, path)
    digest = sha256(f"{HEADER}\n".encode()).hexdigest()
    assert warehouse.value("SELECT source_id FROM ingest_batch") == digest
    assert result.batch == batch_key(f"sha256:{digest}")
