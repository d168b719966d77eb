"""Random fleets: small, crowded and awkward on purpose.

Owns the Hypothesis strategy of facts. Does not own what they mean, nor other ways to send them (``resending``).
Everything happens around one midnight: cards are contested, processes are seen twice with different claims and
rates, rows touch, overlap, repeat and are empty, spans cross quarters and the day, names come late.
"""

from __future__ import annotations

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from cardhour_contract.interval import Interval, split
from cardhour_contract.moment import DAY_MS, HOUR_MS, QUARTER_MS, parse_rfc3339
from cardhour_contract.record import ACTIVE_WHOLE, Basis, CardState
from tests.ledger.facts import (
    Attribution,
    BasisWord,
    Card,
    CardRow,
    Claim,
    Facts,
    FaultRow,
    GivenUp,
    Move,
    Retraction,
    Scan,
    UsageRow,
)
from tests.ledger.instant import is_unknown
from tests.ledger.places import home
from tests.ledger.retired import MISSED_MS

MIDNIGHT_MS = parse_rfc3339("2026-03-01T00:00:00Z")
HOURS_MS = (MIDNIGHT_MS - HOUR_MS, MIDNIGHT_MS)
"""The hours that fleets use: the last of February and the first of March."""

GIB = 2**30

PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""For tests on fleets: a crowded fleet takes a while to draw on a busy machine, which says nothing about it."""

CLAIMS = (
    Claim(owner="k8s:a", workload="train"),
    Claim(owner="k8s:a", workload="serve", share=460),
    Claim(owner="k8s:a", workload="serve", share=250),
    Claim(owner="k8s:b", workload="train"),
    Claim(owner="k8s:b", workload="eval", share=333),
    Claim(owner="k8s:b", workload="tune", share=300),
    Claim(owner="slurm:c", workload="job-1"),
    Claim(owner="slurm:c", workload="job-2", share=1),
    Claim(owner="user:d", workload="notebook", share=700),
    Claim(owner="user:e", workload="shell"),
    Claim(owner="unknown:exited", workload="process:1"),
    Claim(owner="unknown:exited", workload="process:2", share=170),
    Claim(owner="unknown:hidden", workload="process:3", share=900),
    Claim(owner="unknown:hidden", workload="process:4"),
    Claim(owner="system:xorg", workload="xorg"),
)
USUAL = (0, 3, 10, 6, 13, 9, 0, 4, 14)
"""Which of ``CLAIMS`` each process mostly makes."""
TENANTS = tuple(each for each in CLAIMS if not each.owner.startswith(("unknown:", "system:")))

IMPORTED = 1000
"""Added to the key of a process that a file names: it never is the key of an observed one."""

CLAIMANTS = ("node-1", "node-2")
"""The nodes that report, and that may both claim a card."""

_batches = st.integers(0, 2)
_edges = st.sampled_from((0, 0, 0, 0, 1, 7, 60_000, 120_000, 300_000, 450_000, 899_999))
_times = st.builds(
    lambda quarter, at_ms: MIDNIGHT_MS + quarter * QUARTER_MS + at_ms,
    st.sampled_from((-1, -1, -1, -1, -1, 0, 0, -2, 2)),
    _edges | st.integers(0, QUARTER_MS - 1),
)
_lengths = st.sampled_from((600_000, QUARTER_MS, QUARTER_MS, QUARTER_MS + 1, 180_000, 60_000, 59_999, 1, 0))
_rates = st.sampled_from((ACTIVE_WHOLE // 3, ACTIVE_WHOLE, 1, 0, None))
_byte_rates = st.sampled_from((GIB, 80 * GIB - 7, 1, 0, None))


@st.composite
def fleets(draw: st.DrawFn) -> Facts:
    """A whole GPU, sometimes a MIG instance beside it, one known from imports alone, one that its node misses."""
    basis = draw(st.sampled_from((Basis.PROCESS, Basis.PROCESS, Basis.ALLOCATION)))
    cards = [Card(card="gpu-0", basis=basis)]
    if draw(st.booleans()):
        parent = draw(st.sampled_from(("gpu-0", "gpu-9")))
        cards.append(Card(card="mig-1", model="H100 1g.10gb", basis=basis, parent=parent))
    if draw(st.integers(0, 3)) == 0:
        cards.append(Card(card="imported-2", model="T4", cluster="edge", imported_only=True))
    usage = [row for each in cards for row in draw(_usage(each))]
    missed: list[Scan] = []
    if draw(st.integers(0, 3)) == 0:
        cards.append(Card(card="old-3", basis=basis))
        usage += draw(st.just([]) | _usage(cards[-1]))
        missed = draw(_misses(cards[-1]))
    contested = draw(st.integers(0, 2)) == 0
    nodes = [home(each) for each in cards] + (list(CLAIMANTS) if contested else [])
    return Facts(
        cards=tuple(cards),
        usage=tuple(usage),
        card_rows=tuple(row for each in cards if not each.imported_only for row in draw(_card_rows(each.card))),
        faults=tuple(row for told in draw(st.lists(_faults(), max_size=2)) for row in told),
        attributions=tuple(draw(st.just([]) | st.lists(_attributions(usage), min_size=1, max_size=4))),
        retractions=tuple(draw(st.just([]) | st.lists(_retractions, min_size=1, max_size=4))),
        scans=(*(draw(_scans()) if contested else ()), *missed),
        moves=tuple(draw(st.just([]) | st.lists(_moves, min_size=1, max_size=3))) if contested else (),
        given_up=tuple(draw(st.just([]) | st.lists(_given_up, min_size=1, max_size=2))),
        words=tuple(draw(st.just([]) | st.lists(_words(nodes), min_size=1, max_size=3))),
    )


@st.composite
def _usage(draw: st.DrawFn, card: Card) -> list[UsageRow]:
    """A few spans by a few processes, so that some speak twice of the same time."""
    rows: list[UsageRow] = []
    for number in draw(st.lists(st.integers(0, len(USUAL) - 1), min_size=9, max_size=14)):
        usual = CLAIMS[USUAL[number]]
        claim = draw(st.just(usual) | st.just(usual) | st.sampled_from(CLAIMS))
        rows += draw(_span(card, process=number, claim=claim))
    repeated = draw(st.lists(st.sampled_from(rows), max_size=2)) if rows else []
    return [*rows, *repeated]


@st.composite
def _span(draw: st.DrawFn, card: Card, *, process: int, claim: Claim) -> list[UsageRow]:
    """One stay of a process, as the rows that ingest would store: none crosses a quarter hour.

    An observed process and an allocation have one node each, which is in their keys; a file may name any.
    """
    other_basis = st.sampled_from((Basis.PROCESS, Basis.ALLOCATION, Basis.IMPORTED))
    basis = Basis.IMPORTED if card.imported_only else draw(st.just(card.basis) | st.just(card.basis) | other_basis)
    start_ms = draw(_times)
    whole = Interval(start_ms, start_ms + draw(_lengths))
    metered = basis != Basis.ALLOCATION
    active, memory = (draw(_rates), draw(_byte_rates)) if metered else (None, None)
    odd = draw(st.integers(0, 6)) if whole.length_ms else 0
    if basis == Basis.IMPORTED:
        process, node = IMPORTED + process, draw(st.sampled_from(("node-1", "node-1", "node-2", "")))
    else:
        node = "node-1" if process % 3 else "node-2"
    bridged = draw(st.integers(0, 3)) == 0
    batch = draw(_batches)
    return [
        UsageRow(
            card=card.card,
            process=process,
            node=node,
            start_ms=part.start_ms,
            end_ms=part.end_ms,
            claim=claim,
            basis=basis,
            # Where ``odd`` is set, the rate is not a whole number: readings rarely are.
            active=None if active is None else max(0, active * part.length_ms - odd),
            memory=None if memory is None else memory * part.length_ms + odd,
            bridged=bridged,
            batch=batch,
        )
        for part in (split(whole, QUARTER_MS) if whole.length_ms else (whole,))
    ]


@st.composite
def _card_rows(draw: st.DrawFn, card: str) -> list[CardRow]:
    rows = []
    for state in draw(st.lists(st.sampled_from((CardState.OBSERVED, *CardState)), max_size=4)):
        start_ms = draw(_times)
        whole = Interval(start_ms, start_ms + draw(_lengths))
        node, batch = draw(st.sampled_from(CLAIMANTS)), draw(_batches)
        rows += [
            CardRow(card=card, start_ms=part.start_ms, end_ms=part.end_ms, state=state, node=node, batch=batch)
            for part in split(whole, QUARTER_MS)
        ]
    return rows


@st.composite
def _faults(draw: st.DrawFn) -> list[FaultRow]:
    """One fault, told once or twice: opened, and perhaps closed at two different times."""
    card = draw(st.sampled_from(("gpu-0", "mig-1", "gpu-9")))
    opened_at_ms = draw(_times | st.sampled_from((MIDNIGHT_MS - DAY_MS + 1, MIDNIGHT_MS + 450_000 - DAY_MS)))
    lasts_ms = st.sampled_from((None, 0, 1, 60_000, 700_000, 2 * DAY_MS))
    node, batch = draw(st.sampled_from(CLAIMANTS)), draw(_batches)
    return [
        FaultRow(
            card=card,
            opened_at_ms=opened_at_ms,
            closed_at_ms=None if each is None else opened_at_ms + each,
            node=node,
            batch=batch,
        )
        for each in draw(st.lists(lasts_ms, min_size=1, max_size=2))
    ]


def _attributions(usage: list[UsageRow]) -> st.SearchStrategy[Attribution]:
    """Late answers, mostly about processes that need one; several may be about the same process at the same time."""
    processes = sorted({row.process for row in usage})
    unknown = sorted({row.process for row in usage if is_unknown(row.claim.owner)}) or processes
    return st.builds(
        Attribution,
        process=st.sampled_from(unknown) | st.sampled_from(unknown) | st.sampled_from(processes),
        claim=st.sampled_from(TENANTS),
        at_ms=st.sampled_from((MIDNIGHT_MS, MIDNIGHT_MS, MIDNIGHT_MS + 1)),
        node=st.sampled_from(CLAIMANTS),
        batch=_batches,
    )


@st.composite
def _scans(draw: st.DrawFn) -> list[Scan]:
    """Both nodes list the card at some time, and now and then each has it or has not."""
    seen = [*((node, True) for node in CLAIMANTS), *draw(st.lists(_sightings, min_size=1, max_size=6))]
    return [Scan(node=node, at_ms=draw(_times), cards=("gpu-0",) if there else ()) for node, there in seen]


@st.composite
def _misses(draw: st.DrawFn, card: Card) -> list[Scan]:
    """Its node had it long ago and misses it since, for thirty days up to some moment; then it may be there again."""
    gone_ms = draw(_departures)
    seen = [(gone_ms - MISSED_MS - DAY_MS, True), (gone_ms - MISSED_MS, False)]
    after_ms = st.sampled_from((-DAY_MS, -1, 0, 0, 1, DAY_MS)).map(lambda late_ms: gone_ms + late_ms)
    seen += draw(st.lists(st.tuples(after_ms | _times, st.sampled_from((False, False, False, True))), max_size=3))
    return [Scan(node=home(card), at_ms=at_ms, cards=(card.card,) if there else ()) for at_ms, there in seen]


_departures = st.sampled_from(
    tuple(hour_ms + late_ms for hour_ms in (*HOURS_MS, HOURS_MS[-1] - 5 * DAY_MS) for late_ms in (-1, 0, 0, 1))
)
_given_up = st.builds(GivenUp, card=st.sampled_from(("gpu-0", "old-3")), from_ms=_departures)
_sightings = st.tuples(st.sampled_from(CLAIMANTS), st.booleans())
_within = st.sampled_from(tuple(MIDNIGHT_MS + each for each in (-450_000, -60_000, -1, 60_000, 450_000)))
_moves = st.builds(Move, card=st.just("gpu-0"), node=st.sampled_from(CLAIMANTS), from_ms=_times | _within)


def _words(nodes: list[str]) -> st.SearchStrategy[BasisWord]:
    """Nodes change their basis, mostly between the two hours, and never twice within a day."""
    at_ms = st.sampled_from((MIDNIGHT_MS - 1, MIDNIGHT_MS - 1, MIDNIGHT_MS, MIDNIGHT_MS + 1, MIDNIGHT_MS - DAY_MS))
    bases = st.sampled_from((Basis.PROCESS, Basis.ALLOCATION))
    return st.builds(BasisWord, node=st.sampled_from(nodes), at_ms=at_ms, basis=bases)


_subjects = st.one_of(
    st.sampled_from((("card", "gpu-0"), ("card", "mig-1"), ("node", "node-1"), ("process", 0), ("process", 2))),
    st.tuples(st.just("batch"), _batches),
    st.tuples(st.just("owner"), st.sampled_from(("k8s:a", "k8s:b", "unknown:exited"))),
)
_retractions = st.builds(
    lambda subject, from_ms, length_ms, after: Retraction(
        scope=subject[0], subject=subject[1], from_ms=from_ms, to_ms=from_ms + length_ms, after=after
    ),
    _subjects,
    _times,
    st.sampled_from((1, 60_000, 400_000, QUARTER_MS, HOUR_MS, HOUR_MS, HOUR_MS)),
    st.sampled_from((True, True, True, False)),
)
