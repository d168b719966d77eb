"""A payment as its form has it: what it says, and what it would settle. Recording itself is ``payments``'."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

from django.db import transaction
from msgspec import Struct

from cardhour_billing.figures import grouped
from cardhour_billing.models import Invoice, Payment
from cardhour_billing.money import Money, read_amount
from cardhour_billing.receivables.allocating import Part, allocate, left_of, oldest_first, open_of, parts_of
from cardhour_billing.receivables.payments import Receipt, record
from cardhour_billing.rehearsal import rehearsed
from cardhour_contract.clock import Clock
from cardhour_contract.errors import Refuse


class Settles(Struct, frozen=True, kw_only=True):
    """What a payment does: grouped amounts. ``parts`` are invoices with what is paid of each, and open after."""

    received: str
    settles: str
    parts: tuple[tuple[str, str, str], ...]
    left: str
    """What stays with the customer; empty where nothing does."""


class Order(Struct, frozen=True, kw_only=True):
    """A filled-in form."""

    receipt: Receipt
    oldest: bool
    """Whether what this invoice leaves pays the customer's other invoices."""


def read_day(form: Mapping[str, str]) -> date:
    """The field ``day``."""
    try:
        return date.fromisoformat(form.get("day", "").strip())
    except ValueError as error:
        raise Refuse("day: not a day such as 2026-11-03") from error


def read(invoice: Invoice, form: Mapping[str, str]) -> Order:
    """The form. Refuses what cannot be read, field by field."""
    currency = invoice.currency

    def amount(name: str) -> Money:
        try:
            return read_amount(form.get(name, "").strip() or "0", currency)
        except Refuse as error:
            raise Refuse(f"{name.replace('_', '-')}: {error}") from error

    return Order(
        receipt=Receipt(
            customer=invoice.customer,
            amount=amount("amount"),
            day=read_day(form),
            reference=form.get("reference", "").strip(),
            fee=amount("fee"),
            write_off=amount("write_off"),
            note=form.get("note", "").strip(),
        ),
        oldest=form.get("oldest") == "yes",
    )


def preview(invoice: Invoice, order: Order, *, write_off_max: int, clock: Clock, who: str) -> Settles:
    """What ``pay`` would do, done and taken back."""
    return rehearsed(
        lambda: pay(invoice, order, write_off_max=write_off_max, clock=clock, who=who),
        lambda payment: _settles(payment, order),
    )


def pay(invoice: Invoice, order: Order, *, write_off_max: int, clock: Clock, who: str) -> Payment:
    """Record the payment and use it for this invoice first. Its reference makes that happen once."""
    with transaction.atomic():
        payment = record(order.receipt, write_off_max=write_off_max, clock=clock, who=who)
        amount = min(left_of(payment).amount, open_of(invoice).amount)
        if amount > 0:
            part = Part(invoice=invoice, amount=Money(amount=amount, currency=invoice.currency))
            allocate(payment, [part], clock=clock, who=who)
        if order.oldest and left_of(payment).amount:
            allocate(payment, oldest_first(payment), clock=clock, who=who)
        return payment


def _settles(payment: Payment, order: Order) -> Settles:
    left = left_of(payment)
    return Settles(
        received=grouped(str(order.receipt.amount)),
        settles=grouped(str(order.receipt.settles)),
        parts=tuple(
            (str(part.invoice.number), grouped(str(part.amount)), grouped(str(open_of(part.invoice))))
            for part in parts_of(payment)
        ),
        left=grouped(str(left)) if left.amount else "",
    )
