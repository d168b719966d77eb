"""Explaining a line of an issued invoice: its days, a day's cards, a card's quarters, a quarter's raw records.

Owns the levels and that each adds up to the one above it exactly, in card-microseconds and in money: a part's amount is
its share of the whole above by largest remainder. Everything but raw records is what was frozen, so that an old invoice
is explained as it was billed. A charge has no such parts: the inputs that decided it explain it. Line 0, which no
document prints, is the usage that leases cover: what it would have been, and why it cost nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from cardhour_billing.frozen.cover import COVERED_LINE, frozen_usage
from cardhour_billing.frozen.document import decode
from cardhour_billing.frozen.inputs import FrozenInputs, read_inputs
from cardhour_billing.frozen.rerating import period_of
from cardhour_billing.leases.cover import Covered, Place, place_of, uncovered
from cardhour_billing.leases.explained import steps
from cardhour_billing.models import Invoice
from cardhour_billing.money import Money, allocate, permille_text, total
from cardhour_billing.month import BillingPeriod
from cardhour_billing.rating.charge import Charge
from cardhour_billing.usage.ledger import Ledger
from cardhour_contract.errors import InvariantBroken, Refuse
from cardhour_contract.moment import MS_US, QUARTER_MS, floor_to, format_rfc3339

if TYPE_CHECKING:
    from cardhour_ingest.warehouse.evidence import RawRecord

Key = tuple[date, str, str]
"""Local day, card, node."""
Name = Callable[[Key], Mapping[str, Any]]


class Part(Struct, frozen=True, kw_only=True):
    """One part of what is explained. ``amount`` is its share of the whole's."""

    name: Mapping[str, Any]
    """What identifies it: a day, a card and node, a quarter, a raw record."""
    quantity_us: int
    amount: Money


class Explanation(Struct, frozen=True, kw_only=True):
    """A whole and its parts, which sum to it. ``note`` says what a reader must know of the parts."""

    whole: str
    quantity_us: int
    amount: Money
    parts: tuple[Part, ...]
    note: str = ""


class Explainer:
    """One line of an issued invoice."""

    def __init__(self, invoice: Invoice, position: int, ledger: Ledger) -> None:
        self._ledger = ledger
        self._inputs: FrozenInputs = read_inputs(bytes(invoice.inputs))
        self._period: BillingPeriod = period_of(self._inputs)
        self._position = position
        leads = {line.position: line.lead or line.position for line in self._inputs.lines}
        # Lines of a graduated price share the quarters that stand under the first of them, each in proportion.
        self._lead = leads.get(position, position)
        self._sliced = list(leads.values()).count(self._lead) > 1
        usage = frozen_usage(self._inputs, ledger, self._lead)
        self._covered = [each for _, each in usage.covered]
        self._rows = [row for line, row in usage.billed if line == self._lead]
        if position == COVERED_LINE:
            self._rows = [uncovered(each.usage, each.usage.billable_us - each.covered_us) for each in self._covered]
            name, whole_us = "usage that leases cover", sum(each.covered_us for each in self._covered)
            if not self._covered:
                raise Refuse(f"{invoice.number}: no lease covers usage of {self._period.month}")
            self._amount = Money(amount=0, currency=self._inputs.terms.currency)
        else:
            name, whole_us, self._amount = self._find(invoice, position)
        self._name, self._whole_us = f"{invoice.number} line {position}, {name}", whole_us
        # By day and card: what every level above a quarter is a sum of.
        self._known: dict[tuple[date, str], Explanation] = {}
        self._sums: dict[Key, int] = {}
        for row in self._rows:
            key = self._period.day_of(row.segment_start_ms), row.card, row.node
            self._sums[key] = self._sums.get(key, 0) + row.billable_us

    def _find(self, invoice: Invoice, position: int) -> tuple[str, int, Money]:
        """Name, quantity and amount of a line that the document prints."""
        lines = {line.position: line for line in decode(bytes(invoice.frozen)).lines}
        if position not in lines:
            raise Refuse(f"{invoice.number} has lines 1 to {len(lines)}, and no line {position}")
        line = lines[position]
        return line.model or line.source, line.quantity_us, self._inputs.figures()[position][1]

    @property
    def charge(self) -> Charge | None:
        """The line where it is a charge: it has inputs instead of days and cards. ``None`` for usage."""
        at = self._position - len(self._inputs.lines) - 1
        return self._inputs.charges[at] if at >= 0 else None

    def inputs(self, charge: Charge) -> tuple[tuple[str, str], ...]:
        """Everything that decides a charge, as it was frozen, by name; of a lease, in the steps of its reckoning."""
        if charge.kind in ("lease", "add-on"):
            return tuple(steps(charge.inputs))
        return tuple(_flat("", charge.inputs))

    def days(self, card: str = "") -> Explanation:
        """The line by local day; or one card's part of it."""
        if not card:
            return self._divided(self._name, self._whole, self._by(lambda key: {"day": key[0].isoformat()}))
        return self._divided(
            f"{self._name}, {card}",
            self._part(self.cards(), "card", card),
            self._by(lambda key: {"day": key[0].isoformat()}, lambda key: key[1] == card),
        )

    def cards(self, day: date | None = None) -> Explanation:
        """The line by card; or one local day of it."""
        whole, name = self._whole, self._name
        if day is not None:
            whole, name = self._part(self.days(), "day", day.isoformat()), f"{self._name}, {day}"
        parts = self._by(lambda key: {"card": key[1], "node": key[2]}, lambda key: day in (None, key[0]))
        return self._divided(name, whole, parts)

    def quarters(self, day: date, card: str) -> Explanation:
        """One card on one local day, quarter by quarter, as they were frozen."""
        if (day, card) not in self._known:
            self._known[day, card] = self._read_quarters(day, card)
        return self._known[day, card]

    def _read_quarters(self, day: date, card: str) -> Explanation:
        whole = self._part(self.cards(day), "card", card)
        parts = list(self._quarters(card, *self.span_of(day)))
        return self._divided(f"{self._name}, {day}, {card}", whole, parts)

    def _quarters(self, card: str, from_ms: int, to_ms: int) -> Iterator[tuple[Mapping[str, Any], int]]:
        """A card's quarters, with the leases that cover them, or a part of them."""
        if not self._inputs.leases:
            kept = self._ledger.frozen_quarters(self._inputs.quarters, self._lead, card, from_ms, to_ms)
            for each in kept:
                name = {"quarter": format_rfc3339(each.start_ms), "owner": each.owner, "node": each.node}
                yield name, each.billable_us
            return
        leases: dict[Place, list[Covered]] = {}
        for taken in self._covered:
            leases.setdefault(place_of(taken.usage), []).append(taken)
        for row in sorted(self._rows, key=lambda row: (row.segment_start_ms, row.node, row.owner)):
            if row.card == card and from_ms <= row.segment_start_ms < to_ms:
                name = {"quarter": format_rfc3339(row.segment_start_ms), "owner": row.owner, "node": row.node}
                here = leases.get(place_of(row), ())
                name["covered_by"] = ", ".join(sorted({each.lease for each in here}))
                yield name, row.billable_us

    def records(self, card: str, at_ms: int) -> Explanation:
        """The quarter that ``at_ms`` lies in: what was reported of the card then.

        A record of a billed owner has its share of the quarter by kept time × share of the card; those of others are
        shown because they may be why the card was shared, and have none.
        """
        start_ms = floor_to(at_ms, QUARTER_MS)
        quarter = format_rfc3339(start_ms)
        if not self._period.start_ms <= start_ms < self._period.end_ms:
            raise Refuse(f"{quarter} is outside {self._period.month}, which the invoice is for")
        day = self._period.day_of(start_ms)
        billed = {
            str(part.name["owner"]): part for part in self.quarters(day, card).parts if part.name["quarter"] == quarter
        }
        if not billed:
            raise Refuse(f"{self._name} bills nothing of {card} in the quarter from {quarter}{self._hint(card)}")
        found = self._ledger.raw_records(card, start_ms)
        parts = [Part(name=_record(each), quantity_us=0, amount=self._zero) for each in found]
        missing = []
        for owner, whole in billed.items():
            own = [at for at, each in enumerate(found) if each.owner == owner and each.kept_ms and each.share]
            if not own:
                missing.append(owner)
                continue
            shared = _shared(whole, [found[at].kept_ms * found[at].share for at in own])
            for at, (us, amount) in zip(own, shared, strict=True):
                parts[at] = Part(name=parts[at].name, quantity_us=us, amount=amount)
        return Explanation(
            whole=f"{self._name}, {card}, quarter from {quarter}",
            quantity_us=sum(part.quantity_us for part in billed.values()),
            amount=total((part.amount for part in billed.values()), self._amount.currency),
            parts=tuple(parts),
            note=f"no raw records of {', '.join(missing)} are left: raw expires before invoices do" if missing else "",
        )

    def span_of(self, day: date) -> tuple[int, int]:
        """Start and end of a local day of the period, UTC milliseconds: 23 or 25 hours where the clock changes."""
        starts = (*self._period.day_starts_ms, self._period.end_ms)
        at = (day - self._period.month.first_day).days
        return starts[at], starts[at + 1]

    def _hint(self, card: str) -> str:
        """Why a card cost nothing, where a lease is the reason."""
        leases = sorted({each.lease for each in self._covered if each.usage.card == card})
        if not leases or self._position == COVERED_LINE:
            return ""
        return f": lease {', '.join(leases)} covers its usage, which line {COVERED_LINE} explains"

    @property
    def _zero(self) -> Money:
        return Money(amount=0, currency=self._amount.currency)

    @property
    def _whole(self) -> Part:
        return Part(name={}, quantity_us=self._whole_us, amount=self._amount)

    def _by(self, name: Name, wanted: Callable[[Key], bool] = lambda key: True) -> list[tuple[Mapping[str, Any], int]]:
        """Frozen sums grouped by ``name``, of the keys that are wanted."""
        sums: dict[tuple[tuple[str, Any], ...], int] = {}
        for key, us in sorted(self._sums.items()):
            if wanted(key):
                group = tuple(name(key).items())
                sums[group] = sums.get(group, 0) + us
        return [(dict(group), us) for group, us in sorted(sums.items())]

    def _part(self, of: Explanation, word: str, value: str) -> Part:
        """The parts of an explanation that ``value`` names, as one."""
        found = [part for part in of.parts if part.name[word] == value]
        if not found:
            raise Refuse(f"{of.whole} has nothing of {word} {value}{self._hint(value)}")
        return Part(
            name={word: value},
            quantity_us=sum(part.quantity_us for part in found),
            amount=total((part.amount for part in found), self._amount.currency),
        )

    def _divided(self, name: str, whole: Part, parts: Sequence[tuple[Mapping[str, Any], int]]) -> Explanation:
        if self._sliced and parts:
            own = allocate(whole.quantity_us, [us for _, us in parts])
            parts = [(each, us) for (each, _), us in zip(parts, own, strict=True)]
        if sum(us for _, us in parts) != whole.quantity_us:
            raise InvariantBroken(f"{name} does not add up to what was billed: run cardhour verify")
        shares = _shared(whole, [us for _, us in parts])
        return Explanation(
            whole=name,
            quantity_us=whole.quantity_us,
            amount=whole.amount,
            parts=tuple(
                Part(name=each, quantity_us=us, amount=amount)
                for (each, _), (us, amount) in zip(parts, shares, strict=True)
            ),
        )


def _shared(whole: Part, weights: Sequence[int]) -> list[tuple[int, Money]]:
    return list(zip(allocate(whole.quantity_us, weights), whole.amount.allocate(weights), strict=True))


def _flat(name: str, value: Any) -> Iterator[tuple[str, str]]:
    """Nested JSON as lines: ``days.0.quantity_us`` and its value."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _flat(f"{name}.{key}" if name else str(key), inner)
    elif isinstance(value, list | tuple):
        for at, inner in enumerate(value):
            yield from _flat(f"{name}.{at}", inner)
    else:
        yield name, str(value)


def _record(record: RawRecord) -> dict[str, Any]:
    return {
        "owner": record.owner,
        "workload": record.workload,
        "started_at": format_rfc3339(record.start_ms),
        "ended_at": format_rfc3339(record.end_ms),
        "held_us": record.kept_ms * MS_US,
        "share": permille_text(record.share),
        "basis": record.basis,
        "node": record.node,
        "process": str(record.process),
        "copies": record.copies,
        "source": record.source_id,
        "position": record.position,
    }
