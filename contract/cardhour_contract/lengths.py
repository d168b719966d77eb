"""Whether the columns of a report have one length: asked of every message, so the usual answer is given quickly.

Owns the comparison. Does not own which columns there are (``wire``).
"""

from __future__ import annotations

from collections.abc import Mapping
from operator import attrgetter
from typing import Any

from cardhour_contract.errors import Reject

WIDTH = {"B": 1, "H": 2, "I": 4, "Q": 8}
"""Bytes of an ``array`` type code."""

REMEMBERED_ROWS_MAX = 4_096
"""Numbers of rows whose lengths are kept at hand."""


class ColumnLengths:
    """The lengths that columns of these type codes must have."""

    def __init__(self, name: str, codes: Mapping[str, str]) -> None:
        self._name = name
        self._codes = codes
        self._all = attrgetter(*codes)
        self._known: dict[int, tuple[int, ...]] = {}

    def check(self, columns: Any) -> None:
        """Raises Reject with the path of the first column that is torn, or shorter or longer than the first."""
        lengths = tuple(map(len, self._all(columns)))
        rows = len(columns.flags)
        right = self._known.get(rows)
        if right is None:
            right = tuple(rows * WIDTH[code] for code in self._codes.values())
            if rows <= REMEMBERED_ROWS_MAX:
                self._known[rows] = right
        if lengths != right:
            self._reject(lengths)

    def _reject(self, lengths: tuple[int, ...]) -> None:
        counts = [divmod(length, WIDTH[code]) for length, code in zip(lengths, self._codes.values(), strict=True)]
        rows = counts[0][0]
        for column, (count, torn) in zip(self._codes, counts, strict=True):
            if torn or count != rows:
                detail = f"the columns differ in length ({count} and {rows})"
                raise Reject("bad_payload", detail, path=f"$.{self._name}.{column}")
