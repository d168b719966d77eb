"""A month's hours, revenue and cost by model, out of the ledger and the books: what ``margin`` reckons with.

Owns the basis: the month is a calendar month in the issuer's zone for every customer; revenue is what the month earned,
without tax, whenever it is billed. Does not own the arithmetic (``margin``). See docs/margin.md.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cardhour_billing.catalog.current import terms_of
from cardhour_billing.catalog.current_terms import current_costs
from cardhour_billing.cost import Costs
from cardhour_billing.leases.cover import Leases
from cardhour_billing.leases.lease import LeaseRow
from cardhour_billing.leases.leased_time import CardTimes, leased_times
from cardhour_billing.margin.margin import Hours, Margin, expense
from cardhour_billing.models import Customer, Issuer
from cardhour_billing.money import Money, net_within
from cardhour_billing.month import Month, billing_period
from cardhour_billing.rating.content import Content
from cardhour_billing.rating.tax import TaxRules
from cardhour_billing.usage.ledger import Ledger
from cardhour_billing.usage.zone_rating import ZoneRating, rate_zone
from cardhour_contract.clock import Clock
from cardhour_contract.errors import Refuse
from cardhour_contract.moment import HOUR_MS, MS_US, floor_to

if TYPE_CHECKING:
    from cardhour_ingest.warehouse.balance import CardTime


@dataclass(frozen=True, slots=True, kw_only=True)
class MonthMargin:
    """One month by model, in the issuer's currency, and what could not be counted into it."""

    month: Month
    until_ms: int
    """Until when it is counted: the end of the month, or of the present hour."""
    ended: bool
    margins: tuple[Margin, ...]
    other_currencies: Mapping[str, Money]
    """Revenue in currencies that are not the issuer's, by currency: it is in no margin."""


@dataclass(slots=True, kw_only=True)
class _Revenue:
    """Revenue while it is being summed."""

    currency: str
    by_model: dict[str, Money] = field(default_factory=dict)
    others: dict[str, Money] = field(default_factory=dict)
    rent: dict[str, Money] = field(default_factory=dict)
    """The part of ``by_model`` that leases earned."""

    def add_rent(self, model: str, amount: Money) -> None:
        self.add(model, amount)
        if amount.currency == self.currency:
            self.rent[model] = self.rent[model] + amount if model in self.rent else amount

    def add(self, model: str, amount: Money) -> None:
        sums, key = (self.by_model, model) if amount.currency == self.currency else (self.others, amount.currency)
        sums[key] = sums[key] + amount if key in sums else amount


def month_margin(month: Month, ledger: Ledger, clock: Clock) -> MonthMargin:
    """The margin of every model that has cards, revenue or a cost, by the ledger as it stands."""
    issuer = Issuer.objects.first()
    if issuer is None:
        raise Refuse("there are no books yet: describe issuer, customers and prices with cardhour catalog apply")
    period = billing_period(month, issuer.timezone)
    until_ms = min(period.end_ms, floor_to(clock.now_ms(), HOUR_MS) + HOUR_MS)
    if until_ms <= period.start_ms:
        raise Refuse(f"{month} has not begun: its margin is not known")
    customers = {each.key: each for each in Customer.objects.select_related("issuer")}
    rated = rate_zone(period, terms_of(customers.values(), period), issuer.currency, ledger)

    def card_times(from_ms: int, to_ms: int) -> list[CardTime]:
        return list(ledger.card_times(from_ms, to_ms, clock.now_ms()))

    hours = _hours(period.start_ms, until_ms, rated, card_times)
    revenue = _Revenue(currency=issuer.currency)
    for key, lines in rated.rating.lines.items():
        content = Content(lines=lines)
        for line, net in zip(lines, content.assess(customers[key].currency).nets, strict=True):
            revenue.add(line.key.model, net)
    for row in rated.leases.rows:
        for earned in _earned(
            row, (period.start_ms, until_ms), customers[row.customer].timezone, rated.taxes, card_times
        ):
            revenue.add_rent(row.model, earned)
    costs = Costs(current_costs())
    zero = Money(amount=0, currency=issuer.currency)
    margins = []
    for model in sorted(hours.keys() | revenue.by_model.keys()):
        cost = costs.find(model, period.start_ms)
        time = hours.get(model, Hours())
        month_us = (period.end_ms - period.start_ms) * MS_US
        margins.append(
            Margin(
                name=model,
                hours=time,
                revenue=revenue.by_model.get(model, zero),
                rent=revenue.rent.get(model, zero),
                expense=expense(cost, time.capacity_us, month_us)
                if cost and cost.currency == issuer.currency
                else None,
            )
        )
    return MonthMargin(
        month=month,
        until_ms=until_ms,
        ended=until_ms == period.end_ms,
        margins=tuple(margins),
        other_currencies=revenue.others,
    )


def _hours(start_ms: int, until_ms: int, rated: ZoneRating, card_times: CardTimes) -> dict[str, Hours]:
    """Where the time of each model's cards went. Usage is told apart by what was done with it."""
    sold: dict[str, int] = {}
    for lines in rated.rating.lines.values():
        for line in lines:
            sold[line.key.model] = sold.get(line.key.model, 0) + line.quantity_us
    pooled: dict[str, int] = {}
    named = {row.key for row in rated.leases.rows if row.named}
    for taken in rated.cover.covered:
        if taken.lease not in named:
            pooled[taken.usage.model] = pooled.get(taken.usage.model, 0) + taken.covered_us
    times = leased_times(card_times, rated.leases, start_ms, until_ms)
    found: dict[str, Hours] = {}
    for time in times:
        hours = Hours(
            leased_us=time.leased_us,
            unsold_us=time.billable_us,
            idle_us=time.idle_us,
            faulted_us=time.faulted_us,
            unobserved_us=time.unobserved_us,
            rounding_us=time.rounding_us,
        )
        found[time.model] = found.get(time.model, Hours()).plus(hours)
    for model in sold.keys() | pooled.keys():
        of_customers = Hours(
            sold_us=sold.get(model, 0),
            leased_us=pooled.get(model, 0),
            unsold_us=-sold.get(model, 0) - pooled.get(model, 0),
        )
        found[model] = found.get(model, Hours()).plus(of_customers)
    for row in rated.leases.rows:
        if unseen_us := _unseen(row, row.within(start_ms, until_ms), {(time.card, time.node) for time in times}):
            found[row.model] = found.get(row.model, Hours()).plus(Hours(leased_us=unseen_us))
    return found


def _unseen(row: LeaseRow, held: tuple[int, int] | None, seen: set[tuple[str, str]]) -> int:
    """Leased time of cards that nobody watches: a reserved machine needs no agent."""
    if held is None or not row.named:
        return 0
    watched = {card for card, node in seen if card in row.cards or node in row.nodes}
    return max(0, row.count - len(watched)) * (held[1] - held[0]) * MS_US


def _earned(
    row: LeaseRow, span_ms: tuple[int, int], timezone: str, taxes: TaxRules, card_times: CardTimes
) -> Iterator[Money]:
    """What a lease earned in a span: the pieces of its periods that lie in it, less credits for faulted time."""
    for each in row.periods(*span_ms, timezone):
        held = row.within(max(each.start_ms, span_ms[0]), min(each.end_ms, span_ms[1]))
        if held is None:
            continue
        earned = row.price_of(each, *held)
        if row.sla_ppm:
            lease = Leases([row])
            faulted = sum(
                time.faulted_us for time in card_times(*held) if lease.named_at(time.card, time.node, held[0])
            )
            earned = earned - row.sla_credit(each, faulted)
        rule = taxes.find(row.customer, row.model, each.start_ms)
        yield net_within(earned, rule.rate) if row.includes_tax and rule else earned
