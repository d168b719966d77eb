"""The facts that the ledger is computed from, as plain values.

Owns their fields. Does not own where they come from: hand-written cases, or ``fleet``.
Times are UTC milliseconds, intervals half-open.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any, Literal, TypeVar

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
    batch: int = 0
    """The file or run of reports that it came with."""
    reported_owner: str = ""
    """What it said before a late answer replaced it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CardRow:
    """One card observed, or not, for one interval."""

    card: str
    start_ms: int
    end_ms: int
    state: CardState = CardState.OBSERVED
    node: str = "n"
    batch: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultRow:
    """One message about a fault; several may speak of the same (card, opened_at)."""

    card: str
    opened_at_ms: int
    closed_at_ms: int | None = None
    node: str = "n"
    batch: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribution:
    """A late answer about a process that was reported as unknown."""

    process: int
    claim: Claim
    at_ms: int
    node: str = "n"
    batch: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """Which of the cards that more than one node claims, or that are given up, a node has at a time."""

    node: str
    at_ms: int
    cards: tuple[str, ...]


Row = TypeVar("Row", "UsageRow", "CardRow", "FaultRow", "Attribution")
Told = UsageRow | CardRow | FaultRow | Attribution | Scan


@dataclass(frozen=True, slots=True, kw_only=True)
class Retraction:
    """Takes ``[from_ms, to_ms)`` of its subject back: time of rows, and faults and answers that were told of it."""

    scope: Literal["batch", "card", "node", "process", "owner"]
    subject: str | int
    from_ms: int
    to_ms: int
    after: bool = True
    """Recorded after the rows were received; else they came later and count."""

    def covers(self, start_ms: int, end_ms: int) -> bool:
        return self.after and self.from_ms <= start_ms and end_ms <= self.to_ms

    def names(self, told: Told) -> bool:
        """Whether it speaks of this row. An owner is the one that was reported, whatever was answered since."""
        if self.scope == "owner":
            return isinstance(told, UsageRow) and self.subject == (told.reported_owner or told.claim.owner)
        return bool(getattr(told, self.scope, None) == self.subject)


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """Staff say that a card is at home on a node from a time on."""

    card: str
    node: str
    from_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenUp:
    """Staff say that a card is gone from a time on."""

    card: str
    from_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BasisWord:
    """A node says on which basis its cards count."""

    node: str
    at_ms: int
    basis: Basis


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """What the ledger has to know of a card beside its rows."""

    card: str
    model: str = "H100"
    cluster: str = "main"
    basis: Basis = Basis.PROCESS
    """What its node said first, long ago."""
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
    scans: tuple[Scan, ...] = ()
    moves: tuple[Move, ...] = ()
    words: tuple[BasisWord, ...] = ()
    given_up: tuple[GivenUp, ...] = ()


def relabelled(facts: Facts, number: int) -> Facts:
    """The same facts about other cards, nodes, owners and processes, so that many examples fit in one store.

    Names keep their order, and processes stay apart as long as an example uses fewer than a million.
    """

    def label(name: str) -> str:
        return f"x{number:05d}-{name}" if name else ""

    def process(key: int) -> int:
        return number * 1_000_000 + key

    def batch(key: int) -> int:
        return number * 1_000 + key

    def owner(name: str) -> str:
        kind, _, who = name.partition(":")
        return f"{kind}:{label(who)}"

    def told(row: Row) -> Row:
        names: dict[str, Any] = {"node": label(row.node), "batch": batch(row.batch)}
        if not isinstance(row, Attribution):
            names["card"] = label(row.card)
        if isinstance(row, UsageRow | Attribution):
            names["process"] = process(row.process)
            names["claim"] = replace(row.claim, owner=owner(row.claim.owner))
        return replace(row, **names)

    subjects: dict[str, Callable[[Any], str | int]] = {
        "card": label,
        "node": label,
        "process": process,
        "batch": batch,
        "owner": owner,
    }
    return Facts(
        cards=tuple(replace(each, card=label(each.card), parent=label(each.parent)) for each in facts.cards),
        usage=tuple(map(told, facts.usage)),
        card_rows=tuple(map(told, facts.card_rows)),
        faults=tuple(map(told, facts.faults)),
        attributions=tuple(map(told, facts.attributions)),
        retractions=tuple(replace(each, subject=subjects[each.scope](each.subject)) for each in facts.retractions),
        scans=tuple(replace(each, node=label(each.node), cards=tuple(map(label, each.cards))) for each in facts.scans),
        moves=tuple(replace(each, card=label(each.card), node=label(each.node)) for each in facts.moves),
        words=tuple(replace(each, node=label(each.node)) for each in facts.words),
        given_up=tuple(replace(each, card=label(each.card)) for each in facts.given_up),
    )


def together(examples: list[Facts]) -> Facts:
    """All examples in one store; each must be relabelled."""
    tables = {field.name: [row for each in examples for row in getattr(each, field.name)] for field in fields(Facts)}
    return Facts(**{name: tuple(rows) for name, rows in tables.items()})
