"""What documents freeze of usage that leases cover, and which usage is left when the leases are applied again.

Owns how covered usage is kept among the frozen quarters of a document: a quarter of which a line bills a part is kept
whole under that line, one that leases cover whole under line 0, which no document prints. Does not own what a lease
covers (``leases.cover``).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from cardhour_billing.frozen.inputs import FrozenInputs, claimed, frozen_lines
from cardhour_billing.leases.cover import Covered, Leases, Place, cover, place_of
from cardhour_billing.rating.binding import Bindings
from cardhour_billing.rating.rated import RatedLine, UsageSum
from cardhour_billing.usage.ledger import Ledger

COVERED_LINE = 0
"""The line of frozen quarters that cost nothing because leases cover them."""


def claims(lines: Sequence[RatedLine], covered: Sequence[Covered]) -> Iterator[tuple[UsageSum, int]]:
    """The usage to freeze, each with its line."""
    billed = {place_of(usage) for line in lines for usage in line.claims}
    for at, line in enumerate(lines, start=1):
        for usage in line.claims:
            yield usage, at
    free = {place_of(each.usage): each.usage for each in covered}
    yield from ((usage, COVERED_LINE) for place, usage in free.items() if place not in billed)


def frozen_quantities(lines: tuple[RatedLine, ...], covered: Sequence[Covered]) -> dict[int, int]:
    """What freezing must find on each line: what it bills, with what leases took of the same quarters."""
    expected = claimed(frozen_lines(lines))
    line_of = {place_of(usage): at for at, line in enumerate(lines, start=1) for usage in line.claims}
    for each in covered:
        at = line_of.get(place_of(each.usage), COVERED_LINE)
        expected[at] = expected.get(at, 0) + each.covered_us
    return expected


@dataclass(frozen=True, slots=True, kw_only=True)
class FrozenUsage:
    """The frozen quarters of a document after its leases: what is left on each line, and what they took."""

    billed: tuple[tuple[int, UsageSum], ...]
    covered: tuple[tuple[int, Covered], ...] = ()


def frozen_usage(inputs: FrozenInputs, ledger: Ledger, line: int | None = None) -> FrozenUsage:
    """Read what a document froze: sums between its cuts, or single quarter hours where it has leases.

    Who needs one line only says so, and where nothing is leased no other is read.
    """
    if not inputs.leases:
        kept = ledger.frozen_usage(inputs.quarters, inputs.start_ms, inputs.end_ms, inputs.cuts_ms, line)
        return FrozenUsage(billed=tuple(kept))
    pairs = list(ledger.frozen_by_quarter(inputs.quarters))
    line_of: Mapping[Place, int] = {place_of(row): line for line, row in pairs}
    rows, leases = [row for _, row in pairs], Leases(inputs.leases)
    under = cover(rows, lambda models, owners: rows, Bindings(inputs.bindings), leases, _starts(rows))
    return FrozenUsage(
        billed=tuple((line_of[place_of(row)], row) for row in under.rest),
        covered=tuple((line_of[place_of(each.usage)], each) for each in under.covered),
    )


def _starts(rows: Iterable[UsageSum]) -> list[int]:
    return sorted({row.segment_start_ms for row in rows})
