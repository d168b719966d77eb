"""One card's day in quarter hours: what the sign-in page shows of the idea that every hour is accounted for.

Owns the picture and its example. The example's states sum to a day exactly; it is no customer's data.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from cardhour_billing.portal.charts import Bar, Tick

QUARTER_S = 900
QUARTERS = 96

EXAMPLE: tuple[tuple[str, int], ...] = (
    ("billable", 9_000),
    ("idle", 3_600),
    ("billable", 21_312),
    ("idle", 5_328),
    ("billable", 10_944),
    ("idle", 432),
    ("faulted", 3_024),
    ("idle", 2_160),
    ("unobserved", 2_700),
    ("billable", 25_380),
    ("idle", 2_520),
)
"""State and seconds, in order; multiples of 36 s, so that hours have two decimals and print exactly."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CardDay:
    """The bars, the hours under them, and the sum of each state in hours with four decimals."""

    width: int
    height: int
    bars: tuple[Bar, ...]
    hours: tuple[Tick, ...]
    sums: dict[str, str]


def card_day(runs: Sequence[tuple[str, int]] = EXAMPLE, *, width: int = 640, height: int = 66) -> CardDay:
    """A day from its runs; together they must fill 24 hours."""
    slot = width / QUARTERS
    sums: dict[str, int] = {}
    for state, seconds in runs:
        sums[state] = sums.get(state, 0) + seconds
    return CardDay(
        width=width,
        height=height,
        bars=tuple(
            Bar(
                x=round(quarter * slot, 2),
                y=round(height * (1 - (below_s + part_s) / QUARTER_S), 2),
                width=round(slot - 1, 2),
                height=round(height * part_s / QUARTER_S, 2),
                paint=f"fill-{state}",
            )
            for quarter, below_s, part_s, state in _parts(runs)
        ),
        hours=tuple(Tick(at=round(hour * 4 * slot, 2), text=f"{hour:02d}:00") for hour in range(0, 24, 2)),
        sums={state: f"{seconds // 3600}.{seconds % 3600 * 10_000 // 3600:04d}" for state, seconds in sums.items()},
    )


def _parts(runs: Sequence[tuple[str, int]]) -> Iterable[tuple[int, int, int, str]]:
    """Each run cut at quarters: quarter, seconds of that quarter already filled, seconds of this part, state."""
    at_s = 0
    for state, seconds in runs:
        end_s = at_s + seconds
        while at_s < end_s:
            part_s = min(end_s - at_s, QUARTER_S - at_s % QUARTER_S)
            yield at_s // QUARTER_S, at_s % QUARTER_S, part_s, state
            at_s += part_s
