"""Moving the end of a lease: what it would do in money, and doing it.

Owns the preview of an extension or an early end, and the row that supersedes the old one. Does not own what a period
costs (``recurring``) nor when the difference is billed (``leases.charges``: with the next document).
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from django.db import transaction
from msgspec import Struct, structs

from cardhour_billing.audit.log import audit
from cardhour_billing.catalog.current_terms import current_leases, lease_row
from cardhour_billing.catalog.lease import record_lease
from cardhour_billing.charges.billed_before import billed_before
from cardhour_billing.leases.inputs import Billed, source_of
from cardhour_billing.leases.lease import LeaseRow, overlaps
from cardhour_billing.leases.proration import Period, anniversary_ms
from cardhour_billing.models import Lease
from cardhour_billing.models.bitemporal import NOT_SUPERSEDED
from cardhour_billing.models.party import lock_issuers
from cardhour_billing.money import Money
from cardhour_billing.month import local_day, month_of
from cardhour_contract.clock import Clock
from cardhour_contract.errors import Refuse
from cardhour_contract.moment import QUARTER_MS, ceil_to, floor_to, format_rfc3339

PERIODS_SHOWN = 36
"""Periods in a preview of a lease without an end: three years say enough."""


class PeriodChange(Struct, frozen=True, kw_only=True):
    """One period of a lease, before and after its end is moved."""

    period: Period
    before: Money
    after: Money
    billed: Money

    @property
    def difference(self) -> Money:
        return self.after - self.before

    @property
    def to_bill(self) -> Money:
        """What documents have still to bill, or to credit, of it."""
        return self.after - self.billed


class LeaseChange(Struct, frozen=True, kw_only=True):
    """A lease whose end is to be moved."""

    before: LeaseRow
    after: LeaseRow
    timezone: str
    periods: tuple[PeriodChange, ...]


class Version(Struct, frozen=True, kw_only=True):
    """What a lease said until it was superseded; empty for the row in force."""

    row: LeaseRow
    superseded_at: str


def find_lease(key: str) -> Lease:
    """The row in force of a lease."""
    row = Lease.objects.filter(NOT_SUPERSEDED, key=key).select_related("customer").first()
    if row is None:
        known = ", ".join(Lease.objects.filter(NOT_SUPERSEDED).order_by("key").values_list("key", flat=True)[:10])
        raise Refuse(f"there is no lease '{key}'" + (f"; there are {known}" if known else ""))
    return row


def history(row: Lease) -> list[Version]:
    """What a lease said, newest first."""
    rows = list(Lease.objects.filter(key=row.key).select_related("customer").order_by("-id"))
    until = ["", *(format_rfc3339(newer.recorded_at_ms) for newer in rows)]
    return [Version(row=lease_row(each), superseded_at=at) for each, at in zip(rows, until, strict=False)]


def extension(key: str, *, to_ms: int | None = None, months: int = 0) -> LeaseChange:
    """A later end: an instant, or so many months after the present one."""
    row = find_lease(key)
    before = lease_row(row)
    if before.to_ms is None:
        raise Refuse(f"lease {key} has no end, so it cannot be extended")
    until_ms = anniversary_ms(before.to_ms, row.customer.timezone, months) if to_ms is None else to_ms
    if until_ms <= before.to_ms:
        raise Refuse(f"lease {key} runs until {format_rfc3339(before.to_ms)} already: cardhour lease terminate ends it")
    return _change(row, before, until_ms)


def termination(key: str, at_ms: int) -> LeaseChange:
    """An earlier end."""
    row = find_lease(key)
    before = lease_row(row)
    if at_ms <= before.from_ms:
        raise Refuse(f"lease {key} begins at {format_rfc3339(before.from_ms)}: it can only end after that")
    if before.to_ms is not None and at_ms >= before.to_ms:
        raise Refuse(f"lease {key} ends at {format_rfc3339(before.to_ms)} already: cardhour lease extend moves it on")
    return _change(row, before, at_ms)


def _change(row: Lease, before: LeaseRow, to_ms: int) -> LeaseChange:
    if to_ms % QUARTER_MS:
        near = format_rfc3339(floor_to(to_ms, QUARTER_MS)), format_rfc3339(ceil_to(to_ms, QUARTER_MS))
        raise Refuse(f"{format_rfc3339(to_ms)} is off a quarter hour; the nearest are {near[0]} and {near[1]}")
    after = structs.replace(before, to_ms=to_ms)
    for one, other, place in overlaps([*(each for each in current_leases() if each.id != before.id), after]):
        raise Refuse(f"{place} is in lease {one.key} and would be in {other.key} at one time: end that one first")
    timezone = row.customer.timezone
    billed = billed_before([row.customer], month_of(local_day(before.from_ms, timezone)).minus(1))
    changes = islice(_periods(before, after, timezone, billed.get(row.customer.key, {})), PERIODS_SHOWN)
    return LeaseChange(before=before, after=after, timezone=timezone, periods=tuple(changes))


def _periods(before: LeaseRow, after: LeaseRow, timezone: str, billed: dict[str, Billed]) -> Iterator[PeriodChange]:
    """The periods whose price differs, or of which more or less was billed than they now cost."""
    ends = [each.to_ms for each in (before, after) if each.to_ms is not None]
    longest = before if before.to_ms is None or before.to_ms == max(ends) else after
    zero = Money(amount=0, currency=before.currency)
    for period in longest.periods(before.from_ms, max(ends) + 62 * 24 * 4 * QUARTER_MS, timezone):
        was, now = (_price(each, period) for each in (before, after))
        known = billed.get(source_of("lease", before, period))
        paid = Money(amount=known.amount, currency=before.currency) if known else zero
        if after.non_refundable and after.billing == "advance" and paid.amount > now.amount:
            now = paid
        beyond = before.to_ms is None and now.amount == 0
        if was != now and (paid.amount or not beyond):
            yield PeriodChange(period=period, before=was, after=now, billed=paid)


def _price(row: LeaseRow, period: Period) -> Money:
    held = row.within(period.start_ms, period.end_ms)
    return row.price_of(period, *held) if held else Money(amount=0, currency=row.currency)


def record(change: LeaseChange, *, clock: Clock, who: str, action: str) -> None:
    """Write the row that was shown. Refuses where the lease has changed since."""
    with transaction.atomic():
        lock_issuers()  # as a catalog does: one change of the books at a time
        if lease_row(find_lease(change.before.key)) != change.before:
            raise Refuse(f"lease {change.before.key} was changed by someone else meanwhile: run the command again")
        record_lease(change.after, change.before.id, clock.now_ms())
        ends = [
            format_rfc3339(each.to_ms) if each.to_ms is not None else "none" for each in (change.before, change.after)
        ]
        audit(clock, who, action, change.before.key, {"to before": ends[0], "to": ends[1]})
