"""Using money for invoices: which receipt or credit note pays which invoice, and how much of each is left.

Owns allocations and their limits: never more than the source has, never more than is left of the invoice, customers and
currencies never mixed. Does not own how money comes in (``payments``) nor credit notes (``crediting``). Every function
that writes runs under a lock on the customer, so that of two who spend the same money the second sees the first;
triggers refuse whatever comes another way.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from django.db import transaction
from django.db.models import Q, Sum
from msgspec import Struct

from cardhour_billing.audit.log import audit
from cardhour_billing.models import Allocation, CreditEntry, Customer, Invoice, Payment
from cardhour_billing.money import Money
from cardhour_billing.receivables.credit import apply_prepaid, give_back
from cardhour_billing.receivables.standing import CREDIT_NOTE, VOIDING, with_standing
from cardhour_contract.clock import Clock
from cardhour_contract.errors import Refuse

Source = Payment | Invoice
"""A receipt, or a credit note."""


class Part(Struct, frozen=True, kw_only=True):
    """``amount`` of a source for an invoice; negative where it is taken back."""

    invoice: Invoice
    amount: Money


def name_of(source: Source) -> str:
    """What people call a source: ``P12``, or a credit note's number."""
    return source.code if isinstance(source, Payment) else str(source.number)


def left_of(source: Source) -> Money:
    """What is not used of a receipt or a credit note."""
    if isinstance(source, Payment):
        taken = sum(each.settles for each in source.takings.all())
        used = source.allocations.aggregate(sum=Sum("amount"))["sum"] or 0
        return Money(amount=source.settles + taken - used, currency=source.currency)
    taken = source.refunds.aggregate(sum=Sum("amount"))["sum"] or 0
    used = source.uses.aggregate(sum=Sum("amount"))["sum"] or 0
    return Money(amount=-source.total + taken - used, currency=source.currency)


def open_of(invoice: Invoice) -> Money:
    """What is left to pay of an issued invoice."""
    paid = invoice.allocations.aggregate(sum=Sum("amount"))["sum"] or 0
    return Money(amount=invoice.total - paid, currency=invoice.currency)


def oldest_first(source: Source) -> tuple[Part, ...]:
    """How ``source`` would be spread over its customer's unpaid invoices, oldest due date first. Writes nothing."""
    left, parts = left_of(source), list[Part]()
    unpaid = with_standing(
        Invoice.objects.filter(
            customer=source.customer, currency=source.currency, state=Invoice.State.ISSUED, total__gt=0
        )
    )
    for invoice in unpaid.filter(Q(voided=False)).order_by("due_date", "pk"):
        part = min(left.amount, open_of(invoice).amount)
        if part > 0:
            parts.append(Part(invoice=invoice, amount=Money(amount=part, currency=left.currency)))
            left = left - parts[-1].amount
    return tuple(parts)


def allocate(source: Source, parts: Sequence[Part], *, clock: Clock, who: str) -> None:
    """Use parts of ``source`` for invoices, or take them back; all or none."""
    with transaction.atomic():
        locked(source.customer)
        for part in parts:
            _check(source, part)
            _write(source, part, clock, who)
        if parts:
            audit(clock, who, "payment.allocate", name_of(source), {"parts": _told(parts)})


def release(allocations: Iterable[Part], source: Source, *, clock: Clock, who: str) -> None:
    """Take back what ``source`` pays of each invoice."""
    back = [Part(invoice=part.invoice, amount=-part.amount) for part in allocations]
    allocate(source, back, clock=clock, who=who)


def pay_from_prepaid(invoice: Invoice, *, clock: Clock, who: str) -> Money:
    """Pay an invoice with what its customer paid ahead, as far as it goes; how much. Once for each invoice."""
    number = str(invoice.number)
    paid = apply_prepaid(invoice.customer, open_of(invoice), number, clock=clock, who=who)
    if paid.amount:
        entry = CreditEntry.objects.get(key=f"{CreditEntry.Kind.APPLY}:{number}")
        Allocation.objects.create(invoice=invoice, prepaid=entry, amount=paid.amount, at_ms=clock.now_ms(), who=who)
    return paid


def return_prepaid(invoice: Invoice, because: str, *, clock: Clock, who: str) -> None:
    """Undo ``pay_from_prepaid``; grants that its lines took come back too."""
    number = str(invoice.number)
    paid = invoice.allocations.filter(prepaid__isnull=False).aggregate(sum=Sum("amount"))["sum"] or 0
    give_back(invoice.customer, number, because, clock=clock, who=who)
    if paid:
        entry = CreditEntry.objects.get(key=f"{CreditEntry.Kind.RELEASE}:{number}")
        Allocation.objects.create(invoice=invoice, prepaid=entry, amount=-paid, at_ms=clock.now_ms(), who=who)


def parts_of(source: Source) -> tuple[Part, ...]:
    """What ``source`` pays at present, by invoice."""
    rows = source.allocations if isinstance(source, Payment) else source.uses
    sums = rows.order_by("invoice_id").values_list("invoice").annotate(sum=Sum("amount"))
    return tuple(
        Part(invoice=Invoice.objects.get(pk=pk), amount=Money(amount=amount, currency=source.currency))
        for pk, amount in sums
        if amount
    )


def payers_of(invoice: Invoice) -> tuple[tuple[Source, Money], ...]:
    """What receipts and credit notes pay of ``invoice`` at present, in the order in which they first did."""
    sums: dict[tuple[int | None, int | None], int] = {}
    for row in invoice.allocations.filter(prepaid__isnull=True).order_by("id"):
        key = row.payment_id, row.credit_id
        sums[key] = sums.get(key, 0) + row.amount
    found: list[tuple[Source, Money]] = []
    for (payment, credit), amount in sums.items():
        source: Source = Payment.objects.get(pk=payment) if payment else Invoice.objects.get(pk=credit or 0)
        if amount:
            found.append((source, Money(amount=amount, currency=invoice.currency)))
    return tuple(found)


def locked(customer: Customer) -> Customer:
    """The customer's row, locked to the end of this transaction: whoever spends its money waits here."""
    return Customer.objects.select_for_update().get(pk=customer.pk)


def _check(source: Source, part: Part) -> None:
    invoice, amount, name = part.invoice, part.amount, name_of(source)
    if invoice.kind == CREDIT_NOTE or invoice.state != Invoice.State.ISSUED:
        raise Refuse(f"{invoice.number or 'a draft'} is no issued invoice: only invoices are paid")
    if invoice.customer_id != source.customer_id:
        raise Refuse(f"{name} is of {source.customer.key}, and {invoice.number} of {invoice.customer.key}")
    if invoice.currency != source.currency:
        raise Refuse(f"{name} is in {source.currency}, and {invoice.number} in {invoice.currency}")
    if amount.amount == 0:
        raise Refuse(f"nothing of {name} would go to {invoice.number}: give an amount")
    if amount.amount < 0:
        held = next((each.amount for each in parts_of(source) if each.invoice.pk == invoice.pk), None)
        if held is None or held.amount < -amount.amount:
            raise Refuse(f"{name} pays {held or 'nothing'} of {invoice.number}: {-amount} cannot be taken back")
        return
    own_note = isinstance(source, Invoice) and source.original_id == invoice.pk
    if not own_note and invoice.credit_notes.filter(reason=VOIDING, state=Invoice.State.ISSUED).exists():
        raise Refuse(f"{invoice.number} is void: nothing is paid on it")
    left, open_ = left_of(source), open_of(invoice)
    if amount.amount > left.amount:
        raise Refuse(f"{name} has {left} {left.currency} left: {amount} is more")
    if amount.amount > open_.amount:
        raise Refuse(f"{open_} {open_.currency} of {invoice.number} is open: {amount} is more")


def _write(source: Source, part: Part, clock: Clock, who: str) -> None:
    paid_by = {"payment": source} if isinstance(source, Payment) else {"credit": source}
    Allocation.objects.create(invoice=part.invoice, amount=part.amount.amount, at_ms=clock.now_ms(), who=who, **paid_by)


def _told(parts: Iterable[Part]) -> list[dict[str, str]]:
    return [{"invoice": str(part.invoice.number), "amount": str(part.amount)} for part in parts]
