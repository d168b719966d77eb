"""What a process that speaks to a server does to stay small; ``python -m bench --only memory`` says how small."""

from __future__ import annotations

import ctypes
from types import SimpleNamespace

import pyarrow as pa
import pytest

from cardhour_ingest import memory
from cardhour_ingest.loop import MESSAGES_MAX, Batch
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


@pytest.mark.parametrize("minutes", [2, 50])
def test_a_batch_keeps_the_strings_of_a_node_once(minutes: int) -> None:
    batch = Batch(0)
    for number in range(minutes):
        batch.add(message(report(), number=number))
    batch.add(message(report(usage=(usage(owner="k8s:team-b"),)), number=minutes))
    kept = {id(each.report.strings): each.report.strings for each in batch.arrived}
    assert sorted(kept.values()) == sorted({each.report.strings for each in batch.arrived})
    assert len(kept) == 2
    assert minutes < MESSAGES_MAX
