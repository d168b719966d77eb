"""The facts that the ledger is computed from, as plain values.

Owns their fields. Does not own where they come from: hand-written cases, or ``fleet``.
Times are UTC milliseconds, intervals half-open.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from cardhour_contract.record import SHARE_WHOLE, Basis, CardState


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """Who a process works for, and the permille of the card that it is entitled to."""

    owner: str
    workload: str
    share: int = SHARE_WHOLE


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageRow:
    """One raw usage row: a process, or an allocation, on a card, inside one quarter hour."""

    card: str
    process: int
    node: str
    start_ms: int
    end_ms: int
    claim: Claim
    basis: Basis = Basis.PROCESS
    active: int | None = None
    """1e-4 percent × ms over the row."""
    memory: int | None = None
    """Byte × ms over the row."""
    bridged: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CardRow:
    """One card observed, or not, for one interval."""

    card: str
    start_ms: int
    end_ms: int
    state: CardState = CardState.OBSERVED


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultRow:
    """One message about a fault; several may speak of the same (card, opened_at)."""

    card: str
    opened_at_ms: int
    closed_at_ms: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribution:
    """A late answer about a process that was reported as unknown."""

    process: int
    claim: Claim
    at_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Retraction:
    """Takes ``[from_ms, to_ms)`` of its subject back: time of rows, and faults and answers that were told of it."""

    scope: Literal["card", "node", "process"]
    subject: str | int
    from_ms: int
    to_ms: int
    after: bool = True
    """Recorded after the rows were received; else they came later and count."""

    def covers(self, start_ms: int, end_ms: int) -> bool:
        return self.after and self.from_ms <= start_ms and end_ms <= self.to_ms


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """What the ledger has to know of a card beside its rows."""

    card: str
    model: str = "H100"
    cluster: str = "main"
    basis: Basis = Basis.PROCESS
    imported_only: bool = False
    parent: str = ""
    """The GPU that a MIG instance is cut from; empty for a whole GPU."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Everything received, in any order and with any repeats."""

    cards: tuple[Card, ...]
    usage: tuple[UsageRow, ...] = ()
    card_rows: tuple[CardRow, ...] = ()
    faults: tuple[FaultRow, ...] = ()
    attributions: tuple[Attribution, ...] = ()
    retractions: tuple[Retraction, ...] = ()


def relabelled(facts: Facts, number: int) -> Facts:
    """The same facts about other cards, nodes and processes, so that many examples fit in one store.

    Names keep their order, and processes stay apart as long as an example uses fewer than a million.
    """

    def label(name: str) -> str:
        return f"x{number:05d}-{name}" if name else ""

    def process(key: int) -> int:
        return number * 1_000_000 + key

    return Facts(
        cards=tuple(replace(each, card=label(each.card), parent=label(each.parent)) for each in facts.cards),
        usage=tuple(
            replace(each, card=label(each.card), node=label(each.node), process=process(each.process))
            for each in facts.usage
        ),
        card_rows=tuple(replace(each, card=label(each.card)) for each in facts.card_rows),
        faults=tuple(replace(each, card=label(each.card)) for each in facts.faults),
        attributions=tuple(replace(each, process=process(each.process)) for each in facts.attributions),
        retractions=tuple(
            replace(each, subject=process(each.subject) if isinstance(each.subject, int) else label(each.subject))
            for each in facts.retractions
        ),
    )


def together(examples: list[Facts]) -> Facts:
    """All examples in one store; each must be relabelled."""
    return Facts(
        cards=tuple(row for each in examples for row in each.cards),
        usage=tuple(row for each in examples for row in each.usage),
        card_rows=tuple(row for each in examples for row in each.card_rows),
        faults=tuple(row for each in examples for row in each.faults),
        attributions=tuple(row for each in examples for row in each.attributions),
        retractions=tuple(row for each in examples for row in each.retractions),
    )
