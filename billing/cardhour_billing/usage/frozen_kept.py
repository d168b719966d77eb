"""What documents froze, at hand for who asks of the same line again: every click on an explained line does.

Owns keeping it, within a bound. Never stale: frozen rows bear a name that is used once, and nobody changes them. Does
not own reading them (``ledger``).
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from cardhour_billing.rating.rated import UsageSum
from cardhour_billing.usage.ledger import WarehouseLedger

if TYPE_CHECKING:
    from cardhour_ingest.warehouse.freezing import FrozenQuarter

ROWS_KEPT_MAX = 50_000
"""Of all that is kept, some 500 bytes each: a line of 1,500 cards and a month. A longer one is read each time."""


class FrozenKeptLedger(WarehouseLedger):
    """The usage ledger, which remembers what documents froze and asks for all else anew."""

    def frozen_usage(
        self, document: str, from_ms: int, to_ms: int, cuts_ms: Sequence[int], line: int | None = None
    ) -> Sequence[tuple[int, UsageSum]]:
        ask = super().frozen_usage
        asked = "usage", document, from_ms, to_ms, tuple(cuts_ms), line
        return _kept.rows(asked, lambda: tuple(ask(document, from_ms, to_ms, cuts_ms, line)))

    def frozen_quarters(self, document: str, line: int, card: str, from_ms: int, to_ms: int) -> Sequence[FrozenQuarter]:
        ask = super().frozen_quarters
        asked = "quarters", document, line, card, from_ms, to_ms
        return _kept.rows(asked, lambda: tuple(ask(document, line, card, from_ms, to_ms)))


class _Kept:
    """Answers by what was asked; those that nobody asked for longest give way."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._found: OrderedDict[tuple[Any, ...], Sequence[Any]] = OrderedDict()
        self._rows = 0

    def rows(self, asked: tuple[Any, ...], ask: Callable[[], Sequence[Any]]) -> Sequence[Any]:
        with self._guard:
            if asked in self._found:
                self._found.move_to_end(asked)
                return self._found[asked]
        found = ask()
        with self._guard:
            if found and asked not in self._found:
                self._found[asked] = found
                self._rows += len(found)
            while self._rows > ROWS_KEPT_MAX:
                self._rows -= len(self._found.popitem(last=False)[1])
        return found


_kept = _Kept()
