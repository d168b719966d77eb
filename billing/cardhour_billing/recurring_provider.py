"""Leases and add-ons as a provider of charges: reads what they need, once for a zone and month.

Owns how far back a document looks, measuring faulted time, and what keeps a document from being issued. Does not own
what a line comes to (``recurring_charges``, ``sla_charges``).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from msgspec import structs

from cardhour_billing.billed_before import billed_before
from cardhour_billing.charge import Charge
from cardhour_billing.lease import LeaseRow
from cardhour_billing.lease_cover import Leases
from cardhour_billing.leases import current_add_ons, current_leases
from cardhour_billing.models import Customer, Invoice
from cardhour_billing.month import BillingPeriod, billing_period
from cardhour_billing.provider import Answer, Asked, Charges, ZoneMonth
from cardhour_billing.recurring_charges import price_charges
from cardhour_billing.recurring_inputs import Row, Window, kind_of
from cardhour_billing.sla_charges import Faulted, sla_charges, sla_spans

CATCH_UP_MONTHS = 3
"""Months before the one that is billed whose periods are billed, or settled, where they were recorded late: as many as
usage that came late is adjusted. What is older is settled by a credit note or an add-on, which somebody decides."""

SLA_CATCH_UP_MONTHS = 1
"""Likewise for faults that became known late: the ledger is read once for each month."""


def recurring(zone: ZoneMonth) -> Answer:
    """The lines of leases, of credits for faulted time and of add-ons."""
    rows: dict[str, list[Row]] = {customer.key: [] for customer in zone.customers}
    found: list[Row] = [*current_leases(zone.customers), *current_add_ons(zone.customers)]
    for row in found:
        rows[row.customer].append(row)
    having = [customer for customer in zone.customers if rows[customer.key]]
    catch_up, sla_catch_up = (0, 0) if zone.afresh else (CATCH_UP_MONTHS, SLA_CATCH_UP_MONTHS)
    window, sla_window = window_of(zone.period, catch_up), window_of(zone.period, sla_catch_up)
    # A period that falls due in the window may have been billed, in part, when it began.
    billed = {} if zone.afresh else billed_before(having, zone.period.month.minus(CATCH_UP_MONTHS + 2))
    leases = [row for each in rows.values() for row in each if isinstance(row, LeaseRow)]
    faulted = _faulted(zone, leases, sla_window)

    drafts = _drafts(having, zone.period)

    def answer(asked: Asked) -> Charges:
        customer = asked.customer.key
        mine, before = rows[customer], billed.get(customer, {})
        findings = list(_in_other_currency(asked.customer, mine))
        if findings:
            return Charges(findings=tuple(findings))
        elsewhere = tuple(drafts.get(customer, ()))
        prices = list(price_charges(mine, structs.replace(window, elsewhere_ms=elsewhere), before, zone.taxes))
        own = [row for row in mine if isinstance(row, LeaseRow)]
        of_faults = structs.replace(sla_window, elsewhere_ms=elsewhere)
        credits = list(sla_charges(own, of_faults, before, zone.taxes, faulted))
        ordered = [*(each for each in prices if each.kind == "lease"), *credits]
        charges = (*ordered, *(each for each in prices if each.kind == "add-on"))
        return Charges(charges=charges, findings=tuple(_untaxed(zone, charges)))

    return answer


def window_of(period: BillingPeriod, months: int) -> Window:
    """What a document of ``period`` bills: what falls due in it or in so many months before."""
    first = billing_period(period.month.minus(months), period.timezone)
    return Window(since_ms=first.start_ms, until_ms=period.end_ms, timezone=period.timezone)


def _drafts(customers: Sequence[Customer], period: BillingPeriod) -> dict[str, list[tuple[int, int]]]:
    """Other months of customers that are drafted and not issued: they bill what falls due in them."""
    drafted = Invoice.objects.filter(state=Invoice.State.DRAFT, customer__in=customers, original__isnull=True)
    found: dict[str, list[tuple[int, int]]] = {}
    spans = drafted.values_list("customer__key", "period_start_ms", "period_end_ms")
    for customer, start_ms, end_ms in spans.exclude(period=str(period.month)):
        found.setdefault(customer, []).append((start_ms, end_ms))
    return found


def _faulted(zone: ZoneMonth, rows: Iterable[LeaseRow], window: Window) -> Faulted:
    """Faulted time of the leases that credit it. The ledger is read once for each span, however many leases have it."""
    spans: dict[tuple[int, int], list[tuple[LeaseRow, int]]] = {}
    for row in rows:
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


def _in_other_currency(customer: Customer, rows: Iterable[Row]) -> Iterator[str]:
    for row in rows:
        if row.currency != customer.currency:
            yield (
                f"{kind_of(row)} {row.key} is priced in {row.currency}, and the customer is billed in "
                f"{customer.currency}: apply the catalog again, or end it"
            )


def _untaxed(zone: ZoneMonth, charges: Iterable[Charge]) -> Iterator[str]:
    for charge in charges:
        if not charge.taxes and (zone.taxes.rows or charge.includes_tax):
            yield f"no tax rule covers '{charge.description}' for this customer"
