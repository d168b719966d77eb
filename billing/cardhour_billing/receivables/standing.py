"""How a document stands: open, part-paid, paid, overdue or void, and what is left of it.

Owns that derivation, from allocations, due date and credit notes; nothing of it is stored. Does not own writing any of
those (``payments``, ``allocating``, ``crediting``). A list is annotated in one query, so that it can be filtered and
added up by the database.
"""

from __future__ import annotations

from datetime import date
from typing import Literal

from django.db.models import BigIntegerField, Exists, F, Model, OuterRef, Q, QuerySet, Subquery, Sum, Value
from django.db.models.functions import Coalesce
from msgspec import Struct

from cardhour_billing.models import Allocation, Invoice, Issuer, Payment
from cardhour_billing.money import Money
from cardhour_billing.month import local_day
from cardhour_contract.clock import Clock

State = Literal["draft", "open", "part-paid", "paid", "overdue", "void"]
STATES: tuple[State, ...] = ("draft", "open", "part-paid", "paid", "overdue", "void")

CREDIT_NOTE = "credit-note"
VOIDING = "void"
"""Reason of the credit note that cancels a whole invoice."""


class Standing(Struct, frozen=True, kw_only=True):
    """How one document stands. A credit note has what is left to use of it as ``left``, and is never overdue."""

    state: State
    settled: Money
    """Allocated to an invoice; or used, or paid back, of a credit note."""
    left: Money
    """Zero or more."""
    days_overdue: int = 0


def with_standing(invoices: QuerySet[Invoice]) -> QuerySet[Invoice]:
    """Annotates ``settled`` and ``voided``."""
    of_credit = _sum(Allocation.objects.filter(credit=OuterRef("pk")), "credit")
    refunded = _sum(Payment.objects.filter(of_credit=OuterRef("pk")), "of_credit")
    voiding = Invoice.objects.filter(original=OuterRef("pk"), reason=VOIDING, state=Invoice.State.ISSUED)
    return invoices.annotate(settled=_to_invoice() + of_credit - refunded, voided=Exists(voiding))


def in_force(invoices: QuerySet[Invoice]) -> QuerySet[Invoice]:
    """Those that bill a month, and count: issued, and neither void nor a credit note for another document."""
    void = Invoice.objects.filter(original=OuterRef("pk"), reason=VOIDING, state=Invoice.State.ISSUED)
    return invoices.filter(~Exists(void), state=Invoice.State.ISSUED, original__isnull=True)


def in_state(invoices: QuerySet[Invoice], state: str, day: date) -> QuerySet[Invoice]:
    """Those of annotated ``invoices`` that stand so on ``day``."""
    draft = Q(state=Invoice.State.DRAFT)
    if state == "draft":
        return invoices.filter(draft)
    issued = invoices.filter(state=Invoice.State.ISSUED)
    if state == "void":
        return issued.filter(Q(voided=True))
    issued = issued.filter(Q(voided=False))
    whole = Q(total__gte=0, settled__gte=F("total")) | Q(total__lt=0, settled__gte=-F("total"))
    if state == "overdue":
        # What asks for money is settled by what is allocated to it: only a credit note is itself used, or paid back.
        return (
            issued.filter(total__gt=0, due_date__lt=day).alias(received=_to_invoice()).filter(received__lt=F("total"))
        )
    if state == "paid":
        return issued.filter(whole)
    unpaid = issued.exclude(whole)
    in_time = unpaid.exclude(total__gte=0, due_date__lt=day)
    return in_time.filter(Q(settled__gt=0) if state == "part-paid" else Q(settled=0))


def standing(invoice: Invoice, day: date) -> Standing:
    """How an invoice that ``with_standing`` annotated stands on ``day``."""
    annotated = vars(invoice)
    return _standing(invoice, int(annotated["settled"]), bool(annotated["voided"]), day)


def standing_of(invoice: Invoice, day: date) -> Standing:
    """How one invoice stands on ``day``."""
    return standing(with_standing(Invoice.objects.all()).get(pk=invoice.pk), day)


def today(clock: Clock) -> date:
    """The day in the issuer's zone."""
    issuer = Issuer.objects.first()
    return local_day(clock.now_ms(), issuer.timezone if issuer else "UTC")


def _standing(invoice: Invoice, settled: int, voided: bool, day: date) -> Standing:
    def money(amount: int) -> Money:
        return Money(amount=amount, currency=invoice.currency)

    left = abs(invoice.total) - settled
    if invoice.state == Invoice.State.DRAFT:
        return Standing(state="draft", settled=money(0), left=money(0))
    if voided:
        return Standing(state="void", settled=money(settled), left=money(0))
    if left <= 0:
        return Standing(state="paid", settled=money(settled), left=money(0))
    if invoice.total >= 0 and invoice.due_date is not None and invoice.due_date < day:
        days = (day - invoice.due_date).days
        return Standing(state="overdue", settled=money(settled), left=money(left), days_overdue=days)
    return Standing(state="part-paid" if settled else "open", settled=money(settled), left=money(left))


def _to_invoice() -> Coalesce:
    return _sum(Allocation.objects.filter(invoice=OuterRef("pk")), "invoice")


def _sum(rows: QuerySet[Model], group: str) -> Coalesce:
    summed = rows.order_by().values(group).annotate(sum=Sum("amount")).values("sum")
    return Coalesce(Subquery(summed), Value(0), output_field=BigIntegerField())
