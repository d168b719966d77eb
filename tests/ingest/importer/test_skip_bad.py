"""With --skip-bad the good rows go in, and the bad ones wait beside the file with what is wrong with them."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from cardhour_contract.errors import Refuse
from cardhour_ingest.importer import import_csv
from cardhour_ingest.usage_text import COLUMNS
from cardhour_ingest.warehouse.client import Warehouse
from tests.ingest.importer.files import row, row_counts, write

BAD: list[str | bytes] = [
    row(process="p2", share="1.2"),
    row(process="p3", owner="acme", ended_at="2026-03-02T09:00:00Z"),
    row(process="p4", workload='"a, b"', model="H200"),
    "k8s:acme,train-1",
    row(process="p5").encode().replace(b"acme", b"acm\xe9"),
    row(process="p6"),
    row(process="p6", share="0.1"),
]
GOOD: list[str | bytes] = [row(), row(process="p9")]


def test_good_rows_go_in_and_bad_ones_wait_with_their_reason(warehouse: Warehouse, tmp_path: Path) -> None:
    path = write(tmp_path / "usage.csv.gz", [GOOD[0], *BAD, GOOD[1]])  # named gz, and is none
    result = import_csv(warehouse, path, skip_bad=True)
    assert (result.rows, result.bad_rows, result.bad_file) == (2, 7, tmp_path / "usage.bad.csv")
    assert warehouse.value("SELECT count() FROM usage_record") == 2
    assert warehouse.value("SELECT groupArray(model) FROM card") == ["H100"]
    assert warehouse.value("SELECT groupArray(name) FROM workload") == ["train-1"]

    with (tmp_path / "usage.bad.csv").open(encoding="utf-8", newline="") as file:
        header, *bad = csv.reader(file)
    assert header == [*COLUMNS, "line", "column", "reason"]
    assert [each[11] for each in bad] == ["3", "4", "5", "6", "7", "8", "9"]
    assert [each[12] for each in bad] == ["share", "owner ended_at", "model", "node", "owner", "share", "share"]
    assert bad[0][:11] == row(process="p2", share="1.2").split(",")
    assert bad[0][13] == "'1.2' is not above 0 and at most 1"
    assert bad[1][13].startswith("'acme' is not kind:name")
    assert "; 2026-03-02T09:00:00Z is before started_at" in bad[1][13]
    assert bad[2][1] == "a, b"
    assert bad[3][0] == "k8s:acme,train-1"
    assert bad[4][0] == r"k8s:acm\xe9"


def test_mended_rows_join_what_was_imported(warehouse: Warehouse, tmp_path: Path) -> None:
    import_csv(warehouse, write(tmp_path / "usage.csv", [GOOD[0], BAD[0]]), skip_bad=True)
    import_csv(warehouse, write(tmp_path / "mended.csv", [GOOD[0], row(process="p2", share="0.2")]))
    shares = warehouse.rows("SELECT DISTINCT process, share FROM usage_record ORDER BY share")
    assert [each["share"] for each in shares] == [200, 500]


def test_the_file_of_bad_rows_is_mended_and_imported_as_it_is(warehouse: Warehouse, tmp_path: Path) -> None:
    result = import_csv(warehouse, write(tmp_path / "usage.csv", [GOOD[0], *BAD[:2]]), skip_bad=True)
    assert result.bad_file is not None
    text = result.bad_file.read_text(encoding="utf-8")
    result.bad_file.write_text(text.replace(",1.2,", ",0.2,"), encoding="utf-8")
    again = import_csv(warehouse, result.bad_file, skip_bad=True)
    assert (again.rows, again.bad_rows) == (1, 1)
    assert again.bad_file is not None
    assert again.bad_file.read_text(encoding="utf-8").splitlines()[0] == text.splitlines()[0]


def test_a_file_without_bad_rows_leaves_nothing_beside_it(warehouse: Warehouse, tmp_path: Path) -> None:
    result = import_csv(warehouse, write(tmp_path / "usage.csv", GOOD), skip_bad=True)
    assert (result.bad_rows, result.bad_file) == (0, None)
    assert [each.name for each in tmp_path.iterdir()] == ["usage.csv"]


def test_bad_rows_that_cannot_be_written_stop_the_import(untouched: Warehouse, tmp_path: Path) -> None:
    path = write(tmp_path / "usage.csv", [GOOD[0], BAD[0]])
    (tmp_path / "usage.bad.csv").mkdir()
    with pytest.raises(Refuse, match=r"usage\.bad\.csv: the bad rows cannot be written: .*; nothing was applied"):
        import_csv(untouched, path, skip_bad=True)
    assert row_counts(untouched) == {}
    assert sorted(each.name for each in tmp_path.iterdir()) == ["usage.bad.csv", "usage.csv"]


def test_a_wrong_header_is_no_bad_row(untouched: Warehouse, tmp_path: Path) -> None:
    path = write(tmp_path / "usage.csv", GOOD, header="a,b")
    with pytest.raises(Refuse, match="is not a column of usage"):
        import_csv(untouched, path, skip_bad=True)
    assert row_counts(untouched) == {}
