"""A report whose clock was off, as it would have been with a right one: every time in it moved by the same offset.

Owns the moving. Does not own finding out that a clock was off (``reading``) nor deciding to take the report after all
(``replay``). Deterministic: the same report and offset give the same rows, however often.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from msgspec import structs

from cardhour_contract.errors import Reject
from cardhour_contract.lengths import WIDTH
from cardhour_contract.moment import DAY_MS, LAST_MS, QUARTER_MS
from cardhour_contract.wire import CARD_COLUMNS, USAGE_COLUMNS, CardColumns, PackedReport, UsageColumns

Array = npt.NDArray[Any]

INTEGRALS = ("active", "memory", "energy_mj")


def moved(report: PackedReport, offset_ms: int) -> PackedReport:
    """``report`` with ``offset_ms``, the sender's clock less the true one, taken from every wall-clock time.

    A record that then crosses a quarter hour is cut there, its integrals in proportion, floored at each cut, so that
    the parts sum to the whole. Raises Reject where a time leaves the calendar.
    """
    scan = report.scan and structs.replace(report.scan, at_ms=_moved(report.scan.at_ms, offset_ms, "$.scan.at_ms"))
    faults = tuple(
        structs.replace(
            each,
            opened_at_ms=_moved(each.opened_at_ms, offset_ms, f"$.faults[{at}].opened_at_ms"),
            closed_at_ms=None
            if each.closed_at_ms is None
            else _moved(each.closed_at_ms, offset_ms, f"$.faults[{at}].closed_at_ms"),
        )
        for at, each in enumerate(report.faults)
    )
    return structs.replace(
        report,
        started_at_ms=_moved(report.started_at_ms, offset_ms, "$.started_at_ms"),
        ended_at_ms=_moved(report.ended_at_ms, offset_ms, "$.ended_at_ms"),
        wall_ms=_moved(report.wall_ms, offset_ms, "$.wall_ms"),
        scan=scan,
        faults=faults,
        usage=UsageColumns(**_columns(report.usage, USAGE_COLUMNS, offset_ms, "usage")),
        cards=CardColumns(**_columns(report.cards, CARD_COLUMNS, offset_ms, "cards")),
    )


def _moved(at_ms: int, offset_ms: int, path: str) -> int:
    found = at_ms - offset_ms
    if not 0 <= found <= LAST_MS:
        raise Reject("bad_value", f"{at_ms} less the clock's offset of {offset_ms} ms is no time", path=path)
    return found


def _columns(columns: UsageColumns | CardColumns, codes: dict[str, str], offset_ms: int, kind: str) -> dict[str, bytes]:
    values: dict[str, Array] = {
        name: np.frombuffer(getattr(columns, name), f"<u{WIDTH[codes[name]]}") for name in codes
    }
    for name in ("started_at_ms", "ended_at_ms"):
        at_ms = values[name]
        low, high = max(0, offset_ms), LAST_MS + min(0, offset_ms)
        if ((at_ms < low) | (at_ms > high)).any():
            raise Reject(
                "bad_value", f"a time less the clock's offset of {offset_ms} ms is none", path=f"$.{kind}.{name}"
            )
        values[name] = (at_ms.astype("i8") - offset_ms).astype("u8")
    return {name: column.astype(f"<u{WIDTH[codes[name]]}").tobytes() for name, column in _cut(values).items()}


def _cut(values: dict[str, Array]) -> dict[str, Array]:
    """The rows cut at quarter hours. Those that run backwards or too long stay whole, for the rules to reject."""
    start, end = values["started_at_ms"].astype("i8"), values["ended_at_ms"].astype("i8")
    cuttable = (end > start) & (end - start <= DAY_MS)
    parts = np.where(cuttable, (end - 1) // QUARTER_MS - start // QUARTER_MS + 1, 1)
    if not (parts > 1).any():
        return values
    whole = np.repeat(np.arange(len(start)), parts)
    nth = np.arange(len(whole)) - np.repeat(np.cumsum(parts) - parts, parts)
    quarter_ms = (start[whole] // QUARTER_MS + nth) * QUARTER_MS
    from_ms = np.maximum(start[whole], quarter_ms)
    # The last part ends with its row, also where a row is not cut at all.
    to_ms = np.where(nth + 1 == parts[whole], end[whole], quarter_ms + QUARTER_MS)
    cut = {name: column[whole] for name, column in values.items()}
    cut["started_at_ms"], cut["ended_at_ms"] = from_ms.astype("u8"), to_ms.astype("u8")
    length = np.maximum(end - start, 1)[whole].astype("u8")
    before, after = (from_ms - start[whole]).astype("u8"), (to_ms - start[whole]).astype("u8")
    for name in set(INTEGRALS) & values.keys():
        # per ms and rest apart: value × length does not fit 64 bits, and these two products do
        per_ms, rest = np.divmod(cut[name], length)
        split = parts[whole] > 1
        part = per_ms * (after - before) + rest * after // length - rest * before // length
        cut[name] = np.where(split, part, cut[name])
    return cut
