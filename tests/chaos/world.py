"""Worlds to be metered under fire: scenario files, written before any agent starts.

Owns what happens on the simulated cards. Does not own what it comes to (``truth``) or when it is played (``tape``).
Every process starts at a due sample and ends at any millisecond, so that what the agent can know is exact; some cards
are shared, some held by one owner twice, some idle.
"""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any, NamedTuple

from cardhour_contract.moment import HOUR_MS, SECOND_MS, format_rfc3339

SAMPLE_MS = 5 * SECOND_MS
"""Between samples, and between reports: a kill then loses no sample that had been completed."""

CARDS = 3
"""Of each node: one that is always held, one contested, one that is idle between its tenants."""


NODES = ("node-1", "node-2", "node-5")
"""Each falls into a partition of its own of three."""


class World(NamedTuple):
    """A scenario file and the span that it is played over, in ms since 1970."""

    path: Path
    nodes: tuple[str, ...]
    from_ms: int
    to_ms: int

    @property
    def span_ms(self) -> tuple[int, int]:
        """The whole hours around it."""
        return self.from_ms // HOUR_MS * HOUR_MS, -(-self.to_ms // HOUR_MS) * HOUR_MS


def write_world(path: Path, rng: random.Random, from_ms: int, samples: int, nodes: int = 2) -> World:
    """Write a random world of ``samples`` samples to ``path`` (JSON)."""
    assert from_ms % SAMPLE_MS == 0
    to_ms = from_ms + samples * SAMPLE_MS
    names = NODES[:nodes]
    scenario = {"name": path.stem, "node": [_node(name, rng, from_ms, samples) for name in names]}
    path.write_text(json.dumps(scenario, indent=1), encoding="utf-8")
    return World(path, names, from_ms, to_ms)


def _node(name: str, rng: random.Random, from_ms: int, samples: int) -> dict[str, Any]:
    cards = [f"GPU-{name}-{number}" for number in range(CARDS)]
    processes = [_process(100, cards[0], "k8s:steady", "train", from_ms, 0, samples - 1, 0)]
    pid = 100
    for card, crowd in ((cards[1], 3), (cards[2], 1)):
        for tenant in range(crowd):
            at = rng.randrange(4)
            while (left := samples - 2 - at) > 0:
                pid += 1
                length = rng.randint(1, max(1, min(left, samples // 3)))
                owner = f"k8s:tenant-{tenant if crowd > 1 else rng.randrange(5)}"
                cut_ms = rng.choice((0, rng.randrange(SAMPLE_MS)))
                processes.append(_process(pid, card, owner, f"job-{pid % 3}", from_ms, at, length, cut_ms))
                # Touching now and then; an owner's own next process may even begin before the last one ends.
                at += max(1, length + rng.choice((-1, 0, 1, 2, 5)))
    return {
        "id": name,
        "cluster": "chaos",
        "card": [{"uuid": card, "model": "NVIDIA H100 80GB HBM3"} for card in cards],
        "process": processes,
    }


def _process(
    pid: int, card: str, owner: str, workload: str, from_ms: int, at: int, length: int, cut_ms: int
) -> dict[str, Any]:
    """Alive from sample ``at`` for ``length`` samples, less ``cut_ms``."""
    start_ms = from_ms + at * SAMPLE_MS
    return {
        "pid": pid,
        "cards": [card],
        "from": format_rfc3339(start_ms),
        "to": format_rfc3339(start_ms + length * SAMPLE_MS - cut_ms),
        "owner": owner,
        "workload": workload,
    }
