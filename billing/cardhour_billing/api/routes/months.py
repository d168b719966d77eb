"""``/months``: what a month comes to in money, so far or as it was billed, down to days, holders and workloads."""

from __future__ import annotations

from functools import partial
from typing import Any, Literal

from django.http import Http404
from ninja import Field, Router, Schema

from cardhour_billing.api.caller import ApiRequest, Key
from cardhour_billing.api.paging import LIMIT, Cursor, Limit, Paged, page_of_sorted
from cardhour_billing.api.words import CustomerKey, Period, answers
from cardhour_billing.config import load_config
from cardhour_billing.models import Customer
from cardhour_billing.money import Money
from cardhour_billing.month_usage.content import LeasedCard, MonthUsage
from cardhour_billing.month_usage.forecast import forecast
from cardhour_billing.month_usage.keeping import checked_month, month_usage, months_of
from cardhour_billing.usage.store import opened_ledger
from cardhour_contract.clock import SystemClock
from cardhour_contract.moment import format_rfc3339

router = Router(tags=["months"])
SCOPE = Key("usage:read")


class Months(Schema):
    """Months that there is something of."""

    months: list[str]


class ChargeItem(Schema):
    """A charge that is not rated from usage."""

    kind: str = Field(description="Such as `lease`.")
    name: str
    model: str
    first_day: str
    last_day: str
    printed_quantity: str
    unit: str
    net: str


class ForecastItem(Schema):
    """What the whole month is expected to come to, at the mean of the last whole days."""

    amount: str
    low: str
    high: str
    daily: str = Field(description="What a day to come is expected to bring of usage.")
    days: int = Field(description="Whole days that the mean is taken of, at most seven.")


class Unpriced(Schema):
    """Usage that no price holds for: in no figure."""

    model: str
    quantity_us: int


class MonthItem(Schema):
    """A month, as far as it is known. `to_date` is the sum of its usage and of what its charges come to by then."""

    period: str
    timezone: str
    currency: str
    invoice: str = Field(description="Number of the invoice that billed it; empty while it is open.")
    known_until: str
    computed_at: str
    to_date: str = Field(description="Without tax.")
    charges: list[ChargeItem]
    forecast: ForecastItem | None = Field(description="Null for a month that is over, and before its first whole day.")
    unpriced: list[Unpriced]


class Part(Schema):
    """Usage of one holder on one model, on one day, for one project."""

    day: str
    project: str
    owner: str
    model: str
    kind: Literal["usage", "leased"] = Field(description="`leased` is covered by a lease, and costs nothing beside it.")
    quantity_us: int
    net: str


class Parts(Paged):
    items: list[Part]


class WorkloadItem(Schema):
    """A workload's part of the month."""

    project: str
    owner: str
    workload: str
    model: str
    quantity_us: int
    net: str
    active_us: int = Field(description="How long the cards were busy, of `measured_us`.")
    measured_us: int


class Workloads(Paged):
    items: list[WorkloadItem]


class LeasedCardItem(Schema):
    """A card of a named lease in the month: `used_us` + `idle_us` + `faulted_us` = `leased_us`."""

    lease: str
    node: str
    card: str = Field(description="Empty for cards of the lease that nothing was ever heard of, summed.")
    leased_us: int
    used_us: int
    idle_us: int
    faulted_us: int


class LeasedCards(Paged):
    items: list[LeasedCardItem]


@router.get("/months", auth=SCOPE, response=answers(Months), operation_id="list_months", summary="Months")
def list_months(request: ApiRequest, customer: CustomerKey = "") -> Months:
    """The present month and every month that was billed, newest first."""
    return Months(months=[str(each) for each in months_of(request.auth.customer(customer), SystemClock())])


@router.get(
    "/months/{period}",
    auth=SCOPE,
    response=answers(MonthItem),
    operation_id="get_month",
    summary="What a month comes to",
)
def get_month(request: ApiRequest, period: Period, customer: CustomerKey = "") -> MonthItem:
    """An open month as its draft would be, put together at most an hour ago; a billed one as its invoice has it."""
    found = _month(request.auth.customer(customer), period)
    return MonthItem(
        period=found.month, timezone=found.timezone, currency=found.currency, invoice=found.document,
        known_until=format_rfc3339(found.until_ms), computed_at=format_rfc3339(found.computed_at_ms),
        to_date=_money(found, found.to_date),
        charges=[
            ChargeItem(
                kind=each.kind, name=each.name, model=each.model, first_day=each.first_day, last_day=each.last_day,
                printed_quantity=each.printed_quantity, unit=each.unit, net=_money(found, each.net),
            )
            for each in found.charges
        ],
        forecast=_forecast(found), unpriced=[Unpriced(model=model, quantity_us=us) for model, us in found.unpriced],
    )  # fmt: skip


@router.get(
    "/months/{period}/usage", auth=SCOPE, response=answers(Parts), operation_id="list_month_usage", summary="By day"
)
def list_usage(
    request: ApiRequest, period: Period, customer: CustomerKey = "", limit: Limit = LIMIT, cursor: Cursor = ""
) -> dict[str, Any]:
    """Usage with its money by day, project, holder and model: with the charges it sums to the month."""
    found = _month(request.auth.customer(customer), period)
    parts = [
        Part(
            day=each.day, project=each.project, owner=each.owner, model=each.model, kind=each.kind,
            quantity_us=each.quantity_us, net=_money(found, each.net),
        )
        for each in found.cells
    ]  # fmt: skip

    def key(part: Part) -> list[str]:
        return [part.day, part.project, part.owner, part.model, part.kind]

    return page_of_sorted(f"usage of {period}", sorted(parts, key=key), key, limit=limit, cursor=cursor)


@router.get(
    "/months/{period}/workloads",
    auth=SCOPE,
    response=answers(Workloads),
    operation_id="list_month_workloads",
    summary="By workload",
)
def list_workloads(
    request: ApiRequest, period: Period, customer: CustomerKey = "", limit: Limit = LIMIT, cursor: Cursor = ""
) -> dict[str, Any]:
    """What each workload used and costs, and how long its cards were busy."""
    found = _month(request.auth.customer(customer), period)
    works = [
        WorkloadItem(
            project=each.project, owner=each.owner, workload=each.workload, model=each.model,
            quantity_us=each.quantity_us, net=_money(found, each.net), active_us=each.active_us,
            measured_us=each.measured_us,
        )
        for each in found.works
    ]  # fmt: skip

    def key(work: WorkloadItem) -> list[str]:
        return [work.project, work.owner, work.workload, work.model]

    return page_of_sorted(f"workloads of {period}", sorted(works, key=key), key, limit=limit, cursor=cursor)


@router.get(
    "/months/{period}/leased-cards",
    auth=SCOPE,
    response=answers(LeasedCards),
    operation_id="list_month_leased_cards",
    summary="Use of leased cards",
)
def list_leased_cards(
    request: ApiRequest, period: Period, customer: CustomerKey = "", limit: Limit = LIMIT, cursor: Cursor = ""
) -> dict[str, Any]:
    """How long each card of a named lease was used, idle and faulted: what is paid for and stands still."""
    cards = [_leased(each) for each in _month(request.auth.customer(customer), period).leased_cards]

    def key(card: LeasedCardItem) -> list[str]:
        return [card.lease, card.node, card.card]

    return page_of_sorted(f"leased cards of {period}", sorted(cards, key=key), key, limit=limit, cursor=cursor)


def _leased(card: LeasedCard) -> LeasedCardItem:
    leased, used, faulted = sum(card.leased_us), sum(card.used_us), sum(card.faulted_us)
    return LeasedCardItem(
        lease=card.lease, node=card.node, card=card.card, leased_us=leased, used_us=used,
        idle_us=leased - used - faulted, faulted_us=faulted,
    )  # fmt: skip


def _forecast(month: MonthUsage) -> ForecastItem | None:
    found = forecast(month)
    if found is None:
        return None
    return ForecastItem(
        amount=_money(month, found.amount), low=_money(month, found.low), high=_money(month, found.high),
        daily=_money(month, found.daily), days=found.days,
    )  # fmt: skip


def _month(customer: Customer, period: str) -> MonthUsage:
    clock = SystemClock()
    month = checked_month(period, months_of(customer, clock))
    if month is None:
        raise Http404(f"there is nothing of {period}")
    return month_usage(customer, month, partial(opened_ledger, load_config()), clock)


def _money(month: MonthUsage, amount: int) -> str:
    return str(Money(amount=amount, currency=month.currency))
