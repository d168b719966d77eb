"""A usage ledger in memory, exact like the real one: ``test_ledger`` holds the two to the same answers.

It lets a test say what was held in a line, change usage between two steps, and fail on purpose.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Sequence

from cardhour_billing.ledger import Coverage, Frozen
from cardhour_billing.rating import UsageSum
from cardhour_contract.moment import MS_US, parse_rfc3339
from cardhour_ingest.warehouse.usage import BillableUsage

Held = tuple[str, str, str, str, str, int, int]
"""owner, cluster, node, card, model, from_ms, to_ms: alone on the card."""


class MemoryLedger:
    """Usage that was alone on its cards."""

    def __init__(self) -> None:
        self.held: list[Held] = []
        self.frozen: dict[str, list[tuple[int, UsageSum]]] = {}

    def hold(
        self, owner: str, model: str, from_: str, to: str, *, card: str = "GPU-0", node: str = "n1", cluster: str = "c1"
    ) -> None:
        """``owner`` holds ``card`` between two RFC 3339 times."""
        self.held.append((owner, cluster, node, card, model, parse_rfc3339(from_), parse_rfc3339(to)))

    def settle(self) -> None:
        """Nothing waits here."""

    def billable(self, from_ms: int, to_ms: int, cuts_ms: Sequence[int]) -> Iterable[UsageSum]:
        cuts = sorted({from_ms, *(cut for cut in cuts_ms if from_ms < cut < to_ms)})
        sums: dict[tuple[str, str, str, str, str, int], int] = defaultdict(int)
        for owner, cluster, node, card, model, start_ms, end_ms in self.held:
            for at, cut in enumerate(cuts):
                until = cuts[at + 1] if at + 1 < len(cuts) else to_ms
                length_ms = min(end_ms, until) - max(start_ms, cut)
                if length_ms > 0:
                    sums[owner, cluster, node, card, model, cut] += length_ms * MS_US
        return [
            BillableUsage(
                owner=owner, cluster=cluster, node=node, card=card, model=model, segment_start_ms=at_ms, held_us=us,
                billable_us=us,
            )
            for (owner, cluster, node, card, model, at_ms), us in sorted(sums.items())
        ]  # fmt: skip

    def freeze(
        self, document: str, from_ms: int, to_ms: int, cuts_ms: Sequence[int], lines: Iterable[tuple[UsageSum, int]]
    ) -> Frozen:
        now = {_identity(usage): usage for usage in self.billable(from_ms, to_ms, cuts_ms)}
        kept = [(line, now[_identity(usage)]) for usage, line in lines if _identity(usage) in now]
        self.frozen[document] = kept
        by_line: dict[int, int] = defaultdict(int)
        for line, usage in kept:
            by_line[line] += usage.billable_us
        return Frozen(digest=hashlib.sha256(repr(kept).encode()).hexdigest(), quantity_us=dict(by_line))

    def coverage(self, from_ms: int, to_ms: int) -> Coverage:
        return Coverage(cards=len({held[3] for held in self.held}), unobserved_us=0, faulted_us=0)


def _identity(usage: UsageSum) -> tuple[str, str, str, str, str, int]:
    return usage.owner, usage.cluster, usage.node, usage.card, usage.model, usage.segment_start_ms
