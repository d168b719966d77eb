"""``cardhour budget``: what customers want to hear of before it is too late."""

from __future__ import annotations

import click

from cardhour_billing.store import answering, open_store
from cardhour_billing.table import format_option, print_rows

COLUMNS = ("budget", "customer", "of", "amount", "currency", "spent", "thresholds", "said", "emails")


@click.group()
def budget() -> None:
    """Budgets of customers, looked at each hour by the scheduler."""


@budget.command()
@click.argument("customer")
@click.argument("amount")
@click.option("--project", default="", metavar="ID", help="Only usage of this project.")
@click.option("--model", default="", metavar="NAME", help="Only this model.")
@click.option("--balance", is_flag=True, help="Say when less than AMOUNT is left of what was paid ahead.")
@click.option("--threshold", type=int, multiple=True, metavar="PERCENT", help="Say it there. [default: 80 and 100]")
@click.option("--email", multiple=True, metavar="ADDRESS", help="Who is written to. May be repeated.")
def add(
    customer: str,
    amount: str,
    project: str,
    model: str,
    balance: bool,
    threshold: tuple[int, ...],
    email: tuple[str, ...],
) -> None:
    """Say when a month's charges of CUSTOMER, without tax, reach parts of AMOUNT.

    Each threshold is said once a month: to the addresses, and to the customer's webhook.
    """
    open_store()
    from cardhour_billing.audit.log import login_name
    from cardhour_billing.budgets.budget import add_budget, name_of
    from cardhour_billing.models import Budget
    from cardhour_billing.money import read_amount
    from cardhour_billing.receivables.credit import customer_of
    from cardhour_contract.clock import SystemClock

    with answering():
        owner = customer_of(customer)
        made = add_budget(
            owner, read_amount(amount, owner.currency),
            kind=Budget.Kind.BALANCE if balance else Budget.Kind.SPEND, project=project, model=model,
            thresholds=threshold or (80, 100), emails=email, clock=SystemClock(), who=login_name(),
        )  # fmt: skip
    click.echo(f"Budget {made.pk} of {customer}: {name_of(made)}, {amount} {owner.currency}.")


@budget.command("list")
@click.option("--customer", metavar="ID", default="", help="Only this customer's.")
@format_option
def list_(customer: str, form: str) -> None:
    """Budgets with what was spent this month, as it was looked at last."""
    open_store()
    from cardhour_billing.budgets.budget import name_of
    from cardhour_billing.budgets.view import standing_of_budgets
    from cardhour_billing.models import Budget
    from cardhour_billing.money import Money
    from cardhour_contract.clock import SystemClock

    with answering():
        budgets = Budget.objects.select_related("customer").order_by("customer__key", "id")
        found = standing_of_budgets(budgets.filter(customer__key=customer) if customer else budgets, SystemClock())
        rows = [
            {
                "budget": each.budget.pk,
                "customer": each.budget.customer.key,
                "of": name_of(each.budget),
                "amount": str(Money(amount=each.budget.amount, currency=each.budget.currency)),
                "currency": each.budget.currency,
                "spent": str(Money(amount=each.reached, currency=each.budget.currency)) if each.known else None,
                "thresholds": ", ".join(map(str, each.budget.thresholds)),
                "said": ", ".join(map(str, each.said)) or None,
                "emails": ", ".join(each.budget.emails) or None,
            }
            for each in found
        ]
    print_rows(rows, form, columns=COLUMNS)


@budget.command()
@click.argument("number", type=int)
def remove(number: int) -> None:
    """Look at budget NUMBER no more. What it said stays."""
    open_store()
    from cardhour_billing.audit.log import login_name
    from cardhour_billing.budgets.budget import remove_budget
    from cardhour_billing.models import Budget
    from cardhour_contract.clock import SystemClock
    from cardhour_contract.errors import Refuse

    with answering():
        found = Budget.objects.select_related("customer").filter(pk=number).first()
        if found is None:
            raise Refuse(f"there is no budget {number}: cardhour budget list shows those there are")
        remove_budget(found, clock=SystemClock(), who=login_name())
    click.echo(f"Removed budget {number}.")
