"""``cardhour credit``: what customers have paid ahead, and what they were granted."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from cardhour_billing.figures import grouped
from cardhour_billing.store import answering, open_store
from cardhour_billing.table import format_option, notes, print_rows
from cardhour_contract.moment import format_rfc3339

if TYPE_CHECKING:
    from cardhour_billing.models import CreditGrant, Customer
    from cardhour_billing.money import Money

F = TypeVar("F", bound=Callable[..., Any])

CATEGORIES = ("everything", "usage", "lease", "add-on", "commitment")
BALANCE_COLUMNS = (
    "customer", "account", "currency", "balance", "unbilled", "available", "pays_for", "priority", "expires_at",
    "reason",
)  # fmt: skip
LIST_COLUMNS = ("at", "kind", "account", "currency", "amount", "balance", "reference", "who")


def _subject(command: F) -> F:
    """CUSTOMER and AMOUNT, with the currency it is in and whether to ask."""
    for decorate in (
        click.argument("customer", metavar="CUSTOMER"),
        click.argument("amount", metavar="AMOUNT"),
        click.option("--currency", metavar="CODE", default="", help="ISO 4217 code; the customer's own currency."),
        click.option("--yes", is_flag=True, help="Do it without asking."),
    )[::-1]:
        command = decorate(command)
    return command


@click.group()
def credit() -> None:
    """What customers have paid ahead, and what they were granted."""


@credit.command("top-up")
@_subject
@click.option("--reference", required=True, help="The bank's reference: one that was entered before is refused.")
def top_up(customer: str, amount: str, currency: str, yes: bool, reference: str) -> None:
    """Record money that CUSTOMER paid ahead.

    It pays invoices after tax, as they are issued; what is left is refundable.
    """
    _prepaid(customer, amount, currency, yes, reference, refunding=False)


@credit.command()
@_subject
@click.option("--reference", required=True, help="The bank's reference of the transfer back.")
def refund(customer: str, amount: str, currency: str, yes: bool, reference: str) -> None:
    """Record prepaid money given back to CUSTOMER. Grants are not refundable."""
    _prepaid(customer, amount, currency, yes, reference, refunding=True)


def _prepaid(customer: str, amount: str, currency: str, yes: bool, reference: str, *, refunding: bool) -> None:
    open_store()
    from cardhour_billing.audit.log import login_name
    from cardhour_billing.prepaid.level import look
    from cardhour_billing.receivables import credit as credits
    from cardhour_contract.clock import SystemClock

    with answering():
        whom, money = _parties(customer, amount, currency)
        before = credits.prepaid_of(whom, money.currency)
        after = before - money if refunding else before + money
        verb, book = ("Refund", credits.refund) if refunding else ("Top up", credits.top_up)
        if not yes:
            notes().print(f"{verb} {customer}: {_text(money)}, reference {reference}.")
            notes().print(f"Prepaid balance {_text(before)}, then {_text(after)}.")
            click.confirm("Record it?", abort=True, err=True)
        book(whom, money, reference, clock=SystemClock(), who=login_name())
        crossed = look(whom, SystemClock())
        left = credits.prepaid_of(whom, money.currency)
    notes().print(f"Recorded. {customer} has {_text(left)} prepaid.")
    if crossed:
        notes().print(f"Event {crossed.pk}: {crossed.kind}, {crossed.detail['available']} {money.currency} available.")


@credit.command()
@_subject
@click.option("--reason", required=True, help="Why: it is kept, and printed on the invoices that it pays for.")
@click.option(
    "--category",
    type=click.Choice(CATEGORIES),
    default="everything",
    show_default=True,
    help="Which lines of an invoice it pays for.",
)
@click.option("--model", default="", help="Only lines of this model; a * at the end means every model that begins so.")
@click.option("--priority", type=click.IntRange(0, 1_000_000), default=100, show_default=True, help="Lower goes first.")
@click.option("--from", "from_", metavar="T", default="", help="First instant, RFC 3339 with offset; now.")
@click.option("--expires", metavar="T", default="", help="First instant at which it is over, likewise; never.")
def grant(
    customer: str,
    amount: str,
    currency: str,
    yes: bool,
    reason: str,
    category: str,
    model: str,
    priority: int,
    from_: str,
    expires: str,
) -> None:
    """Grant CUSTOMER an allowance. It lowers invoices before tax, and is not refundable."""
    open_store()
    from cardhour_billing.audit.log import login_name
    from cardhour_billing.receivables import credit as credits
    from cardhour_contract.clock import SystemClock
    from cardhour_contract.moment import parse_rfc3339

    clock = SystemClock()
    with answering():
        whom, money = _parties(customer, amount, currency)
        terms = credits.GrantTerms(
            reason=reason,
            category=category,
            model=model,
            priority=priority,
            from_ms=parse_rfc3339(from_) if from_ else clock.now_ms(),
            expires_at_ms=parse_rfc3339(expires) if expires else None,
        )
        if not yes:
            until = f"until {expires}" if expires else "without end"
            notes().print(f"Grant {customer} {_text(money)} for {_pays_for(category, model)}, {until}: {reason}.")
            click.confirm("Record it?", abort=True, err=True)
        granted = credits.grant(whom, money, terms, clock=clock, who=login_name())
    notes().print(f"Recorded as grant {granted.pk}.")


@credit.command()
@click.argument("grants", metavar="[GRANT]...", nargs=-1, type=int)
@click.option("--yes", is_flag=True, help="Expire without asking.")
@format_option
def expire(grants: tuple[int, ...], yes: bool, form: str) -> None:
    """Take back what is left of grants whose time is over; or of each GRANT, whatever its time.

    The scheduler does the former by itself.
    """
    open_store()
    from cardhour_billing.audit.log import login_name
    from cardhour_billing.receivables import credit as credits
    from cardhour_contract.clock import SystemClock

    clock, who = SystemClock(), login_name()
    with answering():
        found = _grants(grants) if grants else credits.expired(clock.now_ms())
        rows = [_grant_row(each, each.account.balance) for each in found if each.account.balance]
        if not rows:
            notes().print("Nothing to expire.")
            return
        print_rows(rows, form, columns=BALANCE_COLUMNS, right=("balance",))
        if not yes:
            click.confirm(f"Take back what is left of {len(rows)} grants?", abort=True, err=True)
        for each in found:
            credits.expire(each, clock=clock, who=who)
    notes().print(f"Expired {len(rows)} grants.")


@credit.command()
@click.argument("customer", metavar="[CUSTOMER]", default="")
@format_option
def balance(customer: str, form: str) -> None:
    """What customers have: prepaid, then their grants in the order in which they are spent.

    For customers who are billed ahead, also what they have used since their last invoice, as of the last hour.
    """
    open_store()
    from cardhour_billing.models import Customer
    from cardhour_billing.receivables.credit import customer_of
    from cardhour_billing.receivables.credit_view import holdings, unbilled_of

    with answering():
        whom = [customer_of(customer)] if customer else list(Customer.objects.all())
        rows = [
            _grant_row(each.grant, each.balance.amount)
            if each.grant
            else {
                "customer": each.customer.key,
                "account": "prepaid",
                "currency": each.balance.currency,
                "balance": str(each.balance),
                "unbilled": str(unbilled_of(each)) if each.customer.prepaid else None,
                "available": str(each.balance - unbilled_of(each)) if each.customer.prepaid else None,
            }
            for each in holdings(whom)
        ]
    rows = [{name: row.get(name) for name in BALANCE_COLUMNS} for row in rows]
    print_rows(rows, form, columns=BALANCE_COLUMNS, right=("balance", "unbilled", "available"))


@credit.command("list")
@click.argument("customer", metavar="CUSTOMER")
@format_option
def list_(customer: str, form: str) -> None:
    """Every entry in CUSTOMER's credit, oldest first, with the balance after it."""
    open_store()
    from cardhour_billing.receivables.credit import customer_of
    from cardhour_billing.receivables.credit_view import bookings

    with answering():
        rows = [
            {
                "at": format_rfc3339(each.entry.at_ms),
                "kind": each.entry.kind,
                "account": f"grant {each.account.grant_id}" if each.account.grant_id else "prepaid",
                "currency": each.amount.currency,
                "amount": str(each.amount),
                "balance": str(each.balance),
                "reference": each.entry.reference,
                "who": each.entry.who,
            }
            for each in bookings(customer_of(customer))
        ]
    print_rows(rows, form, columns=LIST_COLUMNS, right=("amount", "balance"))


def _parties(customer: str, amount: str, currency: str) -> tuple[Customer, Money]:
    from cardhour_billing.money import read_amount
    from cardhour_billing.receivables.credit import customer_of

    whom = customer_of(customer)
    return whom, read_amount(amount, currency or whom.currency)


def _grants(numbers: tuple[int, ...]) -> list[CreditGrant]:
    from cardhour_billing.models import CreditGrant
    from cardhour_contract.errors import Refuse

    found = {each.pk: each for each in CreditGrant.objects.filter(pk__in=numbers).select_related("account", "customer")}
    missing = [str(number) for number in numbers if number not in found]
    if missing:
        raise Refuse(f"there is no grant {', '.join(missing)}: cardhour credit balance shows those there are")
    return [found[number] for number in numbers]


def _grant_row(grant: CreditGrant, balance: int) -> dict[str, Any]:
    from cardhour_billing.money import Money

    return {
        "customer": grant.customer.key,
        "account": f"grant {grant.pk}",
        "currency": grant.currency,
        "balance": str(Money(amount=balance, currency=grant.currency)),
        "pays_for": _pays_for(grant.category, grant.model),
        "priority": grant.priority,
        "expires_at": format_rfc3339(grant.expires_at_ms) if grant.expires_at_ms is not None else None,
        "reason": grant.reason,
    }


def _pays_for(category: str, model: str) -> str:
    return f"{category} of {model}" if model else category


def _text(money: Money) -> str:
    return f"{grouped(str(money))} {money.currency}"
