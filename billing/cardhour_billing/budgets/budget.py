"""Budgets: set, removed, and looked at each hour; a threshold that is crossed is said once a month.

Owns what a budget is measured by and when it is crossed. Does not own the month's figures (``month_usage``) nor telling
(``mail``, ``customer_webhook``).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from django.db import transaction

from cardhour_billing.audit.log import audit
from cardhour_billing.models import Budget, BudgetAlert, Customer, ProvisionalCharge, UsageSnapshot
from cardhour_billing.money import Money
from cardhour_billing.month import local_day, month_of
from cardhour_billing.month_usage.content import MonthUsage, decode
from cardhour_billing.receivables.allocating import locked
from cardhour_billing.receivables.credit import prepaid_of
from cardhour_billing.sending.events import raise_event
from cardhour_contract.clock import Clock
from cardhour_contract.errors import Refuse

BUDGETS_MAX = 50
"""Budgets of one customer: each is looked at every hour."""
EMAILS_MAX = 10
PERCENT_MAX = 1_000
THRESHOLDS_MAX = 10

_EMAIL = re.compile(r"[^@\s,;<>\"]+@[^@\s,;<>\"]+\.[^@\s,;<>\"]+")


def add_budget(
    customer: Customer,
    amount: Money,
    *,
    kind: Budget.Kind = Budget.Kind.SPEND,
    project: str = "",
    model: str = "",
    thresholds: Sequence[int] = (80, 100),
    emails: Sequence[str] = (),
    clock: Clock,
    who: str,
) -> Budget:
    """A new budget. Raises Refuse with everything that is wrong with it."""
    check_budget(customer, amount, kind, project, model, thresholds, emails)
    with transaction.atomic():
        locked(customer)
        if Budget.objects.filter(customer=customer).count() >= BUDGETS_MAX:
            raise Refuse(f"{customer.key} has {BUDGETS_MAX} budgets already: remove one first")
        budget = Budget.objects.create(
            customer=customer, kind=kind, project=project, model=model, amount=amount.amount, currency=amount.currency,
            thresholds=[100] if kind == Budget.Kind.BALANCE else sorted(set(thresholds)), emails=list(emails),
            created_at_ms=clock.now_ms(), who=who,
        )  # fmt: skip
        audit(
            clock, who, "budget.add", customer.key, {"budget": budget.pk, "of": name_of(budget), "amount": str(amount)}
        )
    return budget


def check_budget(
    customer: Customer,
    amount: Money,
    kind: str,
    project: str,
    model: str,
    thresholds: Sequence[int],
    emails: Sequence[str],
) -> None:
    """Refuse what cannot be a budget, with everything that is wrong with it."""
    problems = list(_problems(customer, amount, kind, project, model, thresholds, emails))
    if problems:
        raise Refuse(*problems)


def change_budget(
    budget: Budget, *, amount: Money, thresholds: Sequence[int], emails: Sequence[str], clock: Clock, who: str
) -> Budget:
    """Another amount, other thresholds or addresses. What it is of stays: its alerts tell of that."""
    check_budget(budget.customer, amount, budget.kind, budget.project, budget.model, thresholds, emails)
    with transaction.atomic():
        locked(budget.customer)
        before = {"amount": str(Money(amount=budget.amount, currency=budget.currency)), "thresholds": budget.thresholds}
        budget.amount, budget.currency, budget.emails = amount.amount, amount.currency, list(emails)
        budget.thresholds = [100] if budget.kind == Budget.Kind.BALANCE else sorted(set(thresholds))
        budget.save(update_fields=["amount", "currency", "emails", "thresholds"])
        after = {"amount": str(amount), "thresholds": budget.thresholds}
        audit(clock, who, "budget.change", budget.customer.key, {"budget": budget.pk, "before": before, "after": after})
    return budget


def remove_budget(budget: Budget, *, clock: Clock, who: str) -> None:
    """It is looked at no more; what it said stays."""
    with transaction.atomic():
        audit(clock, who, "budget.remove", budget.customer.key, {"budget": budget.pk, "of": name_of(budget)})
        budget.delete()


def name_of(budget: Budget) -> str:
    """What it is of: ``everything``, ``project speech``, ``model H800``, ``balance``."""
    if budget.kind == Budget.Kind.BALANCE:
        return "balance"
    parts = [f"project {budget.project}"] if budget.project else []
    parts += [f"model {budget.model}"] if budget.model else []
    return ", ".join(parts) or "everything"


def spent_of(budget: Budget, usage: MonthUsage) -> int:
    """What of a month counts for it, in minor units."""
    if not budget.project and not budget.model:
        return usage.to_date
    cells = (
        cell.net for cell in usage.cells if budget.project in ("", cell.project) and budget.model in ("", cell.model)
    )
    # A charge is of no project.
    charges = (usage.charged(each) for each in usage.charges if not budget.project and each.model == budget.model)
    return sum(cells) + sum(charges)


def available_of(customer: Customer, currency: str) -> Money:
    """Money paid ahead, less what was used and not billed when it was looked at last."""
    last = ProvisionalCharge.objects.filter(customer=customer, currency=currency).order_by("-hour_ms").first()
    return prepaid_of(customer, currency) - Money(amount=last.unbilled if last else 0, currency=currency)


def look_at_budgets(clock: Clock) -> list[BudgetAlert]:
    """Every threshold that is crossed and was not said this month."""
    found: list[BudgetAlert] = []
    budgets = Budget.objects.select_related("customer__issuer").order_by("customer", "id")
    for customer, own in _by_customer(budgets):
        period = str(month_of(local_day(clock.now_ms(), customer.timezone)))
        kept = UsageSnapshot.objects.filter(customer=customer, period=period).first()
        usage = decode(bytes(kept.content)) if kept else None
        for budget in own:
            found += _crossed(budget, usage, period, clock)
    return found


def _crossed(budget: Budget, usage: MonthUsage | None, period: str, clock: Clock) -> Iterable[BudgetAlert]:
    if budget.kind == Budget.Kind.BALANCE:
        available = available_of(budget.customer, budget.currency).amount
        crossed, reached = ([100] if available < budget.amount else []), available
    elif usage is None or usage.currency != budget.currency:
        return
    else:
        reached = spent_of(budget, usage)
        crossed = [percent for percent in budget.thresholds if reached * 100 >= budget.amount * percent]
    said = set(BudgetAlert.objects.filter(budget=budget.pk, period=period).values_list("threshold", flat=True))
    for percent in crossed:
        if percent not in said:
            alert = _say(budget, percent, reached, period, clock)
            if alert is not None:
                yield alert


def _say(budget: Budget, percent: int, reached: int, period: str, clock: Clock) -> BudgetAlert | None:
    with transaction.atomic():
        customer = locked(budget.customer)  # of two that look at the same moment, the second finds it said
        if BudgetAlert.objects.filter(budget=budget.pk, period=period, threshold=percent).exists():
            return None
        detail = {
            "budget": budget.pk,
            "of": name_of(budget),
            "period": period,
            "threshold_percent": percent,
            "amount": str(Money(amount=budget.amount, currency=budget.currency)),
            "reached": str(Money(amount=reached, currency=budget.currency)),
            "currency": budget.currency,
        }
        kind = "budget.balance" if budget.kind == Budget.Kind.BALANCE else "budget.threshold"
        event = raise_event(customer, f"budget {budget.pk}", kind, detail, clock)
        return BudgetAlert.objects.create(
            customer=customer, budget=budget.pk, period=period, threshold=percent, name=name_of(budget),
            reached=reached, amount=budget.amount, currency=budget.currency, emails=budget.emails, event=event,
            at_ms=clock.now_ms(),
        )  # fmt: skip


def _by_customer(budgets: Iterable[Budget]) -> Iterable[tuple[Customer, list[Budget]]]:
    groups: dict[int, list[Budget]] = {}
    for each in budgets:
        groups.setdefault(each.customer_id, []).append(each)
    return [(own[0].customer, own) for own in groups.values()]


def _problems(
    customer: Customer,
    amount: Money,
    kind: str,
    project: str,
    model: str,
    thresholds: Sequence[int],
    emails: Sequence[str],
) -> Iterable[str]:
    if amount.currency != customer.currency:
        yield f"amount: {customer.key} is billed in {customer.currency}, not in {amount.currency}"
    if amount.amount <= 0:
        yield "amount: a budget is above zero"
    if kind == Budget.Kind.BALANCE and (project or model):
        yield "a balance is of no project and no model"
    if project and not customer.projects.filter(key=project).exists():
        known = ", ".join(customer.projects.values_list("key", flat=True)) or "none"
        yield f"project: {customer.key} has no project '{project}'; it has {known}"
    if not thresholds or len(thresholds) > THRESHOLDS_MAX or not all(1 <= each <= PERCENT_MAX for each in thresholds):
        yield f"thresholds: 1 to {THRESHOLDS_MAX} whole percentages from 1 to {PERCENT_MAX}, such as 80 and 100"
    if len(emails) > EMAILS_MAX:
        yield f"emails: at most {EMAILS_MAX}"
    yield from (
        f"emails: '{each}' is no address such as ada@example.com" for each in emails if not _EMAIL.fullmatch(each)
    )
