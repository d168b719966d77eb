"""Whoever clicks through an explained line asks again and again for what never changes: it is read once."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

import pytest

from cardhour_billing.usage import frozen_kept
from cardhour_billing.usage.frozen_kept import FrozenKeptLedger
from cardhour_ingest.warehouse.client import Warehouse
from cardhour_ingest.warehouse.freezing import FrozenQuarter


class Counting:
    """Stands for the usage store: how often it is asked, and a row for each millisecond asked of."""

    def __init__(self) -> None:
        self.asked = 0

    def frozen_quarters(
        self, _: object, document: str, line: int, card: str, from_ms: int, to_ms: int
    ) -> list[FrozenQuarter]:
        self.asked += 1
        return [
            FrozenQuarter(start_ms=at, card=card, node=document, cluster="c1", model="T4", owner="a", billable_us=line)
            for at in range(from_ms, to_ms)
        ]


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Counting:
    counting = Counting()
    monkeypatch.setattr("cardhour_ingest.warehouse.freezing.frozen_quarters", counting.frozen_quarters)
    monkeypatch.setattr(frozen_kept, "_kept", frozen_kept._Kept())
    return counting


def ledger() -> FrozenKeptLedger:
    """A page's own: what was read is shared by all of them."""
    return FrozenKeptLedger(cast("Warehouse", SimpleNamespace()))


def test_the_same_quarters_are_read_once_and_other_ones_anew(store: Counting) -> None:
    first = ledger().frozen_quarters("acme/2026-10/1", 1, "GPU-0", 0, 4)
    assert ledger().frozen_quarters("acme/2026-10/1", 1, "GPU-0", 0, 4) == first
    assert store.asked == 1
    other = ledger().frozen_quarters("acme/2026-10/1", 1, "GPU-1", 0, 4)
    assert {each.card for each in other} == {"GPU-1"}
    again = ledger().frozen_quarters("acme/2026-10/2", 1, "GPU-0", 0, 4)
    assert {each.node for each in again} == {"acme/2026-10/2"}, "issued again, it has another name"
    assert store.asked == 3


def test_what_nobody_asked_for_longest_gives_way(store: Counting, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frozen_kept, "ROWS_KEPT_MAX", 10)
    asked = ("GPU-0", "GPU-1", "GPU-0", "GPU-2", "GPU-0")  # four rows each: the third card is one too many
    for card in asked:
        ledger().frozen_quarters("acme/2026-10/1", 1, card, 0, 4)
    assert store.asked == 3
    ledger().frozen_quarters("acme/2026-10/1", 1, "GPU-1", 0, 4)
    assert store.asked == 4
    assert len(ledger().frozen_quarters("acme/2026-10/1", 1, "GPU-9", 0, 11)) == 11
    assert len(ledger().frozen_quarters("acme/2026-10/1", 1, "GPU-9", 0, 11)) == 11
    assert store.asked == 6, "what is larger than the bound is read each time"
