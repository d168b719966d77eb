"""A usage ledger in memory, exact like the real one: ``test_ledger`` holds the two to the same answers.

It lets a test say what was held in a line, change usage between two steps, and fail on purpose.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta

from cardhour_billing.month import day_start_ms, local_day
from cardhour_billing.rating.rated import UsageSum
from cardhour_billing.usage.ledger import Coverage, Frozen
from cardhour_contract.moment import MS_US, QUARTER_MS, parse_rfc3339
from cardhour_ingest.warehouse.balance import CardTime
from cardhour_ingest.warehouse.evidence import CardQuarter, RawRecord
from cardhour_ingest.warehouse.freezing import FrozenQuarter
from cardhour_ingest.warehouse.shares import FaultedDay, WorkloadUse
from cardhour_ingest.warehouse.usage import BillableUsage

Held = tuple[str, str, str, str, str, int, int]
"""owner, cluster, node, card, model, from_ms, to_ms: alone on the card."""


class MemoryLedger:
    """Usage that was alone on its cards."""

    def __init__(self) -> None:
        self.held: list[Held] = []
        self.faulted: list[tuple[str, str, str, int, int]] = []
        """card, node, model, from_ms, to_ms: nobody holds the card then."""
        self.quarters: dict[str, list[tuple[int, UsageSum]]] = {}
        """Frozen quarters with their line, by document."""
        self.freezes = 0

    def hold(
        self, owner: str, model: str, from_: str, to: str, *, card: str = "GPU-0", node: str = "n1", cluster: str = "c1"
    ) -> None:
        """``owner`` holds ``card`` between two RFC 3339 times."""
        self.held.append((owner, cluster, node, card, model, parse_rfc3339(from_), parse_rfc3339(to)))

    def fault(self, card: str, model: str, from_: str, to: str, *, node: str = "n1") -> None:
        """``card`` is out of order between two RFC 3339 times."""
        self.faulted.append((card, node, model, parse_rfc3339(from_), parse_rfc3339(to)))

    def settle(self) -> None:
        """Nothing waits here."""

    def changed_since(self, from_ms: int, to_ms: int, at_ms: int) -> bool:
        """Usage is changed by tests without saying when."""
        return True

    def billable(self, from_ms: int, to_ms: int, cuts_ms: Sequence[int]) -> Iterable[UsageSum]:
        cuts = sorted({from_ms, *(cut for cut in cuts_ms if from_ms < cut < to_ms)})
        sums: dict[tuple[str, str, str, str, str, int], int] = defaultdict(int)
        for owner, cluster, node, card, model, start_ms, end_ms in self.held:
            for at, cut in enumerate(cuts):
                until = cuts[at + 1] if at + 1 < len(cuts) else to_ms
                length_ms = min(end_ms, until) - max(start_ms, cut)
                if length_ms > 0:
                    sums[owner, cluster, node, card, model, cut] += length_ms * MS_US
        return [_usage(*key, us) for key, us in sorted(sums.items())]

    def billable_quarters(
        self, from_ms: int, to_ms: int, *, models: Iterable[str], owners: Iterable[str]
    ) -> Iterable[UsageSum]:
        wanted_models, wanted_owners = set(models), set(owners)
        for row in self.billable(from_ms, to_ms, range(from_ms, to_ms, QUARTER_MS)):
            if row.model in wanted_models and row.owner in wanted_owners:
                yield row

    def card_times(self, from_ms: int, to_ms: int, now_ms: int) -> Iterable[CardTime]:
        """Every card was there all the time; what was neither held nor faulted was idle."""
        cards = {(held[3], held[2]): held[4] for held in self.held} | {each[:2]: each[2] for each in self.faulted}
        for (card, node), model in sorted(cards.items()):
            billable = _within(from_ms, to_ms, (held[5:] for held in self.held if held[3] == card and held[2] == node))
            faulted = _within(from_ms, to_ms, (each[3:] for each in self.faulted if each[:2] == (card, node)))
            span = (to_ms - from_ms) * MS_US
            yield CardTime(
                card=card, node=node, model=model, span_us=span, billable_us=billable, faulted_us=faulted,
                idle_us=span - billable - faulted,
            )  # fmt: skip

    def workloads(
        self, from_ms: int, to_ms: int, cuts_ms: Sequence[int], owners: Iterable[str]
    ) -> Iterable[WorkloadUse]:
        """Each owner runs one workload, ``job-`` and the owner's last letter, busy half of the time."""
        wanted = set(owners)
        for row in self.billable(from_ms, to_ms, cuts_ms):
            if row.owner in wanted:
                yield WorkloadUse(
                    owner=row.owner, cluster=row.cluster, node=row.node, card=row.card, model=row.model,
                    segment_start_ms=row.segment_start_ms, workload=f"job-{row.owner[-1]}",
                    billable_us=row.billable_us, active_us=row.billable_us // 2, measured_us=row.billable_us,
                )  # fmt: skip

    def faulted_days(
        self, from_ms: int, to_ms: int, timezone: str, *, cards: Iterable[str], nodes: Iterable[str]
    ) -> Iterable[FaultedDay]:
        wanted_cards, wanted_nodes = set(cards), set(nodes)
        known = {held[3]: held[2] for held in self.held} | {each[0]: each[1] for each in self.faulted}
        for card, node in sorted(known.items()):
            if card not in wanted_cards and node not in wanted_nodes:
                continue
            day = local_day(from_ms, timezone)
            while (start_ms := day_start_ms(day, timezone)) < to_ms:
                end_ms = day_start_ms(day + timedelta(days=1), timezone)
                spans = [each[3:] for each in self.faulted if each[0] == card]
                faulted = _within(max(start_ms, from_ms), min(end_ms, to_ms), spans)
                yield FaultedDay(card=card, node=node, day=day.isoformat(), faulted_us=faulted)
                day += timedelta(days=1)

    def freeze(
        self, from_ms: int, to_ms: int, cuts_ms: Sequence[int], lines: Iterable[tuple[UsageSum, str, int]]
    ) -> Mapping[str, Frozen]:
        self.freezes += 1
        cuts = sorted({from_ms, *cuts_ms})
        now: dict[tuple[str, str, str, str, str, int], list[UsageSum]] = defaultdict(list)
        for usage in self.billable(from_ms, to_ms, range(from_ms, to_ms, QUARTER_MS)):
            segment_ms = max(cut for cut in cuts if cut <= usage.segment_start_ms)
            now[*_place(usage), segment_ms].append(usage)
        documents = set()
        for usage, document, line in lines:
            found = now[*_place(usage), usage.segment_start_ms]
            self.quarters.setdefault(document, []).extend((line, quarter) for quarter in found)
            documents.add(document)
        return {document: self.frozen(document) for document in documents}

    def frozen(self, document: str) -> Frozen:
        kept = self.quarters.get(document, [])
        by_line: dict[int, int] = defaultdict(int)
        for line, usage in kept:
            by_line[line] += usage.billable_us
        text = "\n".join(sorted(repr(each) for each in kept))
        return Frozen(digest=hashlib.sha256(text.encode()).hexdigest(), quantity_us=dict(by_line))

    def frozen_usage(
        self, document: str, from_ms: int, to_ms: int, cuts_ms: Sequence[int], line: int | None = None
    ) -> Iterable[tuple[int, UsageSum]]:
        cuts = sorted({from_ms, *cuts_ms})
        for at, usage in self.quarters.get(document, []):
            if line not in (None, at):
                continue
            at_ms = max((cut for cut in cuts if cut <= usage.segment_start_ms), default=usage.segment_start_ms)
            yield at, _usage(*_place(usage), at_ms, usage.billable_us)

    def frozen_by_quarter(self, document: str) -> Iterable[tuple[int, UsageSum]]:
        return list(self.quarters.get(document, []))

    def frozen_quarters(self, document: str, line: int, card: str, from_ms: int, to_ms: int) -> Sequence[FrozenQuarter]:
        return [
            FrozenQuarter(
                start_ms=each.segment_start_ms, card=each.card, node=each.node, cluster=each.cluster, model=each.model,
                owner=each.owner, billable_us=each.billable_us,
            )
            for at, each in self.quarters.get(document, [])
            if at == line and each.card == card and from_ms <= each.segment_start_ms < to_ms
        ]  # fmt: skip

    def raw_records(self, card: str, quarter_ms: int) -> Sequence[RawRecord]:
        """None are kept here: raw expires before invoices do."""
        return []

    def card_quarters(self, card: str, from_ms: int, to_ms: int) -> Sequence[CardQuarter]:
        """None: it holds what was billed, and no pages."""
        return []

    def coverage(self, from_ms: int, to_ms: int) -> Coverage:
        return Coverage(cards=len({held[3] for held in self.held}), unobserved_us=0, faulted_us=0)


def _within(from_ms: int, to_ms: int, spans: Iterable[tuple[int, int]]) -> int:
    """Microseconds of ``spans`` that lie in ``[from_ms, to_ms)``."""
    return sum(max(0, min(end_ms, to_ms) - max(start_ms, from_ms)) * MS_US for start_ms, end_ms in spans)


def _usage(owner: str, cluster: str, node: str, card: str, model: str, at_ms: int, us: int) -> BillableUsage:
    return BillableUsage(
        owner=owner, cluster=cluster, node=node, card=card, model=model, segment_start_ms=at_ms, held_us=us,
        billable_us=us,
    )  # fmt: skip


def _place(usage: UsageSum) -> tuple[str, str, str, str, str]:
    return usage.owner, usage.cluster, usage.node, usage.card, usage.model
