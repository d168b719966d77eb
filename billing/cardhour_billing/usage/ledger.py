"""Billing's view of the usage ledger: what there is to bill, and freezing what was billed.

Owns what billing asks of the warehouse, as a Protocol that the tests fill with rows of their own. Does not own SQL or
connections: those are ingest's warehouse package, and this module is where billing touches it for figures.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol, cast

from msgspec import Struct

from cardhour_billing.rating.rated import UsageSum
from cardhour_contract.moment import HOUR_MS, ceil_to, floor_to

if TYPE_CHECKING:
    from cardhour_ingest.warehouse.balance import CardTime
    from cardhour_ingest.warehouse.client import Warehouse
    from cardhour_ingest.warehouse.evidence import CardQuarter, RawRecord
    from cardhour_ingest.warehouse.freezing import FrozenQuarter, FrozenUsage
    from cardhour_ingest.warehouse.shares import FaultedDay, WorkloadUse
    from cardhour_ingest.warehouse.usage import BillableUsage


class Frozen(Struct, frozen=True, kw_only=True):
    """What the warehouse keeps of one document."""

    digest: str
    """SHA-256 of the frozen quarters, 64 hex digits."""
    quantity_us: Mapping[int, int]
    """Frozen card-microseconds by line position."""


class Coverage(Struct, frozen=True, kw_only=True):
    """How well the cards were watched in a period."""

    cards: int
    unobserved_us: int
    faulted_us: int
    dead_letters: int = 0
    """Messages since the period began that could not be read: usage that may still be missing."""
    breached_pages: int = 0
    """Ledger pages of the period that do not add up: nothing is issued before they do."""
    unread_us: Mapping[str, int] = {}
    """Card-microseconds of the period that those messages speak of, by model: an upper bound of what is missing."""
    unreadable: int = 0
    """Of those messages, how many say nothing that can be valued."""
    conflict_cards: int = 0
    """Cards that other nodes than their home spoke of; what these said counts nowhere."""
    conflict_us: int = 0


class Ledger(Protocol):
    """The usage ledger, as billing needs it. Spans are ``[from_ms, to_ms)`` in UTC milliseconds on quarter hours."""

    def settle(self) -> None:
        """Bring the ledger's pages up to date with everything that has arrived."""
        ...

    def billable(self, from_ms: int, to_ms: int, cuts_ms: Sequence[int]) -> Iterable[UsageSum]:
        """Billable usage, one sum for each owner, card and segment between cuts."""
        ...

    def changed_since(self, from_ms: int, to_ms: int, at_ms: int) -> bool:
        """Whether any page of the span was computed anew since ``at_ms``."""
        ...

    def billable_quarters(
        self, from_ms: int, to_ms: int, *, models: Iterable[str], owners: Iterable[str]
    ) -> Iterable[UsageSum]:
        """Billable usage of these owners on these models, one sum for each quarter hour."""
        ...

    def card_times(self, from_ms: int, to_ms: int, now_ms: int) -> Iterable[CardTime]:
        """Where the time of every card went, by card and node."""
        ...

    def workloads(
        self, from_ms: int, to_ms: int, cuts_ms: Sequence[int], owners: Iterable[str]
    ) -> Iterable[WorkloadUse]:
        """Billable usage of these owners, one sum for each place, segment between cuts and workload."""
        ...

    def faulted_days(
        self, from_ms: int, to_ms: int, timezone: str, *, cards: Iterable[str], nodes: Iterable[str]
    ) -> Iterable[FaultedDay]:
        """Faulted time of these cards and of the cards on these nodes, by card and local day."""
        ...

    def freeze(
        self, from_ms: int, to_ms: int, cuts_ms: Sequence[int], lines: Iterable[tuple[UsageSum, str, int]]
    ) -> Mapping[str, Frozen]:
        """Copy the quarters of each usage, as they are now, under its document and line; durable on return.

        The ledger is read once, however many documents there are. What is kept, by document.
        """
        ...

    def frozen(self, document: str) -> Frozen:
        """What is kept under ``document``, read back."""
        ...

    def frozen_usage(
        self, document: str, from_ms: int, to_ms: int, cuts_ms: Sequence[int], line: int | None = None
    ) -> Iterable[tuple[int, UsageSum]]:
        """What is kept under ``document`` with its line, one sum for each owner, card and segment between cuts.

        Of all lines, or of one.
        """
        ...

    def frozen_by_quarter(self, document: str) -> Iterable[tuple[int, UsageSum]]:
        """What is kept under ``document`` with its line, one sum for each owner, card and quarter hour."""
        ...

    def frozen_quarters(self, document: str, line: int, card: str, from_ms: int, to_ms: int) -> Sequence[FrozenQuarter]:
        """What is kept of one card on one line, quarter by quarter, in order of time."""
        ...

    def raw_records(self, card: str, quarter_ms: int) -> Sequence[RawRecord]:
        """What was reported of a card in the quarter hour that begins then; nothing where raw has expired."""
        ...

    def card_quarters(self, card: str, from_ms: int, to_ms: int) -> Sequence[CardQuarter]:
        """Where the time of one card went, as the ledger has it now, quarter by quarter."""
        ...

    def coverage(self, from_ms: int, to_ms: int) -> Coverage:
        """What was not seen, for the checklist of a close."""
        ...


class WarehouseLedger:
    """The ledger in ClickHouse. Its client is imported when first used, so that ``--help`` does not wait for it."""

    def __init__(self, warehouse: Warehouse) -> None:
        self._warehouse = warehouse

    def settle(self) -> None:
        from cardhour_ingest.warehouse.rollup import roll_up

        roll_up(self._warehouse)

    def billable(self, from_ms: int, to_ms: int, cuts_ms: Sequence[int]) -> Iterable[UsageSum]:
        from cardhour_ingest.warehouse import usage

        return usage.billable(self._warehouse, from_ms, to_ms, cuts_ms)

    def changed_since(self, from_ms: int, to_ms: int, at_ms: int) -> bool:
        from cardhour_ingest.warehouse import usage

        return usage.changed_since(self._warehouse, from_ms, to_ms, at_ms)

    def billable_quarters(
        self, from_ms: int, to_ms: int, *, models: Iterable[str], owners: Iterable[str]
    ) -> Iterable[UsageSum]:
        from cardhour_ingest.warehouse import usage

        return usage.billable_quarters(self._warehouse, from_ms, to_ms, models=models, owners=owners)

    def card_times(self, from_ms: int, to_ms: int, now_ms: int) -> Iterable[CardTime]:
        from cardhour_ingest.warehouse import balance

        return balance.decompose(self._warehouse, from_ms, to_ms, now_ms)

    def workloads(
        self, from_ms: int, to_ms: int, cuts_ms: Sequence[int], owners: Iterable[str]
    ) -> Iterable[WorkloadUse]:
        from cardhour_ingest.warehouse import shares

        return shares.workloads(self._warehouse, from_ms, to_ms, cuts_ms, owners)

    def faulted_days(
        self, from_ms: int, to_ms: int, timezone: str, *, cards: Iterable[str], nodes: Iterable[str]
    ) -> Iterable[FaultedDay]:
        from cardhour_ingest.warehouse import shares

        return shares.faulted_days(self._warehouse, from_ms, to_ms, timezone, cards=cards, nodes=nodes)

    def freeze(
        self, from_ms: int, to_ms: int, cuts_ms: Sequence[int], lines: Iterable[tuple[UsageSum, str, int]]
    ) -> Mapping[str, Frozen]:
        from cardhour_ingest.warehouse import freezing

        # Every usage that reaches here came out of ``billable`` above.
        billed = cast("Iterable[tuple[BillableUsage, str, int]]", lines)
        kept = freezing.freeze(self._warehouse, from_ms, to_ms, cuts_ms, billed)
        return {document: _frozen(each) for document, each in kept.items()}

    def frozen(self, document: str) -> Frozen:
        from cardhour_ingest.warehouse import freezing

        return _frozen(freezing.frozen(self._warehouse, document))

    def frozen_usage(
        self, document: str, from_ms: int, to_ms: int, cuts_ms: Sequence[int], line: int | None = None
    ) -> Iterable[tuple[int, UsageSum]]:
        from cardhour_ingest.warehouse import freezing

        return freezing.frozen_usage(self._warehouse, document, from_ms, to_ms, cuts_ms, line)

    def frozen_by_quarter(self, document: str) -> Iterable[tuple[int, UsageSum]]:
        from cardhour_ingest.warehouse import freezing

        return freezing.frozen_by_quarter(self._warehouse, document)

    def frozen_quarters(self, document: str, line: int, card: str, from_ms: int, to_ms: int) -> Sequence[FrozenQuarter]:
        from cardhour_ingest.warehouse import freezing

        return freezing.frozen_quarters(self._warehouse, document, line, card, from_ms, to_ms)

    def raw_records(self, card: str, quarter_ms: int) -> Sequence[RawRecord]:
        from cardhour_ingest.warehouse import evidence

        return evidence.raw_records(self._warehouse, card, quarter_ms)

    def card_quarters(self, card: str, from_ms: int, to_ms: int) -> Sequence[CardQuarter]:
        from cardhour_ingest.warehouse import evidence

        return evidence.card_quarters(self._warehouse, card, from_ms, to_ms)

    def coverage(self, from_ms: int, to_ms: int) -> Coverage:
        from cardhour_ingest.warehouse import usage
        from cardhour_ingest.warehouse.conflicts import conflicts
        from cardhour_ingest.warehouse.unread import unread

        claims = conflicts(self._warehouse, floor_to(from_ms, HOUR_MS), ceil_to(to_ms, HOUR_MS))
        letters = unread(self._warehouse, from_ms, to_ms)
        balance = usage.balance(self._warehouse, from_ms, to_ms)
        attention = usage.attention(self._warehouse, from_ms, to_ms)
        return Coverage(
            cards=balance.cards,
            unobserved_us=balance.unobserved_us,
            faulted_us=balance.faulted_us,
            dead_letters=attention.dead_letters,
            breached_pages=attention.breached_pages,
            unread_us=letters.held_us,
            unreadable=letters.unreadable,
            conflict_cards=len({each.card for each in claims}),
            conflict_us=sum(each.held_us for each in claims),
        )


def _frozen(kept: FrozenUsage) -> Frozen:
    return Frozen(digest=kept.digest, quantity_us=kept.billable_us_by_line)
