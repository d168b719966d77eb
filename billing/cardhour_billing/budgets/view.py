"""How budgets stand: what a month has come to, and which thresholds were said. Owns reading."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from cardhour_billing.budgets.budget import available_of, spent_of
from cardhour_billing.models import Budget, BudgetAlert, UsageSnapshot
from cardhour_billing.month import local_day, month_of
from cardhour_billing.month_usage.content import MonthUsage, decode
from cardhour_contract.clock import Clock


class Standing(Struct, frozen=True, kw_only=True):
    """A budget in the present month. ``known`` is false where no usage of it was put together yet."""

    budget: Budget
    period: str
    reached: int
    """Minor units spent, or available."""
    known: bool
    said: tuple[int, ...]
    """Thresholds that were crossed this month."""


def standing_of_budgets(budgets: Iterable[Budget], clock: Clock) -> list[Standing]:
    """Each budget with what it has come to by the last look."""
    rows = list(budgets)
    months: dict[int, MonthUsage | None] = {}
    said: dict[tuple[int, str], list[int]] = {}
    alerts = BudgetAlert.objects.filter(budget__in=[each.pk for each in rows]).order_by("threshold")
    for budget, period, threshold in alerts.values_list("budget", "period", "threshold"):
        said.setdefault((budget, period), []).append(threshold)
    found = []
    for each in rows:
        period = str(month_of(local_day(clock.now_ms(), each.customer.timezone)))
        if each.customer_id not in months:
            kept = UsageSnapshot.objects.filter(customer=each.customer_id, period=period).first()
            months[each.customer_id] = decode(bytes(kept.content)) if kept else None
        usage = months[each.customer_id]
        if each.kind == Budget.Kind.BALANCE:
            reached, known = available_of(each.customer, each.currency).amount, True
        else:
            reached, known = (spent_of(each, usage), True) if usage else (0, False)
        found.append(
            Standing(
                budget=each, period=period, reached=reached, known=known, said=tuple(said.get((each.pk, period), ()))
            )
        )
    return found
