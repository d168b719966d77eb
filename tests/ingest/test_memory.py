"""What a process that speaks to a server does to stay small; ``python -m bench --only memory`` says how small."""

from __future__ import annotations

import ctypes
import weakref
from types import SimpleNamespace

import pyarrow as pa
import pytest
from msgspec import structs

from cardhour_ingest import batch as batch_module
from cardhour_ingest import columns, memory
from cardhour_ingest.batch import Batch
from cardhour_ingest.columns import Names
from cardhour_ingest.memory import keep_small
from tests.ingest.reports import message, report, usage


def test_arrow_takes_its_memory_where_everything_else_does(monkeypatch: pytest.MonkeyPatch) -> None:
    """The C library is not told here: it cannot be told otherwise again, and the engine of these tests uses it too."""
    told: list[tuple[int, int]] = []
    library = SimpleNamespace(mallopt=lambda *option: told.append(option))
    monkeypatch.setattr(ctypes, "CDLL", lambda name: library)
    before = pa.default_memory_pool()
    try:
        keep_small()
        assert pa.default_memory_pool().backend_name == "system"
        assert told == [(memory.M_ARENA_MAX, 1)]
    finally:
        pa.set_memory_pool(before)


class Headers(list[tuple[str, bytes]]):
    """Of a message; unlike it, they can be watched."""


def test_messages_are_let_go_as_soon_as_they_are_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    """As objects they take several times what their rows do, so a batch holds only a part of its messages as such."""
    monkeypatch.setattr(batch_module, "PART_BYTES", 4 * len(message(report()).body))
    batch = Batch(0)
    held = []
    for number in range(10):
        sent = message(report(), number=number)
        headers = Headers(sent.headers)
        held.append(weakref.ref(headers))
        batch.add(structs.replace(sent, headers=headers))
        del headers
    assert [each() is not None for each in held] == [False] * 8 + [True] * 2
    assert batch.rows == batch.facts().usage_rows + batch.facts().card_rows
    assert not any(each() for each in held)


def test_a_message_that_is_rejected_by_its_columns_is_kept_whole_in_its_letter() -> None:
    batch = Batch(0)
    batch.add(message(report()))
    batch.add(bad := message(report(usage=(usage(owner="nobody"),)), number=1))
    batch.add(message(report(), number=2))
    assert batch.facts().usage_rows == 2
    assert [(each.message, each.path) for each in batch.letters] == [(bad, "$.usage.owner[0]")]


def test_names_are_remembered_from_batch_to_batch_and_never_more_than_so_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(columns, "NAMES_MAX", 8)
    names = Names()
    for minute in range(3):
        batch = Batch(0, names)
        batch.add(message(report(usage=(usage(owner="k8s:a"), usage(owner="k8s:b"))), number=minute))
        assert set(batch.facts().tables["usage_record"].column("owner").to_pylist()) == {"k8s:a", "k8s:b"}
    assert not names.full
    batch = Batch(0, names)
    batch.add(message(report(usage=tuple(usage(owner=f"k8s:{each}") for each in "cdefgh")), number=9))
    assert set(batch.facts().tables["usage_record"].column("owner").to_pylist()) == {f"k8s:{each}" for each in "cdefgh"}
    assert names.full
