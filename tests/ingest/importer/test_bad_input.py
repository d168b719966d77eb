"""Every way a usage file can be wrong gives one sentence with file, line, column and reason, and changes nothing."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from cardhour_contract.errors import Refuse
from cardhour_ingest import bad_rows, usage_csv
from cardhour_ingest.importer import import_csv
from cardhour_ingest.rules import MEMORY_BYTES_MAX
from cardhour_ingest.usage_lines import LINE_BYTES_MAX
from cardhour_ingest.warehouse.client import Warehouse
from tests.ingest.importer.files import HEADER, row, row_counts, write


def refused(warehouse: Warehouse, path: Path) -> tuple[str, ...]:
    """The sentences that the import is refused with; it must not have written anything."""
    with pytest.raises(Refuse) as refusal:
        import_csv(warehouse, path)
    assert row_counts(warehouse) == {}
    assert not bad_rows.bad_file(path).exists()
    return refusal.value.problems


@pytest.mark.parametrize(
    ("changes", "column", "reason"),
    [
        ({"owner": ""}, "owner", "is empty"),
        ({"owner": "acme"}, "owner", "'acme' is not kind:name, such as k8s:team-a"),
        ({"owner": "K8s:acme"}, "owner", "with the kind in lower case"),
        ({"owner": "k8s:"}, "owner", "'k8s:' is not kind:name"),
        ({"owner": "k8s:" + "a" * 253}, "owner", "is longer than 256 bytes"),
        ({"owner": "k8s:a\tb"}, "owner", r"'k8s:a\tb' holds a character that cannot be printed"),
        ({"workload": "语" * 86}, "workload", "is longer than 256 bytes"),
        ({"node": "n1 "}, "node", "'n1 ' begins or ends with a space"),
        ({"card": ""}, "card", "is empty"),
        ({"model": ""}, "model", "is empty"),
        ({"process": "p" * 257}, "process", "is longer than 256 bytes"),
        ({"started_at": ""}, "started_at", "is empty"),
        ({"started_at": "2026-03-02T10:00:00"}, "started_at", "'2026-03-02T10:00:00' has no offset from UTC"),
        ({"started_at": "2026-03-02T10:00:00.0001Z"}, "started_at", "is finer than a millisecond"),
        ({"started_at": "2026-02-29T10:00:00Z"}, "started_at", "'2026-02-29T10:00:00Z' is not a time"),
        ({"started_at": "1772445600"}, "started_at", "'1772445600'"),
        ({"started_at": "1969-12-31T23:59:59Z"}, "started_at", "is not between 1970 and 9999"),
        ({"ended_at": "yesterday"}, "ended_at", "'yesterday' is not an RFC 3339 time such as 2026-01-31T00:00:00Z"),
        (
            {"ended_at": "2026-03-02T09:59:59Z"},
            "ended_at",
            "2026-03-02T09:59:59Z is before started_at 2026-03-02T10:00:00Z",
        ),
        ({"ended_at": "2062-03-02T10:00:00Z"}, "ended_at", "2062-03-02T10:00:00Z is more than 1000 days after"),
        ({"share": "1.2"}, "share", "'1.2' is not above 0 and at most 1"),
        ({"share": "0"}, "share", "'0' is not above 0 and at most 1"),
        ({"share": "-0.5"}, "share", "'-0.5' is not above 0 and at most 1"),
        ({"share": "0.3333"}, "share", "'0.3333' has more than 3 decimals"),
        ({"share": "5e-1"}, "share", "'5e-1' is not a number such as 0.5"),
        ({"share": "nan"}, "share", "'nan' is not a number"),
        ({"share": "٠.٥"}, "share", "is not a number"),
        ({"sm_util_percent": "100.0001"}, "sm_util_percent", "'100.0001' is not a percentage from 0 to 100"),
        ({"sm_util_percent": "12.34567"}, "sm_util_percent", "'12.34567' has more than 4 decimals"),
        ({"sm_util_percent": "40%"}, "sm_util_percent", "'40%' is not a number"),
        ({"memory_bytes": "1.5"}, "memory_bytes", "'1.5' is not whole"),
        ({"memory_bytes": "-1"}, "memory_bytes", f"'-1' is not from 0 to {MEMORY_BYTES_MAX} bytes"),
        ({"memory_bytes": "9" * 20}, "memory_bytes", f"is not from 0 to {MEMORY_BYTES_MAX} bytes"),
        ({"memory_bytes": "9" * 5000}, "memory_bytes", "9…' is not a number such as 1073741824"),
    ],
)
def test_a_wrong_value_is_named_with_its_place(
    untouched: Warehouse, tmp_path: Path, changes: dict[str, str], column: str, reason: str
) -> None:
    path = write(
        tmp_path / "usage.csv", [row(), row(process="p2", **changes) if "process" not in changes else row(**changes)]
    )
    (problem,) = refused(untouched, path)
    assert problem.startswith(f"{path}, line 3, column {column}: ")
    assert reason in problem


@pytest.mark.parametrize(
    ("line", "place", "reason"),
    [
        (b"x" * 5_000_000, "line 3: ", f"the line is longer than {LINE_BYTES_MAX} bytes"),
        (row(node="n\0").encode(), "line 3, column node: ", "byte 19 of the line is NUL"),
        (row().encode().replace(b"acme", b"acm\xe9"), "line 3, column owner: ", "byte 8 of the line is not UTF-8"),
        (b"k8s:acme,train-1", "line 3, column node: ", "the row ends before it: 2 fields instead of 11"),
        (row().encode() + b",more", "line 3: ", "the row has 12 fields instead of 11"),
        (row(workload='"train').encode(), "line 3: ", "the quotes are wrong"),
        (row(workload='"train"-1').encode(), "line 3: ", "the quotes are wrong"),
    ],
    ids=["5 MB", "NUL", "Latin-1", "short", "long", "open quote", "text after quote"],
)
def test_a_line_that_cannot_be_read_does_not_hide_the_next_problem(
    untouched: Warehouse, tmp_path: Path, line: bytes, place: str, reason: str
) -> None:
    path = write(tmp_path / "usage.csv", [row(), line, row(process="p2", share="7")])
    first, second = refused(untouched, path)
    assert first.startswith(f"{path}, {place}{reason}")
    assert second.startswith(f"{path}, line 4, column share: ")


@pytest.mark.parametrize(
    ("header", "problem"),
    [
        (HEADER.replace("share", "shares"), "line 1, column 'shares': is not a column of usage"),
        (HEADER.replace("model", "node"), "line 1, column node: stands twice"),
        (HEADER.replace("model,", ""), "line 1, column model: is missing"),
        (HEADER.replace(",", ";"), "line 1, column owner: is missing"),
        ("", "line 1: is empty"),
    ],
)
def test_a_wrong_header_names_the_column(untouched: Warehouse, tmp_path: Path, header: str, problem: str) -> None:
    path = write(tmp_path / "usage.csv", [row()], header=header)
    problems = refused(untouched, path)
    assert any(each.startswith(f"{path}, {problem}") for each in problems)
    assert "owner, card, model, started_at, ended_at must be there" in problems[-1]


def test_an_empty_file_says_what_its_first_line_must_be(untouched: Warehouse, tmp_path: Path) -> None:
    path = tmp_path / "usage.csv"
    path.write_bytes(b"")
    (problem,) = refused(untouched, path)
    assert problem.startswith(f"{path}, line 1: is empty: the columns are owner, workload, ")


def test_a_truncated_gzip_is_refused_whole(untouched: Warehouse, tmp_path: Path) -> None:
    path = tmp_path / "usage.csv.gz"
    rows = "\n".join(row(process=f"p{number}") for number in range(1000))
    path.write_bytes(gzip.compress(f"{HEADER}\n{rows}\n".encode())[:-20])
    (problem,) = refused(untouched, path)
    assert problem.startswith(f"{path}: the gzip data end too early, after line ")
    with pytest.raises(Refuse, match="end too early"):
        import_csv(untouched, path, skip_bad=True)
    assert row_counts(untouched) == {}


def test_a_damaged_gzip_is_refused_whole(untouched: Warehouse, tmp_path: Path) -> None:
    path = tmp_path / "usage.csv.gz"
    content = bytearray(gzip.compress(f"{HEADER}\n{row()}\n".encode()))
    content[-6] ^= 0xFF  # in the checksum
    path.write_bytes(content)
    (problem,) = refused(untouched, path)
    assert problem.startswith(f"{path}: the gzip data are damaged, after line 2 ")


@pytest.mark.parametrize(("name", "reason"), [("absent.csv", "No such file or directory"), (".", "Is a directory")])
def test_a_file_that_cannot_be_opened(untouched: Warehouse, tmp_path: Path, name: str, reason: str) -> None:
    with pytest.raises(Refuse, match=reason):
        import_csv(untouched, tmp_path / name)


@pytest.mark.parametrize(
    ("changes", "column"),
    [
        ({"ended_at": "2026-03-02T10:20:00Z"}, "ended_at"),
        ({"share": "0.25"}, "share"),
        ({"owner": "k8s:other"}, "owner"),
        ({"workload": "train-2"}, "workload"),
        ({"node": "n2"}, "node"),
        ({"sm_util_percent": ""}, "sm_util_percent"),
        ({"memory_bytes": "0"}, "memory_bytes"),
    ],
)
def test_two_rows_of_one_process_and_start_must_agree(
    untouched: Warehouse, tmp_path: Path, changes: dict[str, str], column: str
) -> None:
    path = write(tmp_path / "usage.csv", [row(), row(process="p2"), row(**changes)])
    first, second = refused(untouched, path)
    assert first.startswith(f"{path}, line 2, column {column}: line 4 has the same card, process and started_at")
    assert second.startswith(f"{path}, line 4, column {column}: line 2 has the same card, process and started_at")


def test_two_rows_without_a_process_are_one_process_if_owner_workload_card_and_start_agree(
    untouched: Warehouse, tmp_path: Path
) -> None:
    path = write(tmp_path / "usage.csv", [row(process=""), row(process="", ended_at="2026-03-02T11:00:00Z")])
    assert len(refused(untouched, path)) == 2


def test_a_card_has_one_model_in_a_file(untouched: Warehouse, tmp_path: Path) -> None:
    path = write(tmp_path / "usage.csv", [row(), row(process="p2", model="H200"), row(process="p3", share="2")])
    told = refused(untouched, path)
    assert told[0] == f"{path}, line 3, column model: 'H200' is not the model of card 'GPU-1' on line 2, 'H100'"
    assert told[1].startswith(f"{path}, line 4, column share: ")


def test_a_card_has_the_model_that_the_warehouse_knows(warehouse: Warehouse, tmp_path: Path) -> None:
    import_csv(warehouse, write(tmp_path / "first.csv", [row()]))
    before = row_counts(warehouse)
    path = write(tmp_path / "second.csv", [row(card="GPU-2"), row(model="H200"), row(model="H200", process="p2")])
    with pytest.raises(Refuse) as refusal:
        import_csv(warehouse, path)
    reason = "column model: 'H200' is not the model of card 'GPU-1', which is known as 'H100'"
    assert refusal.value.problems == (f"{path}, line 3, {reason}", f"{path}, line 4, {reason}")
    assert row_counts(warehouse) == before


def test_of_many_problems_the_first_are_told_and_the_rest_counted(untouched: Warehouse, tmp_path: Path) -> None:
    path = write(tmp_path / "usage.csv", [row(process=f"p{number}", share="2") for number in range(25)])
    problems = refused(untouched, path)
    assert [each.split(",")[1] for each in problems[:20]] == [f" line {number}" for number in range(2, 22)]
    assert problems[20:] == (f"{path}: and 5 more",)


def test_every_wrong_column_of_a_row_is_told(untouched: Warehouse, tmp_path: Path) -> None:
    path = write(tmp_path / "usage.csv", [row(owner="acme", share="2", ended_at="2026-03-02T09:00:00Z")])
    assert [each.split(": ")[0] for each in refused(untouched, path)] == [
        f"{path}, line 2, column owner",
        f"{path}, line 2, column share",
        f"{path}, line 2, column ended_at",
    ]


def test_reading_stops_at_too_many_bad_rows(
    untouched: Warehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bad_rows, "BAD_ROWS_MAX", 30)
    path = write(tmp_path / "usage.csv", [row(process=f"p{number}", share="2") for number in range(50)])
    problems = refused(untouched, path)
    assert len(problems) == 21
    assert problems[-1] == f"{path}: more than 30 rows are bad; reading stopped there"


def test_a_file_with_too_many_rows_is_to_be_split(
    untouched: Warehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(usage_csv, "ROWS_MAX", 2)
    path = write(tmp_path / "usage.csv", [row(process=f"p{number}") for number in range(3)])
    assert refused(untouched, path) == (f"{path}: has more than 2 rows: split it, by month for instance",)
