"""What random fleets contain, so that a comparison on them is known to have met the hard cases.

Owns the names of the cases and how to tell one. Does not own how fleets are made.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator

from cardhour_contract.interval import Interval
from cardhour_contract.moment import HOUR_MS, QUARTER_MS
from cardhour_contract.record import SHARE_WHOLE, Basis
from tests.ledger.facts import Facts, UsageRow
from tests.ledger.fleet import HOURS_MS
from tests.ledger.instant import holders, is_system, is_unknown, owner_share, weights, workload_shares
from tests.ledger.page import QUARTERS
from tests.ledger.places import home_at
from tests.ledger.retired import retired_hour
from tests.ledger.sight import Sight, meets, sight_of


def census(fleets: Iterable[Facts]) -> Counter[str]:
    """How many card-quarters show each case. ``held`` counts those in which anybody holds the card."""
    counts: Counter[str] = Counter()
    for facts in fleets:
        late = {each.process for each in facts.attributions}
        for card in facts.cards:
            sights = {hour_ms: sight_of(facts, card.card, hour_ms) for hour_ms in HOURS_MS}
            bases = {each.card.basis for each in sights.values()}
            gone = {hour_ms: retired_hour(facts, card.card, hour_ms) for hour_ms in HOURS_MS}
            for window in _quarters():
                sight = sights[window.start_ms - window.start_ms % HOUR_MS]
                told = [row for row in facts.usage if row.card == card.card and meets(row.start_ms, row.end_ms, window)]
                counts.update(_cases(sight.within(window), window))
                back = [each for each in facts.retractions if each.after and meets(each.from_ms, each.to_ms, window)]
                counts["retracted"] += bool(back)
                for scope in ("batch", "owner"):
                    counts[f"{scope}_retracted"] += any(
                        each.scope == scope and each.names(row) for each in back for row in told
                    )
                homes = {home_at(sight.stays, at_ms) for at_ms in (window.start_ms, window.end_ms - 1)}
                counts["moved"] += len(homes) > 1
                counts["told_by_another_node"] += any(row.node not in homes for row in told if sight.stays)
                counts["retired"] += gone[window.start_ms - window.start_ms % HOUR_MS] and not told
                counts["retired_and_used"] += gone[window.start_ms - window.start_ms % HOUR_MS] and bool(told)
                counts["basis_changed"] += len(bases) > 1 and bool(told)
                counts["late_attribution"] += any(row.process in late and is_unknown(row.claim.owner) for row in told)
    return counts


def _quarters() -> Iterator[Interval]:
    for hour_ms in HOURS_MS:
        for quarter in range(QUARTERS):
            start_ms = hour_ms + quarter * QUARTER_MS
            yield Interval(start_ms, start_ms + QUARTER_MS)


def _cases(seen: Sight, window: Interval) -> set[str]:
    cases: set[str] = set()
    denominators: set[int] = set()
    for segment in seen.segments(window):
        there = seen.at(segment)
        if not there.held:
            continue
        cases.add("faulted_while_held" if there.faulted else "held")
        workloads: defaultdict[str, dict[str, int]] = defaultdict(dict)
        found = holders(there.held).values()
        for owner in {each.claim.owner for each in found}:
            workloads[owner] = workload_shares(each for each in found if each.claim.owner == owner)
        shares = {owner: owner_share(each) for owner, each in workloads.items()}
        denominators |= {each.denominator for owner, each in weights(shares).items() if not is_system(owner)}
        cases |= _cases_at(shares, there.usage)
        if any(len(each) > 1 for each in workloads.values()):
            cases.add("several_workloads")
    return cases | ({"three_denominators"} if len(denominators) >= 3 else set())


def _cases_at(shares: dict[str, int], rows: Iterable[UsageRow]) -> set[str]:
    cases: set[str] = set()
    unknown = sum(is_unknown(owner) for owner in shares)
    tenants = {owner: share for owner, share in shares.items() if not is_unknown(owner) and not is_system(owner)}
    if sum(tenants.values()) > SHARE_WHOLE:
        cases.add("contested")
    if unknown >= 2:
        cases.add("two_unknown_owners")
    if unknown and tenants and sum(tenants.values()) < SHARE_WHOLE:
        cases.add("unknown_beside_tenant")
    if tenants and any(map(is_system, shares)):
        cases.add("system_beside_tenant")
    measuring = Counter(row.process for row in set(rows) if row.active is not None and row.basis != Basis.ALLOCATION)
    if max(measuring.values(), default=0) > 1:
        cases.add("recut_with_integrals")
    return cases
