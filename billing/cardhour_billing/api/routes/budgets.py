"""``/budgets``: what a customer wants to hear of before it is too late."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from django.db.models import QuerySet
from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from ninja import Field, Router, Schema
from pydantic import ConfigDict

from cardhour_billing.api.caller import ApiRequest, Key
from cardhour_billing.api.once import IdempotencyKey, once
from cardhour_billing.api.paging import LIMIT, Cursor, Limit, Paged, page_of
from cardhour_billing.api.problem import Problem
from cardhour_billing.api.words import PRINTABLE, CustomerKey, Id, answers
from cardhour_billing.budgets.budget import (
    EMAILS_MAX,
    PERCENT_MAX,
    THRESHOLDS_MAX,
    add_budget,
    change_budget,
    check_budget,
    remove_budget,
)
from cardhour_billing.budgets.view import standing_of_budgets
from cardhour_billing.models import Budget
from cardhour_billing.models.party import KEY_CHARS_MAX, NAME_CHARS_MAX
from cardhour_billing.money import Money, read_amount
from cardhour_contract.clock import SystemClock
from cardhour_contract.errors import Refuse

router = Router(tags=["budgets"])
READ, WRITE = Key("budgets:read"), Key("budgets:write")

Kind = Literal["spend", "balance"]
Amount = Annotated[str, Field(pattern=r"^\d{1,15}(\.\d{1,3})?$", description="Money, such as `6000.00`.")]
Thresholds = Annotated[
    list[Annotated[int, Field(ge=1, le=PERCENT_MAX)]], Field(min_length=1, max_length=THRESHOLDS_MAX)
]
Emails = Annotated[
    list[Annotated[str, Field(max_length=NAME_CHARS_MAX, pattern=r"^[^@\s,;<>\"]+@[^@\s,;<>\"]+\.[^@\s,;<>\"]+$")]],
    Field(max_length=EMAILS_MAX),
]


class BudgetItem(Schema):
    """An amount that a month's charges, without tax, should not exceed, or a balance should not fall below."""

    id: int
    kind: Kind
    project: str = Field(description="Only usage of this project; empty for every one.")
    model: str
    amount: str
    currency: str
    thresholds: list[int] = Field(description="Percent of `amount`, ascending. A balance has 100 alone.")
    emails: list[str]
    period: str = Field(description="The present month.")
    reached: str | None = Field(description="Spent in it, or available; null where nothing was put together yet.")
    said: list[int] = Field(description="Thresholds that were crossed in it.")


class Budgets(Paged):
    items: list[BudgetItem]


class NewBudget(Schema):
    """A budget to be."""

    model_config = ConfigDict(extra="forbid")
    kind: Kind = "spend"
    project: str = Field("", max_length=KEY_CHARS_MAX, pattern=PRINTABLE)
    model: str = Field("", max_length=NAME_CHARS_MAX, pattern=PRINTABLE)
    amount: Amount
    thresholds: Thresholds = Field(default=[80, 100])
    emails: Emails = Field(default=[])


class Change(Schema):
    """What is to be another; what is left out or null stays. What a budget is of stays: its alerts tell of that."""

    model_config = ConfigDict(extra="forbid")
    amount: Amount | None = None
    thresholds: Thresholds | None = None
    emails: Emails | None = None


@router.get("/budgets", auth=READ, response=answers(Budgets), operation_id="list_budgets", summary="Budgets")
def list_budgets(
    request: ApiRequest, customer: CustomerKey = "", limit: Limit = LIMIT, cursor: Cursor = ""
) -> dict[str, Any]:
    """Budgets with what the present month has come to, oldest first; it is looked at each hour."""
    found = page_of("budgets", _budgets(request, customer), _same, limit=limit, cursor=cursor, newest_first=False)
    return {**found, "items": _items(found["items"])}


@router.get(
    "/budgets/{budget_id}", auth=READ, response=answers(BudgetItem), operation_id="get_budget", summary="One budget"
)
def get_budget(request: ApiRequest, budget_id: Id, customer: CustomerKey = "") -> BudgetItem:
    """One budget."""
    return _item(get_object_or_404(_budgets(request, customer), pk=budget_id))


@router.post(
    "/budgets",
    auth=WRITE,
    response=answers(BudgetItem, status=201, also=(409, 413)),
    operation_id="add_budget",
    summary="Add a budget",
)
def create_budget(request: ApiRequest, body: NewBudget, idempotency_key: IdempotencyKey) -> HttpResponse:
    """A new budget, looked at within the hour. 409 where there are as many as there may be."""
    clock, customer = SystemClock(), request.auth.customer("")

    def act() -> BudgetItem:
        try:
            amount = read_amount(body.amount, customer.currency)
            check_budget(customer, amount, body.kind, body.project, body.model, body.thresholds, body.emails)
        except Refuse as error:
            raise Problem("invalid", " ".join(error.problems)) from error
        made = add_budget(
            customer, amount, kind=Budget.Kind(body.kind), project=body.project, model=body.model,
            thresholds=body.thresholds, emails=body.emails, clock=clock, who=request.auth.who,
        )  # fmt: skip
        return _item(made)

    return once(request, act, clock, status=201)


@router.patch(
    "/budgets/{budget_id}",
    auth=WRITE,
    response=answers(BudgetItem, also=(409, 413)),
    operation_id="change_budget",
    summary="Change a budget",
)
def patch_budget(request: ApiRequest, budget_id: Id, body: Change, idempotency_key: IdempotencyKey) -> HttpResponse:
    """Another amount, other thresholds or addresses. A threshold that was said this month is not said again."""
    clock = SystemClock()

    def act() -> BudgetItem:
        found = get_object_or_404(_budgets(request), pk=budget_id)
        before = Money(amount=found.amount, currency=found.currency)
        try:
            changed = change_budget(
                found,
                amount=before if body.amount is None else read_amount(body.amount, found.currency),
                thresholds=found.thresholds if body.thresholds is None else body.thresholds,
                emails=found.emails if body.emails is None else body.emails,
                clock=clock,
                who=request.auth.who,
            )
        except Refuse as error:
            raise Problem("invalid", " ".join(error.problems)) from error
        return _item(changed)

    return once(request, act, clock)


@router.delete(
    "/budgets/{budget_id}",
    auth=WRITE,
    response=answers(BudgetItem, also=(409,)),
    operation_id="remove_budget",
    summary="Remove a budget",
)
def delete_budget(request: ApiRequest, budget_id: Id, idempotency_key: IdempotencyKey) -> HttpResponse:
    """Look at it no more. The answer is the budget as it was; its alerts stay."""
    clock = SystemClock()

    def act() -> BudgetItem:
        found = get_object_or_404(_budgets(request), pk=budget_id)
        item = _item(found)
        remove_budget(found, clock=clock, who=request.auth.who)
        return item

    return once(request, act, clock)


def _budgets(request: ApiRequest, customer: str = "") -> QuerySet[Budget]:
    return Budget.objects.filter(customer=request.auth.customer(customer)).select_related("customer__issuer")


def _same(budget: Budget) -> Budget:
    return budget


def _item(budget: Budget) -> BudgetItem:
    return _items([budget])[0]


def _items(budgets: list[Budget]) -> list[BudgetItem]:
    return [
        BudgetItem.model_validate(
            {
                "id": each.budget.pk,
                "kind": each.budget.kind,
                "project": each.budget.project,
                "model": each.budget.model,
                "amount": str(Money(amount=each.budget.amount, currency=each.budget.currency)),
                "currency": each.budget.currency,
                "thresholds": each.budget.thresholds,
                "emails": each.budget.emails,
                "period": each.period,
                "reached": str(Money(amount=each.reached, currency=each.budget.currency)) if each.known else None,
                "said": list(each.said),
            }
        )
        for each in standing_of_budgets(budgets, SystemClock())
    ]
