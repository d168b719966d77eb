"""What goes into a statement: the documents of the range with their lines, the payments, and the balances around them.

Owns which of them count. A document counts where its supply period ends, in China's way (账期): June's usage is in
June's statement, whenever it was invoiced. A payment counts on the day it came in. Only issued documents are owed;
what was paid ahead for one is taken off it, since the money itself is in the credit ledger.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date, timedelta

from msgspec.structs import replace

from cardhour_billing.figures import negated
from cardhour_billing.frozen.document import InvoiceDocument, decode
from cardhour_billing.frozen.parties import customer_party, issuer_party
from cardhour_billing.models import Customer, Invoice, Payment
from cardhour_billing.money import Money, exponent, parse_amount, total
from cardhour_billing.month import day_start_ms
from cardhour_billing.statements.document import DayUse, StatedLine, StatedPayment, StatementDocument


def compose(customer: Customer, first: date, last: date, *, drawn: date, revision: int) -> StatementDocument:
    """The statement of ``customer`` for the local days ``first`` to ``last``."""
    start_ms = day_start_ms(first, customer.timezone)
    end_ms = day_start_ms(last + timedelta(days=1), customer.timezone)
    issued = Invoice.objects.filter(customer=customer, state=Invoice.State.ISSUED, currency=customer.currency)
    before = issued.filter(period_end_ms__lte=start_ms)
    within = issued.filter(period_end_ms__gt=start_ms, period_end_ms__lte=end_ms).order_by("period_end_ms", "pk")
    documents = [decode(bytes(each.frozen)) for each in within]
    currency = customer.currency
    owed = [decode(bytes(each.frozen)) for each in before]
    opening = total((parse_amount(each.due, currency) for each in owed), currency) - _paid_before(customer, first)
    lines = tuple(_numbered(row for document in documents for row in _rows(document)))
    payments = tuple(_payments(customer, first, last))
    charged = total((parse_amount(line.amount, currency) for line in lines), currency)
    paid = total((parse_amount(each.amount, currency) for each in payments), currency)
    return StatementDocument(
        drawn_day=drawn.isoformat(),
        revision=revision,
        issuer=issuer_party(customer.issuer),
        customer=customer_party(customer),
        first_day=first.isoformat(),
        last_day=last.isoformat(),
        timezone=customer.timezone,
        currency=currency,
        decimals=exponent(currency),
        opening=str(opening),
        lines=lines,
        payments=payments,
        usage=tuple(_usage(documents, currency)),
        charged=str(charged),
        paid=str(paid),
        closing=str(opening + charged - paid),
    )


def missing_months(customer: Customer, first: date, last: date) -> list[str]:
    """Months within the range whose invoice is only a draft: they are not in the statement."""
    drafts = Invoice.objects.filter(
        customer=customer,
        state=Invoice.State.DRAFT,
        period_start_ms__gte=day_start_ms(first, customer.timezone),
        period_end_ms__lte=day_start_ms(last + timedelta(days=1), customer.timezone),
    )
    return sorted(set(drafts.values_list("period", flat=True)))


def _rows(document: InvoiceDocument) -> Iterator[StatedLine]:
    number = document.number or ""
    for line in document.lines:
        yield StatedLine(
            position=0,
            document=number,
            line=line.position,
            name=line.model if line.kind == "usage" else line.description,
            first_day=line.first_day,
            last_day=line.last_day,
            printed_quantity=line.printed_quantity,
            unit=line.unit,
            unit_price=line.unit_price,
            amount=line.net or line.amount,
        )
    for tax in document.tax:
        yield StatedLine(
            position=0, document=number, line=None, name=f"Tax {tax.rate_percent}% 税", amount=tax.tax,
            first_day=document.period.first_day, last_day=document.period.last_day,
        )  # fmt: skip
    if document.prepaid:
        yield StatedLine(
            position=0, document=number, line=None, name="Paid ahead 预付款抵扣", amount=negated(document.prepaid),
            first_day=document.period.first_day, last_day=document.period.last_day,
        )  # fmt: skip


def _numbered(lines: Iterable[StatedLine]) -> Iterator[StatedLine]:
    for position, line in enumerate(lines, start=1):
        yield replace(line, position=position)


def _usage(documents: Iterable[InvoiceDocument], currency: str) -> Iterator[DayUse]:
    """Days and models of usage lines, in order; amounts as the documents share them out, tax in them where it was."""
    sums: dict[tuple[str, str], tuple[int, Money]] = {}
    for document in documents:
        for line in document.lines:
            for day in line.days:
                us, amount = sums.get((day.day, line.model), (0, total((), currency)))
                sums[day.day, line.model] = us + day.quantity_us, amount + parse_amount(day.amount, currency)
    for (day_name, model), (us, amount) in sorted(sums.items()):
        yield DayUse(day=day_name, model=model, quantity_us=us, amount=str(amount))


def _sum(amounts: Iterable[int], currency: str) -> Money:
    return Money(amount=sum(amounts), currency=currency)


def _paid_before(customer: Customer, first: date) -> Money:
    paid = Payment.objects.filter(customer=customer, currency=customer.currency, day__lt=first)
    return _sum((each.settles for each in paid), customer.currency)


def _payments(customer: Customer, first: date, last: date) -> Iterator[StatedPayment]:
    """Money in and out, with what banks kept and what we let go: all that settles."""
    found = Payment.objects.filter(customer=customer, currency=customer.currency, day__range=(first, last))
    for each in found.order_by("day", "pk"):
        amount = Money(amount=each.settles, currency=each.currency)
        yield StatedPayment(day=each.day.isoformat(), reference=each.reference, amount=str(amount))
