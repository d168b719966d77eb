"""The month's money so far: net by day and currency, beside the month before, and what usage nobody is bound to.

Owns adding it up. What is open is rated as its draft would be, without adjustments of closed months; what is billed is
read from its invoices. Both say of which day a line is: usage of each of its days, a charge of its first. Rating a
month takes longer than a page may: the scheduler does it ahead, every process reads what it kept, and the page says as
of when. Does not own rating.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from datetime import date

import msgspec
from msgspec import Struct

from cardhour_billing.closing.unassigned import OwnerUse, by_owner
from cardhour_billing.closing.zone_close import ZoneClose
from cardhour_billing.config import BillingSettings
from cardhour_billing.frozen.document import decode
from cardhour_billing.models import Customer, Issuer, KeptFigures
from cardhour_billing.money import Money, parse_amount
from cardhour_billing.month import Month, billing_period, local_day, month_of
from cardhour_billing.portal.closing import invoices_of
from cardhour_billing.rating.charge import Charge
from cardhour_billing.rating.rated import RatedLine
from cardhour_billing.usage.ledger import Ledger
from cardhour_contract.clock import Clock
from cardhour_contract.moment import HOUR_MS, MINUTE_MS

RENEWED_MS = 10 * MINUTE_MS
"""How old it gets before the scheduler reckons it anew, at its next look."""
SHOWN_MS = HOUR_MS
"""How old it may be shown. Older, the scheduler does not run, and the page that asks reckons itself."""
OpenLedger = Callable[[], AbstractContextManager[Ledger]]
ALONE = BillingSettings(adjust_months=0)

ByDay = dict[str, dict[int, int]]
"""Minor units of net by currency and day of the month."""


class Earned(Struct, frozen=True, kw_only=True):
    """What one currency comes to, in minor units."""

    currency: str
    now: int
    """The month so far."""
    before: int
    """The month before, up to the same day."""
    before_whole: int
    days: tuple[int, ...]
    """Of the month so far, day by day."""
    days_before: tuple[int, ...]
    """Of the whole month before."""


class MonthMoney(Struct, frozen=True, kw_only=True):
    """The month at ``at_ms``. ``today`` is its day in the issuer's zone."""

    month: str
    previous: str
    currency: str
    """The issuer's, in which most is billed."""
    at_ms: int
    today: int
    earned: tuple[Earned, ...]
    unassigned_us: int
    unassigned_owners: int
    owners: tuple[OwnerUse, ...]
    unassigned: Money | None
    """At list price; ``None`` where there is none of it, or no list price."""


def kept_money(issuer: Issuer, clock: Clock) -> MonthMoney | None:
    """The month that it is for the issuer, as it was reckoned last; None where that was not lately."""
    now_ms = clock.now_ms()
    kept = KeptFigures.objects.filter(name=_name(issuer, now_ms), computed_at_ms__gt=now_ms - SHOWN_MS).first()
    return msgspec.json.decode(bytes(kept.content), type=MonthMoney) if kept else None


def month_money(issuer: Issuer, open_ledger: OpenLedger, clock: Clock) -> MonthMoney:
    """The month that it is for the issuer, as it is or was lately."""
    known = kept_money(issuer, clock)
    if known is not None:
        return known
    with open_ledger() as ledger:
        return _renewed(issuer, ledger, clock)


def renew_money(ledger: Ledger, clock: Clock) -> bool:
    """Reckon the month anew where what is kept has grown old, for everyone who looks; whether that was so."""
    issuer, now_ms = Issuer.objects.first(), clock.now_ms()
    if issuer is None:
        return False
    name = _name(issuer, now_ms)
    if KeptFigures.objects.filter(name=name, computed_at_ms__gt=now_ms - RENEWED_MS).exists():
        return False
    _renewed(issuer, ledger, clock)
    KeptFigures.objects.filter(name__startswith=_NAME).exclude(name=name).delete()  # of months that are over
    return True


def forget_money() -> None:
    """What was reckoned by a catalog that was changed since: whoever looks next sees what the change did."""
    KeptFigures.objects.filter(name__startswith=_NAME).delete()


_NAME = "month-money "


def _name(issuer: Issuer, now_ms: int) -> str:
    return f"{_NAME}{month_of(local_day(now_ms, issuer.timezone))}"


def _renewed(issuer: Issuer, ledger: Ledger, clock: Clock) -> MonthMoney:
    now_ms = clock.now_ms()
    day = local_day(now_ms, issuer.timezone)
    found = _reckon(issuer, month_of(day), day, ledger, clock)
    content = {"computed_at_ms": found.at_ms, "content": msgspec.json.encode(found)}
    KeptFigures.objects.update_or_create(name=_name(issuer, now_ms), defaults=content)
    return found


def _reckon(issuer: Issuer, month: Month, day: date, ledger: Ledger, clock: Clock) -> MonthMoney:
    now: ByDay = {}
    customers = list(Customer.objects.select_related("issuer").order_by("key"))
    unassigned = []
    for zone in sorted({issuer.timezone, *(each.timezone for each in customers)}):
        here = [each for each in customers if each.timezone == zone]
        rated = ZoneClose(billing_period(month, zone), here, issuer.currency, ledger, clock, ALONE)
        for customer in here:
            content = rated.content(customer)
            nets = content.assess(customer.currency).nets
            for line, net in zip(content.all, nets, strict=True):
                _add(now, net, _days_of(line, month))
        if zone == issuer.timezone:
            unassigned = list(rated.unassigned)
    previous = month.minus(1)
    before = _billed(previous)
    values = [each.list_value for each in unassigned if each.list_value is not None]
    return MonthMoney(
        month=str(month),
        previous=str(previous),
        currency=issuer.currency,
        at_ms=clock.now_ms(),
        today=day.day,
        earned=tuple(_earned(code, now, before, day, previous) for code in sorted({*now, *before})),
        unassigned_us=sum(each.quantity_us for each in unassigned),
        unassigned_owners=len({each.owner for each in unassigned}),
        owners=by_owner(unassigned),
        unassigned=sum(values[1:], values[0]) if values else None,
    )


def _days_of(line: RatedLine | Charge, month: Month) -> list[tuple[int, int]]:
    """Day of the month and weight of each part of a line."""
    if isinstance(line, RatedLine):
        return [(day.day, share.amount.amount) for day, share in line.days.items()]
    return [(line.first_day.day if month_of(line.first_day) == month else 1, 1)]


def _billed(month: Month) -> ByDay:
    """What a month was billed, or is drafted."""
    found: ByDay = {}
    for frozen in invoices_of(str(month)).values_list("frozen", flat=True).iterator(chunk_size=200):
        document = decode(bytes(frozen))
        for line in document.lines:
            net = parse_amount(line.net or line.amount, document.currency)
            shares = [
                (int(each.day[8:]), parse_amount(each.amount, document.currency).amount)
                for each in line.days
                if each.day.startswith(str(month))
            ]
            _add(found, net, shares or [(int(line.first_day[8:]) if line.first_day.startswith(str(month)) else 1, 1)])
    return found


def _add(sums: ByDay, net: Money, shares: Sequence[tuple[int, int]]) -> None:
    """Spread a line's net over its days, so that they add up to it."""
    weights = [abs(weight) for _, weight in shares]
    parts = net.allocate(weights) if any(weights) else (net,)
    by_day = sums.setdefault(net.currency, {})
    for (day, _), part in zip(shares, parts, strict=False):
        by_day[day] = by_day.get(day, 0) + part.amount


def _earned(currency: str, now: ByDay, before: ByDay, day: date, previous: Month) -> Earned:
    mine, earlier = now.get(currency, {}), before.get(currency, {})
    last = (previous.next.first_day - previous.first_day).days
    days_before = tuple(_range(earlier, last))
    days = tuple(_range(mine, day.day))
    # What is dated later in the month, such as a charge of its end, is not earned yet and not shown.
    return Earned(
        currency=currency,
        now=sum(days),
        before=sum(days_before[: day.day]),
        before_whole=sum(days_before),
        days=days,
        days_before=days_before,
    )


def _range(by_day: dict[int, int], last: int) -> Iterable[int]:
    return (by_day.get(day, 0) for day in range(1, last + 1))
