"""A customer's leases, its commitments with what is left of them, and money paid ahead.

Owns what these pages show. Does not own the rows nor their arithmetic. Amounts and hours are grouped text.
"""

from __future__ import annotations

from dataclasses import dataclass

from cardhour_billing.catalog.current_terms import current_leases
from cardhour_billing.leases.lease import LeaseRow
from cardhour_billing.models import Customer
from cardhour_billing.month import local_day
from cardhour_billing.month_usage.commitments import CommitmentStanding, UsageOf, standing_of_commitments
from cardhour_billing.month_usage.content import MonthUsage
from cardhour_billing.portal.usage_page import BAR_WIDTH, hours_of, part_percent, text_of
from cardhour_billing.receivables.credit_view import Booked, bookings, holdings, unbilled_of
from cardhour_contract.clock import Clock
from cardhour_contract.moment import DAY_MS

ENDED_SHOWN_MS = 92 * DAY_MS
"""How long a lease that has ended is still shown: three months, as long as its invoices are talked about."""

ENTRIES_MAX = 200
"""Entries of the credit ledger that the page shows, newest first; the statement has them all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseView:
    """A lease. ``state``: running, coming, ended. ``used`` is empty for a pool and where nothing is known."""

    name: str
    model: str
    count: int
    places: str
    price: str
    per: str
    currency: str
    billing: str
    first_day: str
    last_day: str
    state: str
    sla: str
    used: str
    used_hours: str
    leased_hours: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitmentView:
    """A commitment's present term. ``unit`` is ``card-hour`` or the currency."""

    name: str
    contract: str
    models: str
    first_day: str
    last_day: str
    committed: str
    used: str
    left: str
    percent: str
    bar: int
    unit: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BalanceView:
    """What is there of one currency: paid ahead, less what is used and not billed yet."""

    currency: str
    prepaid: str
    unbilled: str
    available: str
    negative: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantView:
    """What is left of an allowance."""

    reason: str
    category: str
    model: str
    left: str
    currency: str
    expires: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryView:
    """A movement of the customer's own accounts."""

    day: str
    kind: str
    reference: str
    account: str
    amount: str
    balance: str
    currency: str


def leases_of(customer: Customer, usage: MonthUsage | None, clock: Clock) -> list[LeaseView]:
    """Running ones first, then those to come, then those that ended lately."""
    now_ms = clock.now_ms()
    rows = [row for row in current_leases([customer]) if row.to_ms is None or row.to_ms > now_ms - ENDED_SHOWN_MS]
    views = [_lease(row, usage, customer.timezone, now_ms) for row in rows]
    order = ("running", "coming", "ended")
    return sorted(views, key=lambda view: (order.index(view.state), view.name))


def _lease(row: LeaseRow, usage: MonthUsage | None, timezone: str, now_ms: int) -> LeaseView:
    cards = [card for card in usage.leased_cards if card.lease == row.key] if usage else []
    leased, used = sum(sum(card.leased_us) for card in cards), sum(sum(card.used_us) for card in cards)
    places = [*row.nodes, *row.cards]
    more = f" +{len(places) - 3}" if len(places) > 3 else ""
    state = "coming" if row.from_ms > now_ms else "running" if row.holds_at(now_ms) else "ended"
    return LeaseView(
        name=row.key,
        model=row.model,
        count=row.count,
        places=", ".join(places[:3]) + more,
        price=str(row.unit_price),
        per=row.per,
        currency=row.currency,
        billing=row.billing,
        first_day=local_day(row.from_ms, timezone).isoformat(),
        last_day=local_day(row.to_ms - 1, timezone).isoformat() if row.to_ms is not None else "",
        state=state,
        sla=part_percent(row.sla_ppm, 1_000_000) if row.sla_ppm else "",
        used=part_percent(used, leased),
        used_hours=hours_of(used) if leased else "",
        leased_hours=hours_of(leased) if leased else "",
    )


def commitments_of(customer: Customer, usage_of: UsageOf, clock: Clock) -> list[CommitmentView]:
    """Every commitment under the customer's contracts, in the term that it is now."""
    return [_commitment(each) for each in standing_of_commitments(customer, usage_of, clock)]


def _commitment(found: CommitmentStanding) -> CommitmentView:
    row, whole, used = found.row, found.whole, found.used

    def text(value: int) -> str:
        return hours_of(value) if row.quantity_us is not None else text_of(value, row.currency)

    share = min(1000, used * 1000 // whole) if whole > 0 else 1000
    return CommitmentView(
        name=row.key,
        contract=row.contract,
        models=", ".join(row.covers),
        first_day=found.term.first.isoformat(),
        last_day=found.term.last.isoformat(),
        committed=text(whole),
        used=text(used),
        left=text(found.left),
        percent=part_percent(used, whole),
        bar=share * BAR_WIDTH // 1000,
        unit="card-hour" if row.quantity_us is not None else row.currency,
    )


def balances_of(customer: Customer) -> list[BalanceView]:
    """What is paid ahead, by currency."""
    views = []
    for each in holdings([customer]):
        if each.grant is None:
            unbilled = unbilled_of(each)
            available = each.balance - unbilled
            views.append(
                BalanceView(
                    currency=each.balance.currency,
                    prepaid=text_of(each.balance.amount, each.balance.currency),
                    unbilled=text_of(unbilled.amount, unbilled.currency),
                    available=text_of(available.amount, available.currency),
                    negative=available.amount < 0,
                )
            )
    return views


def grants_of(customer: Customer) -> list[GrantView]:
    """Allowances, in the order in which they are spent."""
    return [
        GrantView(
            reason=each.grant.reason,
            category=each.grant.category,
            model=each.grant.model,
            left=text_of(each.balance.amount, each.balance.currency),
            currency=each.balance.currency,
            expires=local_day(each.grant.expires_at_ms - 1, customer.timezone).isoformat()
            if each.grant.expires_at_ms is not None
            else "",
        )
        for each in holdings([customer])
        if each.grant is not None
    ]


def entries_of(customer: Customer) -> list[EntryView]:
    """The newest entries of the credit ledger."""
    return [_entry(each, customer.timezone) for each in list(bookings(customer))[: -ENTRIES_MAX - 1 : -1]]


def _entry(booked: Booked, timezone: str) -> EntryView:
    grant = booked.account.grant
    return EntryView(
        day=local_day(booked.entry.at_ms, timezone).isoformat(),
        kind=booked.entry.kind,
        reference=booked.entry.reference,
        account=grant.reason if grant else "",
        amount=text_of(booked.amount.amount, booked.amount.currency),
        balance=text_of(booked.balance.amount, booked.balance.currency),
        currency=booked.amount.currency,
    )
