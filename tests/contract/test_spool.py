"""The spool: what was appended is there after a crash, in order, until it is removed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from cardhour_contract.errors import Refuse
from cardhour_contract.spool import Entry, Spool, SpoolFull

WRITER = """
import os, signal, sys
from pathlib import Path
from cardhour_contract.spool import Entry, Spool

spool = Spool(Path(sys.argv[1]))
spool.append([Entry("node-1", "boot-1", 1, b"first"), Entry("node-1", "boot-1", 2, b"second")])
def never():
    yield Entry("node-1", "boot-1", 3, b"third")
    os.kill(os.getpid(), signal.SIGKILL)  # before a second append is whole
spool.append(never())
"""


def entry(body: bytes = b"body", *, at_ms: int = 1) -> Entry:
    return Entry("node-1", "boot-1", at_ms, body)


def test_what_was_appended_survives_a_kill_and_an_unfinished_append_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "spool.db"
    died = subprocess.run([sys.executable, "-c", WRITER, str(path)], env={**os.environ})
    assert died.returncode == -signal.SIGKILL
    with Spool(path) as spool:
        assert [each.entry.body for each in spool.read()] == [b"first", b"second"]


@pytest.mark.parametrize("torn", [1, 100, 5_000])
@pytest.mark.parametrize("tail", [b"", b"\0" * 4_096, b"\xa5" * 4_096], ids=["cut", "zeros", "rubbish"])
def test_a_torn_tail_after_a_power_loss_is_cut_and_the_rest_is_there(tmp_path: Path, torn: int, tail: bytes) -> None:
    """The last append was on its way to the disk when the power went: of its pages some are there, some are not."""
    with Spool(tmp_path / "spool.db") as spool:
        spool.append([entry(b"first")])
        whole = (tmp_path / "spool.db-wal").stat().st_size
        spool.append([entry(b"x" * 20_000)])
        lost = tmp_path / "lost"
        lost.mkdir()
        for name in ("spool.db", "spool.db-wal"):
            (lost / name).write_bytes((tmp_path / name).read_bytes())
    with (lost / "spool.db-wal").open("r+b") as log:
        log.truncate(whole + torn)
        log.seek(0, os.SEEK_END)
        log.write(tail)
    with Spool(lost / "spool.db") as spool:
        assert [each.entry.body for each in spool.read()] == [b"first"]
        spool.append([entry(b"second")])
        assert spool.depth().reports == 2


def test_reports_come_out_in_the_order_they_went_in(tmp_path: Path) -> None:
    with Spool(tmp_path / "spool.db") as spool:
        spool.append(entry(bytes([number])) for number in range(5))
        assert [each.entry.body for each in spool.read(limit=3)] == [b"\0", b"\1", b"\2"]
        assert [each.entry.body for each in spool.read(after=3)] == [b"\3", b"\4"]
        assert spool.depth().reports == 5  # reading removes nothing


def test_a_report_has_one_id_however_often_and_by_whom_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "spool.db"
    with Spool(path) as writer, Spool(path) as reader:
        writer.append([entry()])
        (first,) = writer.read()
        assert reader.read() == [first]
        assert first.ce_id == f"node-1/boot-1/{writer.id}-1"


def test_a_removed_reports_number_is_never_given_again(tmp_path: Path) -> None:
    """Or a later report would carry the id of one that is stored, and be taken for it."""
    path = tmp_path / "spool.db"
    with Spool(path) as spool:
        assert spool.append([entry(), entry()]) == 2
        spool.remove([1, 2])
        spool.remove([1, 2])
    with Spool(path) as spool:
        assert spool.depth().reports == 0
        assert spool.append([entry()]) == 3


def test_a_new_spool_on_the_same_boot_repeats_no_id(tmp_path: Path) -> None:
    ids = set()
    for name in ("a.db", "b.db"):
        with Spool(tmp_path / name) as spool:
            spool.append([entry()])
            ids.add(spool.read()[0].ce_id)
    assert len(ids) == 2


def test_a_full_spool_takes_nothing_and_loses_nothing_until_there_is_room(tmp_path: Path) -> None:
    with Spool(tmp_path / "spool.db", bytes_max=200_000) as spool:
        spool.append([entry(b"x" * 100_000)])
        with pytest.raises(SpoolFull, match="reached its limit of 200000 bytes"):
            spool.append([entry(b"small"), entry(b"y" * 100_000)])
        assert spool.depth().reports == 1
        spool.remove([1])
        spool.append([entry(b"y" * 100_000)])
        assert [each.entry.body[:1] for each in spool.read()] == [b"y"]


def test_depth_says_how_much_waits_and_since_when(tmp_path: Path) -> None:
    with Spool(tmp_path / "spool.db") as spool:
        assert spool.depth().oldest_at_ms is None
        spool.append([entry(at_ms=30), entry(at_ms=20)])
        assert (spool.depth().reports, spool.depth().oldest_at_ms) == (2, 20)


def test_a_file_that_is_no_spool_is_refused_with_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "spool.db"
    path.write_bytes(b"this is not a database, however long it may be" * 100)
    with pytest.raises(Refuse, match="move it aside to start a new one"):
        Spool(path)
