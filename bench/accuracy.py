"""What the agent meters of real processes against what they read from their own clocks.

Owns the tenants' lives and marks, the loop around the agent's own parts (NVML child, /proc, pidfds, sampler), and the
join of records with the truth. Each tenant is on two cards, one with accounting mode and one without, so that both ways
meter the same lives. Does not own what errors say (``errors``). Long lives run by a clock that is faster than the
machine's; tenants, driver and agent all read that same clock, so a late wake-up counts for more, never for less.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from hashlib import blake2b
from itertools import pairwise
from pathlib import Path
from unittest.mock import patch

from msgspec import Struct

from bench.driver import CARDS, LOST, REUSE, STALE, Driver, ScaledClock, Slot
from cardhour_agent.config import load
from cardhour_agent.output import Policy
from cardhour_agent.runner import Parts
from cardhour_agent.sampler import Sampler
from cardhour_agent.timeline import Timeline
from cardhour_contract.interval import Interval, union
from cardhour_contract.record import CardRecord, CardState, Report

MS_NS = 1_000_000
SECOND_NS = 1_000_000_000
ACCOUNTED = (1 << CARDS // 2) - 1
"""The first half of the cards has accounting mode on."""

MARKED = {STALE: 0.01, LOST: 0.01, REUSE: 0.02}
"""Shares of tenants that go wrong in these ways."""

CUES = {
    "seed": 20_261_126,
    "accounting": ACCOUNTED,
    "failed_permille": 25,
    "missing_permille": 1,
    "listed_after_us": 20_000,
    "stale_us": 15_000_000,
    "kept": 1000,
}
"""Of the driver: 2.5 % of readings fail as a whole, and 2.5 % of each card's besides."""


class Plan(Struct, frozen=True, kw_only=True):
    """Lives to be metered: log-uniform between two lengths, begun evenly over some time. All by the scaled clock."""

    tenants: int
    shortest_ms: int
    longest_ms: int
    begun_within_ms: int
    sample_ms: int
    report_ms: int = 60_000
    scale: int = 1


PLANS = (
    Plan(tenants=9000, shortest_ms=50, longest_ms=60_000, begun_within_ms=150_000, sample_ms=5000),
    Plan(tenants=1000, shortest_ms=10_000, longest_ms=3_600_000, begun_within_ms=1_200_000, sample_ms=10_000, scale=20),
)
"""Most lives are real ones. Those of up to an hour run by a clock that is twenty times as fast as the machine's."""


class Taken(Struct, frozen=True, kw_only=True):
    """One sample of the agent."""

    at_ms: int
    failed: frozenset[str]
    """Cards whose processes it could not read."""


class Told(Struct, kw_only=True):
    """What records tell of one process on one card."""

    spans: list[Interval]
    first_ms: int
    """When the first of them was there, and the last."""
    last_ms: int
    bridged_ms: int = 0


class Life(Struct, frozen=True, kw_only=True):
    """One process on one card: the truth, and what was metered of it."""

    card: str
    accounted: bool
    flags: int
    missed: bool
    began_ns: int
    ended_ns: int
    told: Told | None


class Run(Struct, frozen=True, kw_only=True):
    """Everything of one run."""

    plan: Plan
    lives: list[Life]
    taken: list[Taken]
    cards: list[CardRecord]
    failed: int
    """Readings of cards that the driver failed, by its own count; the first reading is before the run."""
    strangers_ms: int
    """Metered on cards that the process never was on: a stale entry whose pid is another tenant's by then."""


def run(folder: Path, plan: Plan) -> Run:
    clock = ScaledClock(plan.scale)
    driver = Driver(folder, clock, plan.tenants, **CUES)
    policy = Policy(sample_ms=plan.sample_ms, report_ms=plan.report_ms)
    with patch.dict(os.environ, driver.environment), _parts(folder, clock) as parts:
        _schedule(driver, plan, clock)
        with driver.tenants() as tenants:
            reports, taken = _meter(parts, policy, clock, lambda: tenants.poll() is None)
            if tenants.poll():
                raise RuntimeError(f"the tenants ended with exit code {tenants.returncode}")
    told, strangers_ms = _told(reports, driver)
    return Run(
        plan=plan,
        lives=list(_lives(driver, told)),
        taken=taken,
        cards=[each for _, report in reports for each in report.cards],
        failed=sum(driver.header.failed[at].bit_count() for at in range(1, driver.header.readings)),
        strangers_ms=strangers_ms,
    )


def _schedule(driver: Driver, plan: Plan, clock: ScaledClock) -> None:
    now_ns = clock.now_ms() * MS_NS - clock.wall_ns
    dues = sorted(round(_part("due", at) * plan.begun_within_ms * MS_NS) for at in range(plan.tenants))
    longer = plan.longest_ms / plan.shortest_ms
    for at, (slot, due_ns) in enumerate(zip(driver.slots, dues, strict=True)):
        slot.due_ns = now_ns + due_ns + 2 * plan.sample_ms * MS_NS
        slot.life_ns = round(plan.shortest_ms * MS_NS * longer ** _part("life", at))
        card = at % (CARDS // 2)
        slot.cards = 1 << card | 1 << card + CARDS // 2
        slot.flags = sum(mark for mark, share in MARKED.items() if _part(mark, at) < share)
        slot.sm = 1 + round(_part("sm", at) * 99)


def _part(what: str | int, at: int) -> float:
    """From 0 to 1, the same in every run."""
    return int.from_bytes(blake2b(f"{CUES['seed']} {what} {at}".encode(), digest_size=8).digest()) / 2**64


@contextmanager
def _parts(folder: Path, clock: ScaledClock) -> Iterator[Parts]:
    # The plan has the sampling's own times; a driver that answers late on a busy machine is not what is measured here.
    settings = {"NODE": "bench", "SAMPLE_INTERVAL_S": "300", "REPORT_INTERVAL_S": "900", "NVML_TIMEOUT_S": "60"}
    environ = {f"CARDHOUR_AGENT_{name}": value for name, value in settings.items()}
    parts = Parts(load({"CARDHOUR_HOME": str(folder), **environ}), clock)
    try:
        parts.device.read()  # its process takes a second to start, which a fast clock makes many
        yield parts
    finally:
        parts.close()


def _meter(
    parts: Parts, policy: Policy, clock: ScaledClock, going_on: Callable[[], bool]
) -> tuple[list[tuple[int, Report]], list[Taken]]:
    """Sample as the agent does until all tenants have left, and two samples more; reports with when they were there."""
    observer = parts.observer(Sampler(policy), Timeline(clock))
    reports: list[tuple[int, Report]] = []
    taken: list[Taken] = []
    left = 3
    while left:
        left -= not going_on()
        found = observer.observe()
        reports += ((clock.now_ms(), each) for each in found)
        reading = observer.reading
        cards = frozenset(f"GPU-{at}" for at in range(CARDS))
        failed = cards if reading.failure else frozenset(each.card for each in reading.readings if each.failure)
        taken.append(Taken(at_ms=observer.tick.at_ms, failed=failed))
        due_ms = clock.monotonic_ms() + observer.tick.until_due_ms(clock.monotonic_ms(), policy.sample_ms)
        while (left_ms := due_ms - clock.monotonic_ms()) > 0:
            parts.exits.wait(max(1, left_ms // clock.scale))  # it waits by the machine's clock
    reports += ((clock.now_ms(), each) for each in observer.flush())
    return reports, taken


def _told(reports: list[tuple[int, Report]], driver: Driver) -> tuple[dict[tuple[int, str], Told], int]:
    """By slot and card; and the time of those that no slot has there."""
    pid_of = {each.process: each.pid for _, report in reports for each in report.processes}
    by_process: dict[tuple[int, str], Told] = {}
    for at_ms, report in reports:
        for each in report.usage:
            told = by_process.setdefault((each.process, each.card), Told(spans=[], first_ms=at_ms, last_ms=at_ms))
            told.spans.append(Interval(each.started_at_ms, each.ended_at_ms))
            told.last_ms = at_ms
            told.bridged_ms += each.bridged * (each.ended_at_ms - each.started_at_ms)
    slots_of: defaultdict[tuple[int, str], list[int]] = defaultdict(list)
    for at, slot in enumerate(driver.slots):
        for card in _cards_of(slot):
            slots_of[slot.pid, card].append(at)
    found: dict[tuple[int, str], Told] = {}
    strangers_ms = 0
    for (process, card), told in by_process.items():
        candidates = slots_of.get((pid_of[process], card), [])
        best = max(candidates, key=lambda at: _common_ns(driver.slots[at], told), default=None)
        if best is None or _common_ns(driver.slots[best], told) < -driver.header.stale_us * 1000:
            strangers_ms += sum(each.length_ms for each in told.spans)
            continue
        before = found.setdefault((best, card), told)
        if before is not told:
            before.spans += told.spans
            before.first_ms, before.last_ms = min(before.first_ms, told.first_ms), max(before.last_ms, told.last_ms)
            before.bridged_ms += told.bridged_ms
    for told in found.values():
        told.spans = union(told.spans)
    return found, strangers_ms


def _common_ns(slot: Slot, told: Told) -> int:
    """How long the two overlap; negative where they do not."""
    start_ms, end_ms = min(each.start_ms for each in told.spans), max(each.end_ms for each in told.spans)
    return int(min(slot.ended_ns, end_ms * MS_NS) - max(slot.began_ns, start_ms * MS_NS))


def _cards_of(slot: Slot) -> list[str]:
    return [f"GPU-{card}" for card in range(CARDS) if slot.cards >> card & 1]


def _lives(driver: Driver, told: Mapping[tuple[int, str], Told]) -> Iterator[Life]:
    for at, slot in enumerate(driver.slots):
        for card in _cards_of(slot):
            yield Life(
                card=card,
                accounted=bool(driver.header.accounting >> int(card.removeprefix("GPU-")) & 1),
                flags=slot.flags,
                missed=bool(slot.missed),
                began_ns=slot.began_ns,
                ended_ns=slot.ended_ns,
                told=told.get((at, card)),
            )


def failed_ms(run: Run, card: str) -> tuple[int, int]:
    """Time of a card around failed samples: as the samples say, and as its records do."""
    by_samples = sum(
        after.at_ms - before.at_ms
        for before, after in pairwise(run.taken)
        if card in before.failed | after.failed and after.at_ms - before.at_ms <= 2 * run.plan.sample_ms
    )
    by_records = sum(
        each.ended_at_ms - each.started_at_ms
        for each in run.cards
        if each.card == card and each.state is CardState.NVML_FAILED
    )
    return by_samples, by_records
