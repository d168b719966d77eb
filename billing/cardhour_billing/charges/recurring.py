"""Leases and add-ons as a provider of charges: reads what they need, once for a zone and month.

Owns how far back a document looks, measuring faulted time, and what keeps a document from being issued. Does not own
what a line comes to (``leases.charges``, ``leases.sla``).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from django.db.models import Max

from cardhour_billing.catalog.current_terms import current_add_ons, current_leases
from cardhour_billing.charges.billed_before import billed_before
from cardhour_billing.charges.finding import Finding, noted
from cardhour_billing.charges.provider import Answer, Asked, Charges, ZoneMonth
from cardhour_billing.leases.charges import price_charges
from cardhour_billing.leases.cover import Leases
from cardhour_billing.leases.inputs import Row, Window
from cardhour_billing.leases.lease import LeaseRow
from cardhour_billing.leases.sla import Faulted, sla_charges, sla_spans
from cardhour_billing.models import Customer, Invoice, MonthEntry
from cardhour_billing.month import BillingPeriod, Month, billing_period, local_day, month_of, parse_month
from cardhour_billing.rating.charge import Charge
from cardhour_billing.receivables.standing import in_force


def recurring(zone: ZoneMonth) -> Answer:
    """The lines of leases, of credits for faulted time and of add-ons."""
    rows: dict[str, list[Row]] = {customer.key: [] for customer in zone.customers}
    found: list[Row] = [*current_leases(zone.customers), *current_add_ons(zone.customers)]
    for row in found:
        rows[row.customer].append(row)
    having = [customer for customer in zone.customers if rows[customer.key]]
    windows = _windows(zone, having)
    earliest_ms = min((each.since_ms for each in windows.values()), default=zone.period.start_ms)
    # A period that falls due in a window may have been billed, in part, when it began.
    since = month_of(local_day(earliest_ms, zone.period.timezone)).minus(2)
    billed = {} if zone.afresh else billed_before(having, since)
    faulted = _faulted(zone, rows, windows)

    def answer(asked: Asked) -> Charges:
        customer = asked.customer.key
        mine, before = rows[customer], billed.get(customer, {})
        if not mine:
            return Charges()
        findings = list(_in_other_currency(asked.customer, mine))
        if findings:
            return Charges(findings=tuple(findings))
        prices = list(price_charges(mine, windows[customer], before, zone.taxes))
        own = [row for row in mine if isinstance(row, LeaseRow)]
        credits = list(sla_charges(own, windows[customer], before, zone.taxes, faulted))
        ordered = [*(each for each in prices if each.kind == "lease"), *credits]
        charges = (*ordered, *(each for each in prices if each.kind == "add-on"))
        return Charges(charges=charges, findings=tuple(_untaxed(zone, charges)))

    return answer


def _windows(zone: ZoneMonth, customers: Sequence[Customer]) -> dict[str, Window]:
    """How far back each customer's document looks, for rent and for faults: as far as late usage is adjusted, and over
    what was carried."""
    alone = zone.afresh or not zone.settings.adjust_months
    carried = {} if alone else _carried(customers, zone.period.month)
    drafts = _drafts(customers, zone.period)
    earliest = zone.period.month.minus(0 if alone else zone.settings.adjust_months)
    return {
        customer.key: Window(
            since_ms=billing_period(min(carried.get(customer.key, earliest), earliest), zone.period.timezone).start_ms,
            until_ms=zone.period.end_ms,
            timezone=zone.period.timezone,
            elsewhere_ms=tuple(drafts.get(customer.key, ())),
        )
        for customer in customers
    }


def _carried(customers: Sequence[Customer], month: Month) -> dict[str, Month]:
    """The first month of each customer that was too small for an invoice, and has not been billed since."""
    billed = in_force(Invoice.objects.filter(customer__in=customers, period__lt=str(month)))
    last = dict(
        billed.order_by().values("customer__key").annotate(last=Max("period")).values_list("customer__key", "last")
    )
    entries = MonthEntry.objects.filter(customer__in=customers, period__lt=str(month), kind=MonthEntry.Kind.CARRIED)
    found: dict[str, Month] = {}
    for customer, period in entries.order_by("-period").values_list("customer__key", "period"):
        if period > last.get(customer, ""):
            found[customer] = parse_month(period)
    return found


def _drafts(customers: Sequence[Customer], period: BillingPeriod) -> dict[str, list[tuple[int, int]]]:
    """Other months of customers that are drafted and not issued: they bill what falls due in them."""
    drafted = Invoice.objects.filter(state=Invoice.State.DRAFT, customer__in=customers, original__isnull=True)
    found: dict[str, list[tuple[int, int]]] = {}
    spans = drafted.values_list("customer__key", "period_start_ms", "period_end_ms")
    for customer, start_ms, end_ms in spans.exclude(period=str(period.month)):
        found.setdefault(customer, []).append((start_ms, end_ms))
    return found


def _faulted(zone: ZoneMonth, rows: Mapping[str, Sequence[Row]], windows: Mapping[str, Window]) -> Faulted:
    """Faulted time of the leases that credit it. The ledger is read once for each span, however many leases have it."""
    spans: dict[tuple[int, int], list[tuple[LeaseRow, int]]] = {}
    for customer, window in windows.items():
        for row in rows[customer]:
            if isinstance(row, LeaseRow):
                for period, held in sla_spans(row, window):
                    spans.setdefault(held, []).append((row, period.start_ms))
    found: dict[tuple[str, int], int] = {}
    for (from_ms, to_ms), asked in spans.items():
        leases, starts = Leases(row for row, _ in asked), {row.key: start_ms for row, start_ms in asked}
        for time in zone.ledger.card_times(from_ms, to_ms, zone.clock.now_ms()):
            lease = leases.named_at(time.card, time.node, from_ms)
            if lease is not None:
                key = lease.key, starts[lease.key]
                found[key] = found.get(key, 0) + time.faulted_us
    return found


def _in_other_currency(customer: Customer, rows: Iterable[Row]) -> Iterator[Finding]:
    for row in rows:
        if row.currency != customer.currency:
            kind = "currency_lease" if isinstance(row, LeaseRow) else "currency_add_on"
            yield noted(kind, key=row.key, currency=row.currency, billed=customer.currency)


def _untaxed(zone: ZoneMonth, charges: Iterable[Charge]) -> Iterator[Finding]:
    for charge in charges:
        if not charge.taxes and (zone.taxes.rows or charge.includes_tax):
            yield noted("no_tax_line", line=charge.description)
