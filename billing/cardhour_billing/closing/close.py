"""Closing a month: every customer's invoice, drafted or issued, and the checklist of what could not be billed.

Owns when a month may be issued, and that one customer's trouble does not stop the others. Does not own rating, drafts
or issuing. Customers are taken by time zone, because a month is other instants in each; the ledger is read once a zone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from msgspec import Struct

from cardhour_billing.charges.finding import Finding, noted
from cardhour_billing.closing.checklist import Check, Closed, checklist
from cardhour_billing.closing.zone_close import ClosedInvoice, ZoneClose
from cardhour_billing.config import BillingSettings
from cardhour_billing.documents.rendering import Told, render_missing
from cardhour_billing.models import Customer, Issuer
from cardhour_billing.money import Money
from cardhour_billing.month import BillingPeriod, Month, billing_period
from cardhour_billing.rating.rate import Unassigned
from cardhour_billing.usage.ledger import Coverage, Ledger
from cardhour_contract.clock import Clock
from cardhour_contract.errors import Refuse
from cardhour_contract.moment import HOUR_MS, format_rfc3339


class CloseOrder(Struct, frozen=True, kw_only=True):
    """What to close, and on whose word."""

    month: Month
    who: str
    customers: tuple[str, ...] = ()
    """Ids of the only customers to close; empty for all."""
    issue: bool = False
    within_grace: bool = False
    """Issue although late usage may still come in."""
    confirmed: Mapping[str, int] | None = None
    """Totals that a person has seen, in minor units by customer: a draft that comes to anything else stays a draft."""


class CloseReport(Struct, frozen=True, kw_only=True):
    """What a close did. ``unassigned`` and ``coverage`` are of the month in the issuer's zone."""

    month: str
    invoices: tuple[ClosedInvoice, ...]
    without_usage: tuple[str, ...]
    """Customers with nothing to bill: no invoice, and no number."""
    warnings: tuple[Finding, ...]
    carried: Mapping[str, Money] = {}
    """Totals below the smallest invoice, by customer: billed with the next month."""
    unassigned: tuple[Unassigned, ...] = ()
    coverage: Coverage | None = None
    checks: tuple[Check, ...] = ()
    """The checklist, blocking checks first."""

    @property
    def blocked(self) -> tuple[ClosedInvoice, ...]:
        return tuple(each for each in self.invoices if each.findings)


def close_month(
    order: CloseOrder,
    *,
    ledger: Ledger,
    clock: Clock,
    settings: BillingSettings,
    progress: Told = lambda what, done, of: None,
) -> CloseReport:
    """Draft, or issue, every invoice of a month, with its files. May be repeated: what is issued stays as it is.

    Refuses to issue a month that has not ended, or is within its grace hours, in any customer's zone.
    """
    report = close_books(order, ledger=ledger, clock=clock, settings=settings, progress=progress)
    # After the commits, and also where nothing was issued now: what an earlier crash left without files gets them.
    render_missing(clock, who=order.who, progress=progress)
    return report


def close_books(
    order: CloseOrder, *, ledger: Ledger, clock: Clock, settings: BillingSettings, progress: Told
) -> CloseReport:
    """``close_month`` but for the files, which nothing in the books waits for."""
    issuer, customers = _parties(order.customers)
    zones = {customer.timezone for customer in customers} | ({issuer.timezone} if not order.customers else set())
    periods = {zone: billing_period(order.month, zone) for zone in sorted(zones)}
    warnings = _check_time(order, periods.values(), clock, settings)
    progress("bringing the ledger up to date", 0, len(customers))
    ledger.settle()
    seen = {zone: ledger.coverage(period.start_ms, period.end_ms) for zone, period in periods.items()}
    _check_ledger(order, seen.values())
    invoices: list[ClosedInvoice] = []
    without_usage: list[str] = []
    carried: dict[str, Money] = {}
    unassigned: tuple[Unassigned, ...] = ()
    for zone, period in periods.items():
        progress(f"reading usage in {zone}", len(invoices) + len(without_usage), len(customers))
        here = [customer for customer in customers if customer.timezone == zone]
        month_here = ZoneClose(period, here, issuer.currency, ledger, clock, settings, confirmed=order.confirmed)
        for customer, closed in month_here.close(issued_by=order.who if order.issue else ""):
            invoices += [closed] if closed else []
            without_usage += [] if closed else [customer.key]
            progress(customer.key, len(invoices) + len(without_usage), len(customers))
        carried |= month_here.carried
        if zone == issuer.timezone and not order.customers:
            unassigned = month_here.unassigned
    invoices.sort(key=lambda each: each.customer)
    coverage = None if order.customers else seen[issuer.timezone]
    known = Closed(
        period=periods.get(issuer.timezone) or periods[min(periods)],
        currency=issuer.currency,
        invoices=invoices,
        warnings=warnings,
        unassigned=unassigned,
        coverage=coverage,
        notable_percent=settings.notable_change_percent,
    )
    return CloseReport(
        month=str(order.month),
        invoices=tuple(invoices),
        without_usage=tuple(sorted(key for key in without_usage if key not in carried)),
        carried=carried,
        warnings=warnings,
        unassigned=unassigned,
        coverage=coverage,
        checks=checklist(known),
    )


def _parties(keys: tuple[str, ...]) -> tuple[Issuer, list[Customer]]:
    issuer = Issuer.objects.first()
    if issuer is None:
        raise Refuse(
            "there is nobody to bill for yet: describe issuer, customers and prices with cardhour catalog apply"
        )
    customers = Customer.objects.select_related("issuer").order_by("key")
    if keys:
        customers = customers.filter(key__in=keys)
        unknown = sorted({*keys} - {each.key for each in customers})
        if unknown:
            raise Refuse(f"there is no customer '{unknown[0]}'")
    return issuer, list(customers)


def _check_ledger(order: CloseOrder, seen: Iterable[Coverage]) -> None:
    breached = max(each.breached_pages for each in seen)
    if breached and order.issue:
        raise Refuse(f"{breached} ledger pages of {order.month} do not add up, so nothing of it can be issued")


def when_settled(periods: Iterable[BillingPeriod], settings: BillingSettings) -> tuple[int, int]:
    """When a month has ended in every zone, and when its grace hours are over too."""
    end_ms = max(period.end_ms for period in periods)
    return end_ms, end_ms + settings.grace_hours * HOUR_MS


def _check_time(
    order: CloseOrder, periods: Iterable[BillingPeriod], clock: Clock, settings: BillingSettings
) -> tuple[Finding, ...]:
    """Warnings about a month that is not settled yet; Refuse where it was to be issued."""
    now_ms = clock.now_ms()
    end_ms, settled_ms = when_settled(periods, settings)
    if now_ms < end_ms:
        at = format_rfc3339(end_ms)
        if order.issue:
            raise Refuse(f"{order.month} ends at {at}: it cannot be issued before")
        return (noted("month_runs", month=order.month, at=at),)
    if now_ms < settled_ms and not order.within_grace:
        at = format_rfc3339(settled_ms)
        if order.issue:
            late = f"late usage of {order.month} may come in until {at} (grace_hours in [billing])"
            raise Refuse(f"{late}: wait, or issue now with --within-grace")
        return (noted("month_late", month=order.month, at=at),)
    return ()
