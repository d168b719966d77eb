"""``cardhour payment``: money received, what it pays, and money given back."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from cardhour_billing.commands.asking import asked
from cardhour_billing.figures import grouped
from cardhour_billing.store import answering, open_store
from cardhour_billing.table import format_option, notes, print_rows
from cardhour_contract.errors import Refuse

if TYPE_CHECKING:
    from cardhour_billing.models import Payment
    from cardhour_billing.money import Money
    from cardhour_billing.receivables.allocating import Part, Source
    from cardhour_contract.clock import Clock

    Paid = tuple[Source, list[tuple[Part, Money]]]
    """A source, and each part with what was open of its invoice before."""

COLUMNS = (
    "payment", "customer", "day", "kind", "reference", "currency", "amount", "fee", "write_off", "left", "of", "pays",
)  # fmt: skip
FIGURES = ("amount", "fee", "write_off", "left")
PART_COLUMNS = ("invoice", "due_date", "open", "amount", "open_after")

day_option = click.option(
    "--day", metavar="YYYY-MM-DD", type=click.DateTime(["%Y-%m-%d"]), required=True, help="Value date."
)
yes_option = click.option("--yes", is_flag=True, help="Do it without asking.")


@click.group()
def payment() -> None:
    """Money received: recorded, used for invoices, reversed, paid back."""


@payment.command("list")
@click.option("--customer", metavar="ID", default="", help="Only this customer.")
@click.option("--unallocated", is_flag=True, help="Only money that is not used up.")
@format_option
def list_(customer: str, unallocated: bool, form: str) -> None:
    """Money received and given back, by day, with what is left of it and what it pays."""
    open_store()
    from cardhour_billing.models import Payment

    with answering():
        found = Payment.objects.select_related("customer", "of", "of_credit").order_by("day", "id")
        found = found.filter(customer__key=customer) if customer else found
        rows = [_row(each) for each in found]
    if unallocated:
        rows = [row for row in rows if row["left"] and row["left"].strip("0.")]
    _print(rows, form)


@payment.command()
@click.argument("customer", metavar="CUSTOMER")
@click.argument("amount", metavar="AMOUNT")
@click.option("--reference", metavar="TEXT", required=True, help="What the bank's statement calls it; recorded once.")
@day_option
@click.option("--currency", metavar="CODE", default="", help="Of the money; the customer's.")
@click.option("--fee", metavar="AMOUNT", default="0", help="What banks kept on the way.")
@click.option("--write-off", metavar="AMOUNT", default="0", help="What is let go; at most write_off_max.")
@click.option("--invoice", "invoices", metavar="NUMBER[=AMOUNT]", multiple=True, help="Pay this. May be repeated.")
@click.option("--oldest", is_flag=True, help="Pay the oldest unpaid invoices first, as far as it goes.")
@click.option("--note", metavar="TEXT", default="", help="Kept with it.")
@yes_option
@format_option
def record(
    customer: str, amount: str, reference: str, day: datetime.datetime, currency: str, fee: str, write_off: str,
    invoices: Sequence[str], oldest: bool, note: str, yes: bool, form: str,
) -> None:  # fmt: skip
    """Record AMOUNT received from CUSTOMER, and use it for invoices.

    Shows what it would pay, then asks. What is not used stays with the customer.
    """
    if oldest and invoices:
        raise click.UsageError("give either --invoice or --oldest")
    config = open_store()
    from django.db import transaction

    from cardhour_billing.audit.log import login_name
    from cardhour_billing.money import read_amount
    from cardhour_billing.receivables.credit import customer_of
    from cardhour_billing.receivables.payments import Receipt
    from cardhour_billing.receivables.payments import record as keep
    from cardhour_contract.clock import SystemClock

    clock, who = SystemClock(), login_name()

    def pay(receipt: Receipt) -> tuple[Payment, Paid]:
        with transaction.atomic():
            kept = keep(receipt, write_off_max=config.billing.write_off_max, clock=clock, who=who)
            return kept, _use(kept, invoices, oldest, clock, who)

    with answering():
        payer = customer_of(customer)
        code = currency or payer.currency
        receipt = Receipt(
            customer=payer, amount=read_amount(amount, code), day=day.date(), reference=reference,
            fee=read_amount(fee, code), write_off=read_amount(write_off, code), note=note,
        )  # fmt: skip
        kept, _ = asked(lambda: pay(receipt), lambda done: _show("the payment", done[1], form), "Record it?", yes=yes)
    notes().print(f"Recorded as {kept.code}.")
    _print([_row(kept)], form)


@payment.command()
@click.argument("source", metavar="PAYMENT")
@click.argument("invoices", metavar="NUMBER[=AMOUNT]...", nargs=-1)
@click.option("--oldest", is_flag=True, help="Pay the oldest unpaid invoices first, as far as it goes.")
@yes_option
@format_option
def allocate(source: str, invoices: Sequence[str], oldest: bool, yes: bool, form: str) -> None:
    """Use money for invoices: PAYMENT is one of ``cardhour payment list``, or a credit note's number.

    Without an amount, as much as is open. A negative amount takes money back, so that it can pay something else.
    """
    if oldest == bool(invoices):
        raise click.UsageError("name the invoices to pay, or give --oldest")
    open_store()
    from cardhour_billing.audit.log import login_name
    from cardhour_billing.receivables.payments import find_source
    from cardhour_contract.clock import SystemClock

    with answering():
        money = find_source(source)
        asked(
            lambda: _use(money, invoices, oldest, SystemClock(), login_name()),
            lambda paid: _show(source, paid, form),
            "Use it so?",
            yes=yes,
        )


@payment.command()
@click.argument("code", metavar="PAYMENT")
@day_option
@click.option("--reason", metavar="TEXT", required=True, help="Why: it is kept.")
@yes_option
@format_option
def reverse(code: str, day: datetime.datetime, reason: str, yes: bool, form: str) -> None:
    """The whole of PAYMENT came to nothing: it bounced, or was recorded by mistake. What it paid is open again."""
    open_store()
    from cardhour_billing.audit.log import login_name
    from cardhour_billing.receivables.allocating import parts_of
    from cardhour_billing.receivables.payments import find_payment
    from cardhour_billing.receivables.payments import reverse as take_back
    from cardhour_contract.clock import SystemClock

    with answering():
        found = find_payment(code)
        freed = ", ".join(f"{part.amount} of {part.invoice.number}" for part in parts_of(found)) or "nothing"
        reversal = asked(
            lambda: take_back(found, day=day.date(), reason=reason, clock=SystemClock(), who=login_name()),
            lambda _: notes().print(f"{found.code} of {found.customer.key} is reversed; open again: {freed}."),
            "Reverse it?",
            yes=yes,
        )
    _print([_row(reversal)], form)


@payment.command()
@click.argument("source", metavar="PAYMENT")
@click.argument("amount", metavar="AMOUNT")
@click.option("--reference", metavar="TEXT", required=True, help="Of the transfer that pays it back.")
@day_option
@click.option("--note", metavar="TEXT", default="", help="Kept with it.")
@yes_option
@format_option
def refund(source: str, amount: str, reference: str, day: datetime.datetime, note: str, yes: bool, form: str) -> None:
    """AMOUNT of PAYMENT (or of a credit note) that pays no invoice was paid back to the customer."""
    open_store()
    from cardhour_billing.audit.log import login_name
    from cardhour_billing.money import read_amount
    from cardhour_billing.receivables.payments import find_source
    from cardhour_billing.receivables.payments import refund as pay_back
    from cardhour_contract.clock import SystemClock

    with answering():
        money = find_source(source)
        given = read_amount(amount, money.currency)
        back = asked(
            lambda: pay_back(
                money, given, day=day.date(), reference=reference, note=note, clock=SystemClock(), who=login_name()
            ),
            lambda _: notes().print(f"{given} {money.currency} of {source} goes back to {money.customer.key}."),
            "Record the refund?",
            yes=yes,
        )
    _print([_row(back)], form)


def _use(source: Source, invoices: Sequence[str], oldest: bool, clock: Clock, who: str) -> Paid:
    """Pay what was asked for; what the source then is, and the parts with what was open before."""
    from django.db import transaction

    from cardhour_billing.receivables.allocating import allocate as use
    from cardhour_billing.receivables.allocating import oldest_first, open_of

    with transaction.atomic():
        parts = oldest_first(source) if oldest else _parts(source, invoices)
        before = [(part, open_of(part.invoice)) for part in parts]
        use(source, parts, clock=clock, who=who)
    return source, before


def _parts(source: Source, wanted: Sequence[str]) -> tuple[Part, ...]:
    """``NUMBER`` or ``NUMBER=AMOUNT`` of each, as parts; without an amount as much as is open and left."""
    from cardhour_billing.documents.invoice_files import find_invoice
    from cardhour_billing.money import read_amount
    from cardhour_billing.receivables.allocating import Part, left_of, open_of

    left, parts = left_of(source), list[Part]()
    for each in wanted:
        number, given, text = each.partition("=")
        invoice = find_invoice(number)
        part = read_amount(text, source.currency) if given else min(left, open_of(invoice), key=lambda it: it.amount)
        left = left - part
        parts.append(Part(invoice=invoice, amount=part))
    if len({part.invoice.pk for part in parts}) < len(parts):
        raise Refuse("an invoice is named twice")
    return tuple(parts)


def _show(name: str, paid: Paid, form: str) -> None:
    """What is paid, and what stays unused."""
    from cardhour_billing.receivables.allocating import left_of

    source, parts = paid
    if form == "table" and parts:
        rows = [
            {
                "invoice": part.invoice.number,
                "due_date": part.invoice.due_date and part.invoice.due_date.isoformat(),
                "open": grouped(str(before)),
                "amount": grouped(str(part.amount)),
                "open_after": grouped(str(before - part.amount)),
            }
            for part, before in parts
        ]
        print_rows(rows, "table", columns=PART_COLUMNS, right=("open", "amount", "open_after"))
    left = left_of(source)
    notes().print(f"{grouped(str(left))} {left.currency} of {name} stays unused.")


def _row(payment: Payment) -> dict[str, Any]:
    from cardhour_billing.money import Money
    from cardhour_billing.receivables.allocating import left_of, parts_of

    def text(amount: int) -> str:
        return str(Money(amount=amount, currency=payment.currency))

    came_in = payment.kind == "receipt"
    return {
        "payment": payment.code,
        "customer": payment.customer.key,
        "day": payment.day.isoformat(),
        "kind": payment.kind,
        "reference": payment.reference,
        "currency": payment.currency,
        "amount": text(payment.amount),
        "fee": text(payment.fee),
        "write_off": text(payment.write_off),
        "left": str(left_of(payment)) if came_in else None,
        "of": payment.of.code if payment.of else payment.of_credit and payment.of_credit.number,
        "pays": {str(part.invoice.number): str(part.amount) for part in parts_of(payment)} if came_in else {},
    }


def _print(rows: list[dict[str, Any]], form: str) -> None:
    if form != "json":
        figures = dict.fromkeys(FIGURES, grouped if form == "table" else str)
        rows = [
            {
                **row,
                **{name: row[name] and write(row[name]) for name, write in figures.items()},
                "pays": " ".join(f"{number}={amount}" for number, amount in row["pays"].items()) or None,
            }
            for row in rows
        ]
    print_rows(rows, form, columns=COLUMNS, right=FIGURES)
