"""The oracle: what a scenario file comes to, from the file alone.

Owns the arithmetic of the simple worlds of ``world``: undeclared shares, process basis, no faults. At an instant every
owner on a card has the same weight, one over how many they are; lengths are added up for each number of owners within
a quarter hour and floored once (docs/concepts.md). It uses nothing of the product but the parser of times.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from cardhour_contract.moment import parse_rfc3339

QUARTER_MS = 900_000
MS_US = 1_000

Span = tuple[int, int]
"""``[start, end)`` in ms since 1970."""


class Usage(NamedTuple):
    held_us: int
    billable_us: int


class Truth(NamedTuple):
    """What the ledger must say."""

    usage: dict[tuple[str, str], Usage]
    """By card and owner."""
    rounding_us: int
    cards: int

    @property
    def billable_us(self) -> int:
        return sum(each.billable_us for each in self.usage.values())


def truth_of(path: Path, without: Iterable[Span] = ()) -> Truth:
    """The truth of a scenario file; ``without`` is time in which nobody could have metered anything.

    Who held a card in that time alone has no usage, and no row in the ledger.
    """
    holds: dict[str, dict[str, list[Span]]] = defaultdict(lambda: defaultdict(list))
    cards = 0
    missing = list(without)
    for node in json.loads(path.read_text(encoding="utf-8"))["node"]:
        cards += len(node["card"])
        for process in node["process"]:
            span = parse_rfc3339(process["from"]), parse_rfc3339(process["to"])
            for card in process["cards"]:
                holds[card][process["owner"]] += _less(span, missing)
    usage: dict[tuple[str, str], Usage] = {}
    rounding_us = 0
    for card, owners in holds.items():
        billed_us, dropped_us = _divide(owners)
        rounding_us += dropped_us
        for owner, spans in owners.items():
            held_ms = sum(end - start for start, end in _union(spans))
            if held_ms:
                usage[card, owner] = Usage(held_ms * MS_US, billed_us[owner])
    return Truth(usage, rounding_us, cards)


def _divide(owners: dict[str, list[Span]]) -> tuple[dict[str, int], int]:
    """Billable microseconds of each owner of one card, and what flooring dropped."""
    lengths: dict[tuple[int, str, int], int] = defaultdict(int)
    held_us = 0
    for start_ms, end_ms, present in _instants(owners):
        held_us += (end_ms - start_ms) * MS_US
        for owner in present:
            lengths[start_ms // QUARTER_MS, owner, len(present)] += (end_ms - start_ms) * MS_US
    billed: dict[str, int] = defaultdict(int)
    for (_, owner, crowd), length_us in lengths.items():
        billed[owner] += length_us // crowd
    return billed, held_us - sum(billed.values())


def _instants(owners: dict[str, list[Span]]) -> Iterator[tuple[int, int, list[str]]]:
    """The stretches of constant presence, none across a quarter hour; those with nobody are left out."""
    edges = {edge for spans in owners.values() for span in spans for edge in span}
    if edges:
        edges |= set(range(min(edges) // QUARTER_MS * QUARTER_MS, max(edges), QUARTER_MS))
    ordered = sorted(edges)
    for start_ms, end_ms in pairwise(ordered):
        present = [
            owner for owner, spans in owners.items() if any(span[0] <= start_ms and end_ms <= span[1] for span in spans)
        ]
        if present:
            yield start_ms, end_ms, present


def _union(spans: Iterable[Span]) -> list[Span]:
    joined: list[Span] = []
    for start, end in sorted(spans):
        if joined and start <= joined[-1][1]:
            joined[-1] = joined[-1][0], max(joined[-1][1], end)
        else:
            joined.append((start, end))
    return joined


def _less(span: Span, missing: Iterable[Span]) -> list[Span]:
    left = [span]
    for gone in missing:
        left = [
            part
            for start, end in left
            for part in ((start, min(end, gone[0])), (max(start, gone[1]), end))
            if part[0] < part[1]
        ]
    return left
