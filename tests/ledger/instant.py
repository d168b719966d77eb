"""Who is on a card at one instant, and which part of it each is billed.

Owns the rules of an instant: one claim a process, one share an owner, one weight an owner. Does not own time.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from cardhour_contract.record import SHARE_WHOLE
from tests.ledger.facts import Claim, UsageRow


class Weight(NamedTuple):
    """A part of the card at an instant, not reduced: its denominator says with which others it is floored."""

    numerator: int
    denominator: int


class Holder(NamedTuple):
    """A process at an instant, with the one claim that won."""

    claim: Claim
    node: str
    """The first by name, where rows of that claim come from several."""
    bridged: bool
    """Whether none of its rows is a sighting, whatever it claims."""


def holders(rows: Iterable[UsageRow]) -> dict[int, Holder]:
    """Each process once: a known owner over an unknown one, then the greatest (owner, workload, share)."""
    found: defaultdict[int, list[UsageRow]] = defaultdict(list)
    for row in rows:
        found[row.process].append(row)
    return {process: _winner(rows) for process, rows in found.items()}


def is_unknown(owner: str) -> bool:
    return owner.startswith("unknown:")


def is_system(owner: str) -> bool:
    return owner.startswith("system:")


def workload_shares(found: Iterable[Holder]) -> dict[str, int]:
    """Each workload's share: the greatest of its processes, however many there are."""
    shares: dict[str, int] = {}
    for claim in (each.claim for each in found):
        shares[claim.workload] = max(claim.share, shares.get(claim.workload, 0))
    return shares


def owner_share(workloads: Mapping[str, int]) -> int:
    """An owner's share: what its workloads add up to, at most the whole card."""
    return min(SHARE_WHOLE, sum(workloads.values()))


def weights(shares: Mapping[str, int]) -> dict[str, Weight]:
    """The part of the card that each owner is billed, given every owner's share at an instant."""
    unknown = sum(share for owner, share in shares.items() if is_unknown(owner))
    tenant = sum(share for owner, share in shares.items() if not is_unknown(owner) and not is_system(owner))
    spare = max(0, SHARE_WHOLE - tenant)

    def weight(owner: str, share: int) -> Weight:
        if is_system(owner):
            return Weight(0, SHARE_WHOLE)
        if not is_unknown(owner):
            return Weight(share, max(SHARE_WHOLE, tenant))
        return Weight(share, SHARE_WHOLE) if unknown <= spare else Weight(share * spare, unknown * SHARE_WHOLE)

    return {owner: weight(owner, share) for owner, share in shares.items()}


def _winner(rows: list[UsageRow]) -> Holder:
    claim = max(
        (row.claim for row in rows),
        key=lambda each: (not is_unknown(each.owner), each.owner, each.workload, each.share),
    )
    node = min(row.node for row in rows if row.claim == claim)
    return Holder(claim, node, all(row.bridged for row in rows))
