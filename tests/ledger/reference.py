"""The ledger's definition, read word by word from docs/concepts.md: one page from facts, in exact fractions.

Owns what every integer of a page means. Does not own speed: it looks at each elementary segment of a quarter,
in which nothing starts or ends, and asks who is there. The engine must agree with it to the integer.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import replace
from fractions import Fraction

from cardhour_contract.interval import Interval
from cardhour_contract.moment import MS_US, QUARTER_MS
from cardhour_contract.record import Basis, CardState
from tests.ledger.facts import Card, CardRow, Facts, UsageRow
from tests.ledger.instant import Holder, Weight, holders, owner_share, weights, workload_shares
from tests.ledger.page import QUARTERS, Entry, Page, Unobserved
from tests.ledger.sight import Sight, meets, sight_of
from tests.ledger.sums import Key, Sums

ACTIVE_PER_US = 1000
"""1e-4 percent × ms in a card-microsecond of activity: 1 000 000 a millisecond, which has 1000 µs."""
BYTES_PER_MIB = 2**20

REASONS = (
    (CardState.SPOOL_FULL, "spool_full"),
    (CardState.NVML_FAILED, "nvml_failed"),
    (CardState.ABSENT, "absent"),
    (CardState.MIG_PARENT, "mig_parent"),
)
"""Where several card records explain the same instant, the first of these wins."""


def page(facts: Facts, card: str, hour_ms: int) -> Page:
    """The page of ``card`` for the hour that starts at ``hour_ms``."""
    return _closed(sums_of(facts, card, hour_ms))


def raw_rows(facts: Facts, card: str, hour_ms: int) -> int:
    """How many distinct raw rows a page rests on: not what they prove, but that none of them has expired."""
    hour = Interval(hour_ms, hour_ms + QUARTERS * QUARTER_MS)
    rows: set[UsageRow | CardRow] = {replace(each, batch=0) for each in facts.usage}
    rows |= {replace(each, batch=0, node="") for each in facts.card_rows}
    return sum(row.card == card and meets(row.start_ms, row.end_ms, hour) for row in rows)


def sums_of(facts: Facts, card: str, hour_ms: int) -> Sums:
    """The exact sums behind a page."""
    sums = Sums()
    sight = sight_of(facts, card, hour_ms)
    for quarter in range(QUARTERS):
        start_ms = hour_ms + quarter * QUARTER_MS
        window = Interval(start_ms, start_ms + QUARTER_MS)
        seen = sight.within(window)
        for segment in seen.segments(window):
            _count(sums, quarter, seen.at(segment), segment)
    return sums


def _count(sums: Sums, quarter: int, there: Sight, segment: Interval) -> None:
    """Adds one elementary segment; ``there`` is what covers all of it."""
    length_us = segment.length_ms * MS_US
    held = there.held
    states = {row.state for row in there.card_rows}
    _measure(sums, quarter, there.usage, segment.length_ms)
    idle = _hold(sums, quarter, held, length_us, billable=not there.faulted)
    if there.faulted:
        sums.faulted_us[quarter] += length_us
    elif held:
        sums.idle_us[quarter] += idle
    elif CardState.OBSERVED in states:
        sums.idle_us[quarter] += length_us
    else:
        sums.unobserved_us[quarter, _reason(there.card, states)] += length_us


def _reason(card: Card, states: set[CardState]) -> str:
    for state, reason in REASONS:
        if state in states:
            return reason
    return "imported" if card.imported_only else "silent"


def _hold(sums: Sums, quarter: int, held: Iterable[UsageRow], length_us: int, *, billable: bool) -> Fraction:
    """Adds what is held and, unless the card is faulted, billed. Returns the idle rest of the segment."""
    owners: defaultdict[str, list[Holder]] = defaultdict(list)
    for holder in holders(held).values():
        owners[holder.claim.owner].append(holder)
    shares = {owner: workload_shares(found) for owner, found in owners.items()}
    owed = weights({owner: owner_share(each) for owner, each in shares.items()})
    for owner, found in owners.items():
        key = Key(quarter, min(each.node for each in found), owner)
        _hold_key(sums, key, found, length_us)
        for workload in shares[owner]:
            part = [each for each in found if each.claim.workload == workload]
            _hold_key(sums, key._replace(workload=workload), part, length_us)
        if billable:
            _bill(sums, key, owed[owner], shares[owner], length_us)
    return length_us - sum(
        (Fraction(length_us * each.numerator, each.denominator) for each in owed.values()), Fraction(0)
    )


def _hold_key(sums: Sums, key: Key, found: list[Holder], length_us: int) -> None:
    sums.held_us[key] += length_us
    if all(each.bridged for each in found):
        sums.bridged_us[key] += length_us


def _bill(sums: Sums, key: Key, weight: Weight, shares: Mapping[str, int], length_us: int) -> None:
    sums.billable.add(key, weight.numerator * length_us, weight.denominator)
    for workload, share in shares.items():
        part = key._replace(workload=workload)
        sums.billable.add(part, weight.numerator * share * length_us, weight.denominator, sum(shares.values()))


def _measure(sums: Sums, quarter: int, rows: Iterable[UsageRow], length_ms: int) -> None:
    """Adds integrals: for each process the highest rate of its rows. Allocations measure nothing.

    A process that was seen has an entry even where nothing could be read.
    """
    metered = [row for row in rows if row.basis != Basis.ALLOCATION]
    for process, holder in holders(metered).items():
        mine = [row for row in metered if row.process == process]
        owner = Key(quarter, holder.node, holder.claim.owner)
        active = [Fraction(row.active, row.end_ms - row.start_ms) for row in mine if row.active is not None]
        memory = [Fraction(row.memory, row.end_ms - row.start_ms) for row in mine if row.memory is not None]
        for key in (owner, owner._replace(workload=holder.claim.workload)):
            for found, into in ((active, sums.active), (memory, sums.memory)):
                if found:
                    into.add(key, max(found).numerator * length_ms, max(found).denominator)
            sums.measured_us[key] += length_ms * MS_US if active else 0


def _closed(sums: Sums) -> Page:
    """Floors every sum once and hands what flooring dropped to rounding."""
    billable_us = {key: sums.billable.floored(key) for key in sums.held_us}
    firsts: dict[Key, Key] = {}
    for key in sorted(each for each in sums.held_us if each.workload is not None):
        firsts.setdefault(key._replace(workload=None), key)
    for owner, first in firsts.items():
        spread_us = sum(us for key, us in billable_us.items() if key.workload and key._replace(workload=None) == owner)
        billable_us[first] += billable_us[owner] - spread_us
    rounding_us = [
        sum((sums.billable.exact(key) - us for key, us in billable_us.items() if _owners(key, quarter)), Fraction(0))
        for quarter in range(QUARTERS)
    ]
    entries = [_entry(sums, key, billable_us.get(key, 0)) for key in _keys(sums)]
    return Page(
        by_owner=tuple(each for each in entries if each.workload is None),
        by_workload=tuple(each for each in entries if each.workload is not None),
        idle_us=tuple(map(_whole, sums.idle_us)),
        faulted_us=tuple(sums.faulted_us),
        rounding_us=tuple(map(_whole, rounding_us)),
        unobserved=tuple(Unobserved(quarter=q, reason=r, us=us) for (q, r), us in sorted(sums.unobserved_us.items())),
    )


def _owners(key: Key, quarter: int) -> bool:
    return key.workload is None and key.quarter == quarter


def _keys(sums: Sums) -> list[Key]:
    return sorted(
        {*sums.held_us, *sums.measured_us}, key=lambda each: (each.quarter, each.node, each.owner, each.workload or "")
    )


def _entry(sums: Sums, key: Key, billable_us: int) -> Entry:
    return Entry(
        quarter=key.quarter,
        node=key.node,
        owner=key.owner,
        workload=key.workload,
        held_us=sums.held_us[key],
        billable_us=billable_us,
        active_us=sums.active.floored(key) // ACTIVE_PER_US,
        memory_mib_ms=sums.memory.floored(key) // BYTES_PER_MIB,
        measured_us=sums.measured_us[key],
        bridged_us=sums.bridged_us[key],
    )


def _whole(exact: Fraction) -> int:
    if exact.denominator != 1:
        raise AssertionError(f"{exact} µs is not whole: idle and rounding must be")
    return exact.numerator
