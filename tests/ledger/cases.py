"""Small facts written by hand: builders, and the cases that random fleets seldom meet.

Owns short ways to write a row. Does not own what the ledger makes of it: ``test_reference`` says so in figures.
Times are milliseconds from the first midnight of March 2026.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from cardhour_contract.identity import workload_key
from cardhour_contract.moment import DAY_MS, HOUR_MS, QUARTER_MS
from cardhour_contract.record import Basis, CardState
from tests.ledger.facts import (
    Attribution,
    BasisWord,
    Card,
    CardRow,
    Claim,
    Facts,
    FaultRow,
    GivenUp,
    Retraction,
    Scan,
    UsageRow,
)
from tests.ledger.fleet import MIDNIGHT_MS as T

GPU = Card(card="gpu")


def row(
    owner: str,
    start_ms: int = 0,
    end_ms: int = QUARTER_MS,
    *,
    workload: str = "w",
    share: int = 1000,
    process: int | None = None,
    node: str = "n1",
    basis: Basis = Basis.PROCESS,
    active: int | None = None,
    memory: int | None = None,
    bridged: bool = False,
    batch: int = 0,
) -> UsageRow:
    """A row of the first quarter after midnight; each (owner, workload) is one process unless told otherwise."""
    return UsageRow(
        card="gpu",
        process=workload_key(owner, workload) if process is None else process,
        node=node,
        start_ms=T + start_ms,
        end_ms=T + end_ms,
        claim=Claim(owner=owner, workload=workload, share=share),
        basis=basis,
        active=active,
        memory=memory,
        bridged=bridged,
        batch=batch,
    )


def seen(start_ms: int, end_ms: int, state: CardState = CardState.OBSERVED) -> CardRow:
    return CardRow(card="gpu", start_ms=T + start_ms, end_ms=T + end_ms, state=state)


def equal_products() -> tuple[UsageRow, ...]:
    """1 ms with f, u, v of one owner (1 + 999 + 1000 of 2000) at 1000/1500 of the card, then 2 ms of v at 1/3 of it."""
    crowd = [row("k8s:a", 0, 1, workload=name, share=share) for name, share in (("f", 1), ("u", 999), ("v", 1000))]
    alone = [row("k8s:a", 1, 3, workload="v"), row("k8s:b", 1, 3), row("k8s:c", 1, 3)]
    return (*crowd, row("k8s:z", 0, 1, share=500), *alone)


def three_then_seven() -> tuple[UsageRow, ...]:
    """100 ms of three tenants, then 100 ms of seven: denominators 3000 and 7000."""
    return (*(row(f"k8s:{name}", 0, 100) for name in "abc"), *(row(f"k8s:{name}", 100, 200) for name in "abcdefg"))


def pods_and_a_process() -> tuple[UsageRow, ...]:
    """Three allocations of an owner on a card of that basis, and a process of its that comes first by name."""
    pods = [row("k8s:a", 0, 100, workload=name, basis=Basis.ALLOCATION) for name in ("p1", "p2", "p3")]
    return (*pods, row("k8s:a", 0, 100, workload="aa", active=0))


def thirds() -> tuple[UsageRow, ...]:
    """A rate of 10/3 a millisecond for 300 ms, cut into six by rows of the same process that say less."""
    return (row("k8s:a", 0, 300, active=1_000), *(row("k8s:a", at, at + 50, active=1) for at in range(0, 300, 50)))


def fault(opened_at_ms: int, closed_at_ms: int | None = None, *, card: str = "gpu") -> FaultRow:
    return FaultRow(
        card=card, opened_at_ms=T + opened_at_ms, closed_at_ms=None if closed_at_ms is None else T + closed_at_ms
    )


def back(scope: Literal["batch", "card", "process", "owner"], subject: str | int, *, after: bool = True) -> Retraction:
    """The first 200 ms, taken back."""
    return Retraction(scope=scope, subject=subject, from_ms=T, to_ms=T + 200, after=after)


M = 60_000
"""The one pass counts rows that begin and end on whole minutes apart from those that do not."""

ON_MINUTES = tuple(
    Facts(cards=(GPU,), usage=usage, card_rows=card_rows)
    for usage, card_rows in (
        ((row("k8s:a", 0, 2 * M, process=1), row("k8s:a", M, 3 * M, process=2)), ()),
        ((row("k8s:a", 0, 1_500, process=1), row("k8s:a", 1_000, 2_500, process=2)), ()),
        ((row("k8s:a", 0, 2 * M, process=1), row("k8s:a", M + 7, M + 9, process=2)), ()),
        ((row("k8s:a", 0, M), row("k8s:a", M, M + 7)), (seen(0, 15 * M),)),
        ((), (seen(0, 2 * M), seen(M, 3 * M))),
        ((), (seen(0, 1_500), seen(1_000, 2_500))),
        ((), (seen(0, 2 * M), seen(M + 7, M + 9))),
        ((row("k8s:a", 0, 3 * M),), (seen(0, 2 * M),)),
        ((row("k8s:a", 0, 2 * M + 7),), (seen(0, 2 * M),)),
        ((row("k8s:a", 0, 2 * M),), (seen(0, 2 * M + 7),)),
        ((row("k8s:a", 0, 2 * M),), (seen(7, 2 * M),)),
        ((row("k8s:a", 7, 2 * M),), ()),
    )
)


def answer(*, batch: int = 0) -> Attribution:
    return Attribution(process=1, claim=Claim(owner="k8s:a", workload="v"), at_ms=T, batch=batch)


def moved(*usage: UsageRow, card_rows: tuple[CardRow, ...] = ()) -> Facts:
    """The card was at home on n1 until 300 ms after midnight, when n2 first listed it."""
    had = [("n1", -HOUR_MS, True), ("n1", 200, True), ("n2", 300, True), ("n1", 400, False)]
    scans = tuple(Scan(node=node, at_ms=T + at_ms, cards=("gpu",) if there else ()) for node, at_ms, there in had)
    return Facts(cards=(GPU,), usage=usage, card_rows=card_rows, scans=scans)


def listed(*days: tuple[float, bool]) -> tuple[Scan, ...]:
    """Scans of the card's own node, so many days from midnight, that list it or do not."""
    return tuple(
        Scan(node="gpu-home", at_ms=T + int(day * DAY_MS), cards=("gpu",) if there else ()) for day, there in days
    )


def word(basis: Basis, at_ms: int, node: str = "gpu-home") -> BasisWord:
    return BasisWord(node=node, at_ms=T + at_ms, basis=basis)


ALLOCATED = Card(card="gpu", basis=Basis.ALLOCATION)

SELDOM = (
    Facts(cards=(GPU,), usage=equal_products()),
    Facts(cards=(GPU,), usage=three_then_seven()),
    Facts(cards=(ALLOCATED,), usage=pods_and_a_process()),
    Facts(cards=(GPU,), usage=thirds()),
    Facts(cards=(Card(card="gpu", parent="whole"),), usage=(row("k8s:a"),), faults=(fault(0, 700, card="whole"),)),
    Facts(cards=(GPU,), usage=(row("k8s:a"),), faults=(fault(0), fault(0, 700), fault(0, 200))),
    Facts(cards=(GPU,), usage=(row("k8s:a"),), faults=(fault(5 - DAY_MS, 9),)),
    Facts(cards=(GPU,), usage=(row("k8s:a", share=300, process=1), row("k8s:a", share=200, process=2))),
    Facts(cards=(GPU,), usage=(row("k8s:a", share=300, workload="v"), row("k8s:a", share=200, workload="w"))),
    Facts(cards=(GPU,), usage=(row("k8s:a"),), retractions=(back("card", "gpu", after=False),)),
    Facts(cards=(GPU,), usage=(row("k8s:a", process=1),), retractions=(back("process", 1),)),
    Facts(cards=(GPU,), card_rows=(seen(0, 700),), retractions=(back("card", "gpu"),)),
    Facts(cards=(GPU,), usage=(row("k8s:a"),), faults=(fault(0, 700),), retractions=(back("card", "gpu"),)),
    Facts(
        cards=(GPU,),
        usage=(row("unknown:x", process=1),),
        attributions=(answer(),),
        retractions=(back("process", 1),),
    ),
    *ON_MINUTES,
    Facts(cards=(GPU,), usage=(row("k8s:a", share=500),)),
    Facts(cards=(GPU,), usage=(row("k8s:a", batch=1), row("k8s:b", batch=2)), retractions=(back("batch", 1),)),
    Facts(cards=(GPU,), usage=(row("k8s:a"),), retractions=(back("owner", "k8s:a"),)),
    Facts(cards=(GPU,), card_rows=(replace(seen(0, 700), batch=1),), retractions=(back("batch", 1),)),
    Facts(
        cards=(GPU,), usage=(row("k8s:a"),), faults=(replace(fault(0, 700), batch=1),), retractions=(back("batch", 1),)
    ),
    Facts(
        cards=(GPU,),
        usage=(row("unknown:x", process=1),),
        attributions=(answer(batch=1),),
        retractions=(back("batch", 1),),
    ),
    # An owner is retracted by the name that was reported, not by the one that was answered.
    Facts(
        cards=(GPU,),
        usage=(row("unknown:x", process=1),),
        attributions=(answer(),),
        retractions=(back("owner", "k8s:a"),),
    ),
    # Of two claims of one process the named one counts, and of two answers the later.
    Facts(cards=(GPU,), usage=(row("unknown:x", process=1), row("k8s:a", process=1))),
    Facts(
        cards=(GPU,),
        usage=(row("unknown:x", process=1),),
        attributions=(answer(), replace(answer(), at_ms=T + 1, claim=Claim(owner="k8s:b", workload="v"))),
    ),
    # An answer changes nothing of the time in which the process had an owner.
    Facts(
        cards=(GPU,),
        usage=(row("unknown:x", 0, 100, process=1), row("k8s:b", 100, 200, process=1)),
        attributions=(answer(),),
    ),
    # Given up at midnight, and a moment later; missed for thirty days by midnight; put back at midnight.
    Facts(cards=(GPU,), given_up=(GivenUp(card="gpu", from_ms=T),)),
    Facts(cards=(GPU,), given_up=(GivenUp(card="gpu", from_ms=T + 1),)),
    Facts(cards=(GPU,), scans=listed((-40, True), (-30, False), (0, False))),
    Facts(cards=(GPU,), scans=listed((-40, True), (-35, False), (-1 / 24, False), (0, True))),
    moved(row("k8s:a", node="n2")),
    moved(card_rows=(replace(seen(0, 700), node="n2"),)),
    moved(row("k8s:a", node="n1"), row("k8s:b", node="n2"), card_rows=(replace(seen(0, 900), node="n1"),)),
    Facts(cards=(GPU,), usage=(row("k8s:a"),), words=(word(Basis.ALLOCATION, 1),)),
    Facts(cards=(GPU,), usage=(row("k8s:a"),), words=(word(Basis.ALLOCATION, 0),)),
    replace(moved(row("k8s:a", node="n1")), words=(word(Basis.ALLOCATION, -HOUR_MS, node="n2"),)),
)
