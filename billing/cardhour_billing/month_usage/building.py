"""Building months of usage: of open months from today's rating, of billed ones from what their invoice froze.

Owns reading what a month is made of. Does not own how figures are divided (``dividing``) nor keeping them
(``keeping``). An open month comes to what its draft would, but for two things that belong to its end: the true-up of a
commitment, and corrections of closed months.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING

from cardhour_billing.catalog.current import terms_of
from cardhour_billing.charges.provider import Asked, ZoneMonth
from cardhour_billing.charges.providers import charges_of
from cardhour_billing.config import BillingSettings
from cardhour_billing.frozen.cover import frozen_usage
from cardhour_billing.frozen.document import InvoiceDocument, decode
from cardhour_billing.frozen.inputs import FrozenInputs, read_inputs
from cardhour_billing.frozen.rerating import period_of
from cardhour_billing.leases.cover import Covered
from cardhour_billing.leases.lease import LeaseRow
from cardhour_billing.models import Customer, Invoice
from cardhour_billing.money import allocate, parse_amount
from cardhour_billing.month import BillingPeriod
from cardhour_billing.month_usage.content import Cell, Charge, MonthUsage
from cardhour_billing.month_usage.dividing import Line, Running, cells_of, works_of
from cardhour_billing.month_usage.leased import leased_cards
from cardhour_billing.rating.binding import Bindings
from cardhour_billing.rating.charge import Charge as BilledCharge
from cardhour_billing.rating.content import Content
from cardhour_billing.rating.rated import RatedLine, UsageSum
from cardhour_billing.usage.ledger import Ledger
from cardhour_billing.usage.zone_rating import rate_zone
from cardhour_contract.clock import Clock
from cardhour_contract.moment import QUARTER_MS, floor_to

if TYPE_CHECKING:
    from cardhour_ingest.warehouse.shares import FaultedDay

BY_DAY = ("lease", "add-on")
"""The kinds that are divided among days; every other charge is of none."""

AT_THE_END = "commitment"

UNADJUSTED = BillingSettings(adjust_months=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """What one customer's month is made of, wherever it was read."""

    customer: Customer
    period: BillingPeriod
    until_ms: int
    bindings: Bindings
    cuts_ms: Sequence[int]
    lines: Sequence[Line]
    covered: Sequence[Covered]
    leases: Sequence[LeaseRow]
    charges: tuple[Charge, ...]
    document: str = ""
    unpriced: tuple[tuple[str, int], ...] = ()

    def place(self, row: UsageSum) -> tuple[str, str]:
        """Local day and project."""
        bound = self.bindings.find(row.owner, row.cluster, row.node, row.card, row.segment_start_ms)
        project = bound.project if bound and bound.customer == self.customer.key else ""
        return self.period.day_of(row.segment_start_ms).isoformat(), project

    @property
    def rows(self) -> Iterator[UsageSum]:
        """All usage, once."""
        for line in self.lines:
            yield from line.rows
        yield from (each.usage for each in self.covered)


def open_months(
    period: BillingPeriod, customers: Sequence[Customer], ledger: Ledger, clock: Clock
) -> Iterator[tuple[Customer, MonthUsage]]:
    """What an open month comes to by now for customers of one zone; the ledger's pages are read once."""
    now_ms = clock.now_ms()
    until_ms = max(period.start_ms, min(period.end_ms, floor_to(now_ms, QUARTER_MS)))
    terms = terms_of(customers, period)
    rated = rate_zone(period, terms, customers[0].issuer.currency, ledger)
    zone = ZoneMonth(
        period=period, customers=customers, taxes=rated.taxes, ledger=ledger, clock=clock, settings=UNADJUSTED
    )
    answer, covered = charges_of(zone), rated.cover.by_customer()
    sources = []
    for each in customers:
        lines = rated.rating.lines[each.key]
        charges = answer(Asked(customer=each, terms=terms[each.key], lines=lines)).charges
        content = Content(lines=lines, charges=tuple(charge for charge in charges if charge.kind != AT_THE_END))
        nets = [net.amount for net in content.assess(each.currency).nets]
        sources.append(
            Source(
                customer=each,
                period=period,
                until_ms=until_ms,
                bindings=rated.bindings,
                cuts_ms=rated.cuts_ms,
                lines=_lines(lines, nets),
                covered=covered.get(each.key, ()),
                leases=rated.leases.of(each.key, period.start_ms, period.end_ms),
                charges=tuple(
                    _open_charge(*pair, period) for pair in zip(content.charges, nets[len(lines) :], strict=True)
                ),
                unpriced=tuple(
                    (row.model, row.quantity_us) for row in rated.rating.unpriced if row.customer == each.key
                ),
            )
        )
    yield from _built(sources, ledger, now_ms)


def billed_month(invoice: Invoice, ledger: Ledger, clock: Clock) -> MonthUsage:
    """A month as its invoice billed it."""
    document, inputs = decode(bytes(invoice.frozen)), read_inputs(bytes(invoice.inputs))
    period, usage = period_of(inputs), frozen_usage(inputs, ledger)
    source = Source(
        customer=invoice.customer,
        period=period,
        until_ms=period.end_ms,
        bindings=Bindings(inputs.bindings),
        cuts_ms=inputs.cuts_ms,
        lines=_frozen_lines(document, inputs, usage.billed),
        covered=[each for _, each in usage.covered],
        leases=inputs.leases,
        charges=_document_charges(document, period),
        document=str(invoice.number),
    )
    ((_, built),) = _built([source], ledger, clock.now_ms())
    return built


def plain_month(invoice: Invoice, period: BillingPeriod, clock: Clock) -> MonthUsage:
    """A billed month without the usage store: what the document itself says, by day and model."""
    document = decode(bytes(invoice.frozen))
    cells: dict[tuple[str, str], list[int]] = {}
    for line in document.lines:
        net = parse_amount(line.net or line.amount, document.currency).amount
        shares = allocate(net, [share.quantity_us for share in line.days]) if line.days else ()
        for share, part in zip(line.days, shares, strict=True):
            sums = cells.setdefault((share.day, line.model), [0, 0])
            sums[0] += share.quantity_us
            sums[1] += part
    return MonthUsage(
        month=invoice.period,
        timezone=period.timezone,
        currency=document.currency,
        document=str(invoice.number),
        days=_days(period),
        until_ms=period.end_ms,
        computed_at_ms=clock.now_ms(),
        cells=tuple(
            Cell(day=day, project="", owner="", model=model, kind="usage", quantity_us=us, net=net)
            for (day, model), (us, net) in sorted(cells.items())
        ),
        charges=_document_charges(document, period),
        detailed=False,
    )


def _built(sources: Sequence[Source], ledger: Ledger, now_ms: int) -> Iterator[tuple[Customer, MonthUsage]]:
    period, cuts = sources[0].period, sources[0].cuts_ms
    of_place = {
        (row.owner, row.cluster, row.node, row.card, row.segment_start_ms): at
        for at, source in enumerate(sources)
        for row in source.rows
    }
    running: list[dict[tuple[str, str, str, str], dict[str, tuple[int, int, int]]]] = [{} for _ in sources]
    owners = {owner for owner, *_ in of_place}
    asked = _segments(of_place) if sources[0].document else cuts
    for use in ledger.workloads(period.start_ms, period.end_ms, asked, owners) if owners else ():
        at = of_place.get((use.owner, use.cluster, use.node, use.card, use.segment_start_ms))
        if at is not None:
            day, project = sources[at].place(use)
            inside = running[at].setdefault((day, project, use.owner, use.model), {})
            us, active_us, measured_us = inside.get(use.workload, (0, 0, 0))
            inside[use.workload] = us + use.billable_us, active_us + use.active_us, measured_us + use.measured_us
    faulted = _faulted(sources, ledger)
    for source, own in zip(sources, running, strict=True):
        yield source.customer, _month(source, own, faulted, now_ms)


def _segments(of_place: Iterable[tuple[str, str, str, str, int]]) -> list[int]:
    """Where frozen usage is cut: with leases at every quarter hour of it."""
    return sorted({at_ms for *_, at_ms in of_place})


def _month(source: Source, running: Running, faulted: Sequence[FaultedDay], now_ms: int) -> MonthUsage:
    cells = cells_of(source.lines, source.covered, source.place)
    cards = {card for lease in source.leases for card in lease.cards}
    nodes = {node for lease in source.leases for node in lease.nodes}
    mine = [each for each in faulted if each.card in cards or each.node in nodes]
    return MonthUsage(
        month=str(source.period.month),
        timezone=source.period.timezone,
        currency=source.customer.currency,
        document=source.document,
        days=_days(source.period),
        until_ms=source.until_ms,
        computed_at_ms=now_ms,
        cells=cells,
        charges=source.charges,
        works=works_of(cells, running),
        leased_cards=leased_cards(source.leases, source.covered, mine, source.period, source.until_ms),
        unpriced=source.unpriced,
    )


def _faulted(sources: Sequence[Source], ledger: Ledger) -> list[FaultedDay]:
    named = [lease for source in sources for lease in source.leases if lease.named]
    if not named:
        return []
    period, until_ms = sources[0].period, max(source.until_ms for source in sources)
    if until_ms <= period.start_ms:
        return []
    cards, nodes = {card for row in named for card in row.cards}, {node for row in named for node in row.nodes}
    return list(ledger.faulted_days(period.start_ms, until_ms, period.timezone, cards=cards, nodes=nodes))


def _lines(lines: Sequence[RatedLine], nets: Sequence[int]) -> list[Line]:
    claims = {line.key: line.claims for line in lines}
    return [
        Line(line.key.model, line.quantity_us, net, claims[line.lead or line.key])
        for line, net in zip(lines, nets, strict=False)
    ]


def _frozen_lines(
    document: InvoiceDocument, inputs: FrozenInputs, billed: Iterable[tuple[int, UsageSum]]
) -> list[Line]:
    rows: dict[int, list[UsageSum]] = {}
    for at, row in billed:
        rows.setdefault(at, []).append(row)
    leads = {line.position: line.lead or line.position for line in inputs.lines}
    return [
        Line(
            line.model,
            line.quantity_us,
            parse_amount(line.net or line.amount, document.currency).amount,
            rows.get(leads[line.position], ()),
        )
        for line in document.lines
        if line.kind == "usage"
    ]


def _open_charge(charge: BilledCharge, net: int, period: BillingPeriod) -> Charge:
    first, last = charge.first_day, charge.last_day
    return Charge(
        kind=charge.kind,
        source=charge.source,
        name=charge.description,
        model=charge.model,
        first_day=first.isoformat(),
        last_day=last.isoformat(),
        printed_quantity=charge.printed_quantity,
        unit=charge.unit,
        net=net,
        days=_by_day(charge.kind, first, last, net, period),
    )


def _document_charges(document: InvoiceDocument, period: BillingPeriod) -> tuple[Charge, ...]:
    found = []
    for line in document.lines:
        if line.kind != "usage":
            net = parse_amount(line.net or line.amount, document.currency).amount
            first, last = date.fromisoformat(line.first_day), date.fromisoformat(line.last_day)
            found.append(
                Charge(
                    kind=line.kind, source=line.source, name=line.description, model=line.model,
                    first_day=line.first_day, last_day=line.last_day,
                    printed_quantity=line.printed_quantity, unit=line.unit, net=net,
                    days=_by_day(line.kind, first, last, net, period),
                )
            )  # fmt: skip
    return tuple(found)


def _by_day(kind: str, first: date, last: date, net: int, period: BillingPeriod) -> tuple[tuple[str, int], ...]:
    """What each day that the charge covers within the month costs: equal parts, as leases count local days."""
    if kind not in BY_DAY:
        return ()
    first, last = max(first, period.month.first_day), min(last, period.last_day)
    if last < first:  # it is about other months, and due in this one
        return ()
    days = [(first + timedelta(days=at)).isoformat() for at in range((last - first).days + 1)]
    return tuple(zip(days, allocate(net, [1] * len(days)), strict=True))


def _days(period: BillingPeriod) -> tuple[str, ...]:
    return tuple((period.month.first_day + timedelta(days=at)).isoformat() for at in range(len(period.day_starts_ms)))
