"""Dunning: which overdue invoices a customer is to be reminded of, at which level, and in which words.

Owns when a level is due, one message for each customer and language, and the record of what was sent. Does not own
sending: ``due_messages`` yields messages, whoever sends them calls ``record_sent`` afterwards. A level is reminded of
once; where several have passed, only the highest is. What was sent is a fact, insert-only.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date

from django.db import transaction
from django.db.models import Max, Q
from msgspec import Struct

from cardhour_billing.audit.log import audit
from cardhour_billing.dunning.text import body, subject
from cardhour_billing.models import Customer, Invoice, Reminder
from cardhour_billing.money import Money
from cardhour_billing.receivables.standing import standing, with_standing
from cardhour_contract.clock import Clock
from cardhour_contract.errors import Refuse


class DueReminder(Struct, frozen=True, kw_only=True):
    """An invoice that a reminder is due for."""

    invoice: Invoice
    level: int
    """From 1."""
    days_overdue: int
    left: Money


class Message(Struct, frozen=True, kw_only=True):
    """What a customer is to be sent: everything of one currency that is due, at the highest level of it."""

    customer: Customer
    language: str
    level: int
    subject: str
    text: str
    reminders: tuple[DueReminder, ...]


def due_reminders(day: date, levels: Sequence[int], customer: str = "") -> list[DueReminder]:
    """Overdue invoices whose level has grown since they were last reminded of. ``levels``: days after the due date."""
    overdue = with_standing(Invoice.objects.filter(state=Invoice.State.ISSUED, total__gt=0, due_date__lt=day))
    overdue = overdue.annotate(reminded=Max("reminders__level")).select_related("customer", "issuer")
    overdue = overdue.filter(Q(voided=False)).order_by("customer__key", "currency", "due_date", "pk")
    found = []
    for invoice in overdue.filter(customer__key=customer) if customer else overdue:
        stands = standing(invoice, day)
        level = sum(1 for days in levels if stands.days_overdue >= days)
        if stands.left.amount and level > (invoice.reminded or 0):
            found.append(DueReminder(invoice=invoice, level=level, days_overdue=stands.days_overdue, left=stands.left))
    return found


def due_messages(day: date, levels: Sequence[int], customer: str = "") -> Iterator[Message]:
    """One message for each customer and currency that something is due for."""
    groups: dict[tuple[int, str], list[DueReminder]] = {}
    for each in due_reminders(day, levels, customer):
        groups.setdefault((each.invoice.customer_id, each.invoice.currency), []).append(each)
    for reminders in groups.values():
        to, level = reminders[0].invoice.customer, max(each.level for each in reminders)
        rows = tuple(
            (str(each.invoice.number), str(each.invoice.due_date), str(each.left), each.days_overdue)
            for each in reminders
        )
        total = Money(amount=sum(each.left.amount for each in reminders), currency=reminders[0].left.currency)
        last = level >= len(levels)
        yield Message(
            customer=to,
            language=to.language,
            level=level,
            subject=subject(to.language, level, last=last, issuer=to.issuer.name),
            text=body(
                to.language, level, last=last, customer=to.name, issuer=to.issuer.legal_name or to.issuer.name,
                rows=rows, total=str(total), currency=total.currency,
            ),
            reminders=tuple(reminders),
        )  # fmt: skip


def record_sent(message: Message, *, sent_to: str, day: date, clock: Clock, who: str) -> None:
    """Keep that ``message`` was sent. Refuses where somebody has reminded of the same meanwhile."""
    with transaction.atomic():
        Customer.objects.select_for_update().get(pk=message.customer.pk)
        for each in message.reminders:
            if each.invoice.reminders.filter(level__gte=each.level).exists():
                raise Refuse(f"{each.invoice.number} was reminded of at level {each.level} already")
            Reminder.objects.create(
                invoice=each.invoice,
                level=each.level,
                day=day,
                left=each.left.amount,
                sent_to=sent_to,
                subject=message.subject,
                text=message.text,
                sent_at_ms=clock.now_ms(),
                who=who,
            )
        told = {str(each.invoice.number): each.level for each in message.reminders}
        audit(clock, who, "dunning.send", message.customer.key, {"level_of": told, "to": sent_to})
